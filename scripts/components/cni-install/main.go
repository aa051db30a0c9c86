// Command cni-install gives a node the CNI plugins of its pod network and, once
// flannel knows the node's range, their configuration. It stays, and writes that
// again when the range changes or the file goes. A network that somebody else
// configured is left alone.
//
// With --check it only tells, by its exit code, whether that is done.
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// conflist is what `bootstrap init` calls the file on the first node.
const conflist = "10-bootstrap.conflist"

var plugins = []string{"bridge", "host-local", "loopback", "portmap"}

// node is where things lie, as this program sees them.
type node struct {
	config  string // the conflist with variables in it
	subnets string // flannel's subnet.env
	from    string // the plugins of the image
	bin     string // those of the node
	net     string // the node's CNI configuration
}

func main() {
	var n node
	flag.StringVar(&n.config, "config", "/etc/kube-flannel/"+conflist, "conflist with ${SUBNET}, ${SUBNET6} and ${MTU} in it")
	flag.StringVar(&n.subnets, "subnets", "/run/flannel/subnet.env", "file that flannel writes")
	flag.StringVar(&n.from, "from", "/usr/local/bin", "folder of the plugins in the image")
	flag.StringVar(&n.bin, "bin", "/opt/cni/bin", "folder of the node's plugins")
	flag.StringVar(&n.net, "net", "/etc/cni/net.d", "folder of the node's configuration")
	check := flag.Bool("check", false, "only tell whether the node has its configuration")
	flag.Parse()
	do := n.run
	if *check {
		do = n.check
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (n node) run() error {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		<-end
		os.Exit(0)
	}()
	if err := n.installPlugins(); err != nil {
		return err
	}
	changes, err := watch(filepath.Dir(n.subnets), n.net)
	if err != nil {
		return err
	}
	for {
		if err := n.configure(); err != nil {
			return err
		}
		if err := changes.next(); err != nil {
			return err
		}
	}
}

// check fails until there is nothing left to do.
func (n node) check() error {
	want, err := n.wanted()
	if err != nil || want == nil {
		return err
	}
	got, err := os.ReadFile(filepath.Join(n.net, conflist))
	if err == nil && string(got) != string(want) {
		err = errors.New("the configuration is of another range")
	}
	return err
}

// configure writes the configuration if it is not there as it should be.
func (n node) configure() error {
	want, err := n.wanted()
	if errors.Is(err, errNoRange) || err == nil && want == nil {
		return nil
	}
	if err != nil || n.check() == nil {
		return err
	}
	fmt.Printf("writing %s:\n%s", filepath.Join(n.net, conflist), want)
	return replace(filepath.Join(n.net, conflist), want, 0o600)
}

var errNoRange = errors.New("flannel has not said yet which range this node has")

// wanted is the configuration, or nil if the node has a network of somebody else's.
func (n node) wanted() ([]byte, error) {
	foreign, err := n.foreign()
	if err != nil || foreign {
		return nil, err
	}
	text, err := os.ReadFile(n.config)
	if err != nil {
		return nil, err
	}
	env, err := os.ReadFile(n.subnets)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoRange
	}
	if err != nil {
		return nil, err
	}
	values, err := variables(string(env))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.subnets, err)
	}
	return expand(string(text), values)
}

// foreign tells whether there is a configuration that a runtime would read and that is not ours.
func (n node) foreign() (bool, error) {
	files, err := os.ReadDir(n.net)
	for _, f := range files {
		switch filepath.Ext(f.Name()) {
		case ".conf", ".conflist", ".json":
			if f.Name() != conflist {
				return true, nil
			}
		}
	}
	return false, err
}

// installPlugins leaves those that are there.
func (n node) installPlugins() error {
	for _, name := range plugins {
		file := filepath.Join(n.bin, name)
		if _, err := os.Stat(file); err == nil {
			continue
		}
		data, err := os.ReadFile(filepath.Join(n.from, name))
		if err == nil {
			err = replace(file, data, 0o755)
		}
		if err != nil {
			return err
		}
		fmt.Println("installed", file)
	}
	return nil
}

// replace writes a file whole or not at all. No runtime reads the name it has meanwhile.
func replace(file string, data []byte, mode fs.FileMode) error {
	fresh := filepath.Join(filepath.Dir(file), "."+filepath.Base(file)+".new")
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = cmp.Or(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(fresh, file)
	}
	return err
}
