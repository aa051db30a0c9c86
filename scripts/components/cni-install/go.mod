module components/cni-install

go 1.26
