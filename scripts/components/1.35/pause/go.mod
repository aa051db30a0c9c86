module components/pause

go 1.26
