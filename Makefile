# Everything that is built lies in bin/ and .cache/; `make clean` removes both. What checkouts
# share, components and the nodes' root file system, is kept in ~/.cache/bootstrap too.
VERSION    := $(shell git describe --always --dirty 2>/dev/null || echo devel)
BUILT      := $(shell git log -1 --format=%cI 2>/dev/null)
BUNDLE     := .cache/bundle.tar.zst
COMPONENTS := $(patsubst scripts/components/%/go.mod,.cache/components/%/KEY,$(wildcard scripts/components/*/go.mod)) .cache/components/netfilter/KEY
LINT       := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0

# A Go that is older than go.mod asks for fetches that version by itself.
export GOTOOLCHAIN := auto

.PHONY: help needs build components rootfs bundle box try test test-all test-unit test-offline test-e2e \
	all-offline all-kill all-exact all-layouts all-join all-networks all-standalone all-static-pods all-faults all-healthy all-etcd all-before box-before all-people all-people-refused all-people-ready vm-test vm-debian-13 vm-debian-12 vm-worker vm-clock vm-restore vm-smoke vm-try vm-try-debian-12 vm-try-container e2e-1.35 bench bench-before fuzz lint update clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile

needs: ## Install what building and testing need, from Debian's packages
	@scripts/needs

build: needs ## Build bin/bootstrap, one static program without a bundle
	@CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION) -X main.built=$(BUILT)' -o bin/bootstrap ./cmd/bootstrap

components: needs # Kubernetes, etcd, containerd and the rest, from their Go modules
	@scripts/components/build

# Not order-only, and with an empty recipe: else make does not see that one was built anew.
$(COMPONENTS): components ;

$(BUNDLE): $(COMPONENTS) phases/spec/contents.go phases/config/images.go phases/config/versions.go $(wildcard phases/bundle/*.go) | build
	@echo "packing the bundle"
	@bin/bootstrap bundle build --from .cache/components --output $@

rootfs: needs # the nodes' root file system, while the components are built
	@scripts/node rootfs

bundle: $(BUNDLE) ## Build the bundle, .cache/bundle.tar.zst, for machines without a network

box: build bundle ## Build bin/bootstrap-box, one program with the bundle inside
	@bin/bootstrap bundle box --bundle $(BUNDLE) --output bin/bootstrap-box

try: export AFTER := the bundle, bootstrap-box, a node and init in it (some 3 minutes)
try: ## Boot a throw-away node, run bootstrap init in it, and show how to go on
	@$(MAKE) --no-print-directory -j rootfs box
	@scripts/try

test: lint test-unit test-offline test-e2e ## Run the tests that every change must pass

test-all: test all-offline all-kill all-exact all-layouts all-join all-networks all-standalone all-static-pods all-faults all-healthy all-etcd all-before all-people vm-test vm-try vm-try-debian-12 vm-try-container e2e-1.35 fuzz ## Run everything, in some seven hours

test-unit: needs ## Run the tests that need no node
	@scripts/ci/unit

test-offline: build ## Kill the phases that write files, or make them fail, at some of their system calls
	@go test -count=1 -timeout 20m ./testdata/kill

test-e2e: rootfs box ## Run the tests on throw-away nodes, with a selection of each matrix
	@go test -count=1 -timeout 40m -v ./testdata/e2e -skip 'TestBootstrapPolicy|TestLeave|TestKeep|TestJoin|TestNetworks|TestOthers|TestRelease|TestBefore|TestPeopleRe|TestNoFalseAlarm|TestVerySlow|TestRestore|TestSnapshotFaults|TestSnapshotSchedule|TestDisaster|TestVM'

all-offline: build ## As test-offline, at every system call
	@go test -count=1 -timeout 60m -v ./testdata/kill -args -all

all-kill: box ## Kill init and reset on a node at 30 moments each
	@go test -count=1 -timeout 60m -v ./testdata/e2e -run 'TestKill$$' -args -all -name kill

all-exact: box ## Compare nodes before init and after reset; run init twice at once
	@go test -count=1 -timeout 60m -v ./testdata/e2e -run 'TestExact|TestKeep|TestTwoInits|TestLeave' -args -all -name exact

all-layouts: box ## See that reset loses nothing of others
	@go test -count=1 -timeout 60m -v ./testdata/e2e -run TestLayouts -args -all -name layouts

all-join: box ## Join a second node by kubeadm, run Kubernetes' own tests of kubeadm's clusters, compare the API server's roles
	@scripts/components/build kubeadm
	@go test -count=1 -timeout 20m -v ./testdata/e2e -run 'TestJoin$$|TestBootstrapPolicy$$' -args -all -name join

all-networks: box ## Try every network that bootstrap can set up, and none
	@go test -count=1 -timeout 50m -v ./testdata/e2e -run 'TestNetworks$$|TestOthers$$' -args -all -name networks

all-standalone: box ## Run static pods without an API server, then beside one
	@go test -count=1 -timeout 20m -v ./testdata/e2e -run 'TestStandalone$$' -args -all -name standalone

all-faults: box ## Break nodes in every way of testdata/faults, and want the cause named
	@go test -count=1 -timeout 60m -v ./testdata/e2e -run 'TestFaults$$' -args -all -name faults

all-healthy: box ## Run init on 20 healthy nodes, half of them slow, and want no cause named
	@go test -count=1 -timeout 60m -v ./testdata/e2e -run 'TestNoFalseAlarm$$|TestVerySlow$$' -args -all -name healthy

all-etcd: box ## Save, prove and restore snapshots of etcd under load, through kills and full disks, and on another machine
	@go test -count=1 -timeout 60m -v ./testdata/e2e -run 'TestSnapshot|TestRestore|TestDisaster$$' -args -all -name etcd

# The last commit whose program kept no documents of what a cluster was made by.
BEFORE := daf0be2

box-before: box
	@rm -rf .cache/before && mkdir -p .cache/before && git archive $(BEFORE) | tar -x -C .cache/before
	@cd .cache/before && CGO_ENABLED=0 go build -trimpath -buildvcs=false -o ../../bin/bootstrap-before ./cmd/bootstrap
	@bin/bootstrap-before bundle box --bundle $(BUNDLE) --output bin/bootstrap-box-before

all-before: box-before ## Take over, and leave, nodes that an earlier bootstrap has set up
	@go test -count=1 -timeout 30m -v ./testdata/e2e -run 'TestBefore$$' -args -all -name before

all-people: all-people-refused all-people-ready ## Prove testdata/config/people on real programs: kubeadm, its components, and init (parts: all-people-refused, all-people-ready)

all-people-refused: box
	@scripts/components/build kubeadm
	@go test -count=1 -timeout 60m -v ./testdata/e2e -run 'TestPeopleRefused$$' -args -all -name people-refused

all-people-ready: box
	@scripts/components/build kubeadm
	@go test -count=1 -timeout 60m -v ./testdata/e2e -run 'TestPeopleReady$$' -args -all -name people-ready

all-static-pods: box ## Run users' static pods, on our kubelet and on others set up in every way
	@go test -count=1 -timeout 30m -v ./testdata/e2e -run 'TestStaticPod' -args -all -name static-pods

vm-smoke: box ## Run init on a virtual machine, and reboot it
	@scripts/needs vm
	@go test -count=1 -timeout 40m -v ./testdata/e2e -run 'TestVM$$' -args -name $@

vm-restore: box ## Cut the power in the midst of restores on a virtual machine, then lose it, and restore another one
	@scripts/needs vm
	@go test -count=1 -timeout 2h -v ./testdata/e2e -run 'TestVMRestore$$' -args -all -name $@

vm-try: rootfs box ## Run `make try`'s script, a reset and a fault on nodes in a virtual machine with cgroup v2
	@scripts/needs vm
	@CGO_ENABLED=0 go test -count=1 -timeout 75m -v ./testdata/e2e -run 'TestVMTry$$' -args -name $@

vm-try-debian-12: rootfs box
	@scripts/needs vm
	@CGO_ENABLED=0 go test -count=1 -timeout 75m -v ./testdata/e2e -run 'TestVMTry$$/debian-12$$' -args -all -name $@

vm-try-container: rootfs box
	@scripts/needs vm
	@CGO_ENABLED=0 go test -count=1 -timeout 75m -v ./testdata/e2e -run 'TestVMContainer$$' -args -name $@

vm-test: vm-debian-13 vm-debian-12 vm-worker vm-clock ## Reboot virtual machines of each distribution, cut their power, reset them, join them, set their clocks (parts: vm-debian-13, vm-debian-12, vm-worker, vm-clock)

vm-debian-13 vm-debian-12: vm-debian-%: box
	@scripts/needs vm
	@go test -count=1 -timeout 90m -v ./testdata/e2e -run 'TestVM$$/debian-$*$$' -args -all -name $@

vm-worker: box
	@scripts/needs vm
	@scripts/components/build kubeadm
	@go test -count=1 -timeout 60m -v ./testdata/e2e -run 'TestVMWorker$$' -args -name $@

vm-clock: box
	@scripts/needs vm
	@go test -count=1 -timeout 30m -v ./testdata/e2e -run 'TestVMClock$$' -args -name $@

e2e-1.35: box ## Run init, and what people do first, with Kubernetes 1.35
	@RELEASE=1.35 scripts/components/build
	@bin/bootstrap bundle build --from .cache/components-1.35 --output .cache/bundle-1.35.tar.zst
	@bin/bootstrap bundle box --bundle .cache/bundle-1.35.tar.zst --output bin/bootstrap-box-1.35
	@go test -count=1 -timeout 20m -v ./testdata/e2e -run 'TestRelease$$' -args -release 1.35 -name $@

bench: box ## Measure init against kubeadm, and against etcd and kube-apiserver as bare processes
	@scripts/components/build kubeadm
	@go run ./scripts/bench

bench-before: box-before ## Measure this build against an earlier one, in turn
	@scripts/components/build kubeadm
	@go run ./scripts/bench -rounds 9 -only 'bootstrap|before' -before bin/bootstrap-box-before

fuzz: needs ## Fuzz every parser of outside input for a minute each
	@scripts/ci/fuzz

lint: needs ## Check format, vet, lint, shell scripts, the Vagrantfile and go.mod
	@scripts/needs lint
	@go run $(LINT) run --allow-parallel-runners ./... ./testdata/e2e/... ./testdata/kill
	@shellcheck -x scripts/node scripts/nodes/* scripts/vm scripts/vms/*.bash scripts/vms/distributions/* scripts/vms/provision scripts/needs scripts/try scripts/ci/* scripts/components/build scripts/components/flags scripts/components/gates testdata/faults/bad-certificate testdata/faults/edit-configmap scripts/bench/kit/*.sh .ci/run
	@scripts/ci/vagrant
	@go mod tidy -diff

update: needs ## Mend what lint finds, and write the golden files again
	@go run $(LINT) fmt ./...
	@go mod tidy
	@go test ./cmd/bootstrap ./phases/config ./phases/podmanifest ./phases/spec ./templates -update

clean: ## Remove the nodes and everything that was built, but for what checkouts share
	@scripts/node down --all
	@scripts/vm down --all
	@rm -rf bin .cache
