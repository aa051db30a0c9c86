package support

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"bootstrap/phases/host"
	"bootstrap/phases/machine"
	"bootstrap/phases/observe"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
	"bootstrap/phases/status"
)

// printed is what a program is asked for, and the file that keeps it.
type printed struct{ file, command string }

const journal = "journalctl --no-pager --quiet --output=short-iso-precise --lines=5000 "

// programs are asked by the parts of these names.
var programs = map[string][]printed{
	"versions": {
		{"kubelet.txt", "kubelet --version"},
		{"containerd.txt", "containerd --version"},
		{"runc.txt", "runc --version"},
		{"systemd.txt", "systemctl --version"},
	},
	"machine": {
		{"addresses.txt", "ip -d address"},
		{"routes.txt", "ip route show table all"},
		{"routes6.txt", "ip -6 route show table all"},
		{"rules.txt", "ip rule"},
		{"sockets.txt", "ss -anptu"},
		{"disks.txt", "df -hT"},
		{"inodes.txt", "df -iT"},
		{"blockdevices.txt", "lsblk -f"},
		{"processes.txt", "ps -eo pid,ppid,user,stat,rss,etimes,comm"}, // no arguments: they may hold secrets
		{"nftables.txt", "nft list ruleset"},
		{"iptables.txt", "iptables-save"},
	},
	"units": {
		{"failed.txt", "systemctl --no-pager --failed"},
		{"all.txt", "systemctl --no-pager list-units --all"},
		{"kubelet.txt", "systemctl --no-pager show kubelet.service"},
		{"containerd.txt", "systemctl --no-pager show containerd.service"},
	},
	"journal": {
		{"kubelet.log", journal + "-u kubelet.service"},
		{"containerd.log", journal + "-u containerd.service"},
		{"kernel.log", journal + "-k"},
	},
}

var machineFiles = []string{
	"/etc/os-release", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", machine.ResolvedConfPath,
	"/proc/version", "/proc/cmdline", "/proc/cpuinfo", "/proc/meminfo", "/proc/loadavg", "/proc/uptime", "/proc/swaps",
	"/proc/modules", "/proc/filesystems", "/proc/cgroups", "/proc/1/mountinfo",
	"/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory",
	"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/bridge/bridge-nf-call-iptables", "/proc/sys/fs/inotify/max_user_instances",
}

func (c *collector) addMachine(ctx context.Context, g *gathered) {
	for _, file := range machineFiles {
		c.addTail(g, file, file)
	}
	g.addJSON("facts.json", c.Facts)
	c.addPrograms(ctx, g)
}

func (c *collector) addVersions(ctx context.Context, g *gathered, version string) {
	g.add("bootstrap.txt", []byte(version+"\n"), false)
	c.addPrograms(ctx, g)
	if c.Bundle != nil {
		g.add("bundle.txt", []byte(c.Bundle.Index().Kubernetes+" in "+c.Bundle.Path()+"\n"), false)
	}
}

// addPrograms runs the programs of a part, where this is the running machine and has them.
func (c *collector) addPrograms(ctx context.Context, g *gathered) {
	if !c.Host.Real() {
		return
	}
	for _, p := range programs[g.part] {
		words := strings.Fields(p.command)
		path := c.Host.Program(words[0])
		if path == "" {
			g.miss(p.file, errors.New("no "+words[0]+" here"))
			continue
		}
		text, err := c.Host.Output(ctx, path, words[1:]...)
		if err != nil {
			g.miss(p.file, err)
			continue
		}
		data, cut := tailOf([]byte(text), maxText)
		g.add(p.file, data, cut)
	}
}

func tailOf(data []byte, size int) (tail []byte, cut bool) {
	if len(data) <= size {
		return data, false
	}
	return host.WholeLines(data[len(data)-size:]), true
}

// addTail adds the end of a file, under a name of its own.
func (c *collector) addTail(g *gathered, name, path string) {
	data, cut, err := c.Host.Tail(path, maxFile)
	if strings.HasSuffix(path, ".gz") {
		name = strings.TrimSuffix(name, ".gz")
		data, cut, err = c.unzippedTail(path)
	}
	if err != nil {
		g.miss(path, err)
		return
	}
	g.add(name, data, cut)
}

// setUpPatterns are the files that say how this node is set up.
var setUpPatterns = []string{
	spec.StaticPodDir + "/*", spec.KubeletConfig, spec.InstanceConfig, spec.KubeletDir + "/kubeadm-flags.env", "/etc/default/kubelet",
	spec.KubeletUnitFile, spec.ContainerdUnit, "/usr/lib/systemd/system/kubelet.service", "/usr/lib/systemd/system/containerd.service",
	"/etc/systemd/system/kubelet.service.d/*", "/etc/systemd/system/containerd.service.d/*",
	spec.ContainerdConfig, "/etc/containerd/conf.d/*", "/etc/containerd/certs.d/*/hosts.toml", spec.CNIConfigDir + "/*",
	"/etc/sysctl.conf", "/etc/sysctl.d/*", "/etc/modules-load.d/*",
}

// addFiles takes the files that say how this node is set up, and whatever else bootstrap
// wrote that is text.
func (c *collector) addFiles(ctx context.Context, g *gathered) {
	for _, path := range c.setUpFiles() {
		if ctx.Err() != nil {
			g.miss(path, ctx.Err())
			return
		}
		data, cut, err := c.Host.Tail(path, maxFile)
		switch {
		case err != nil:
			g.miss(path, err)
		case !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0:
			g.miss(path, errors.New("no text"))
		case !holdsKey(path, data):
			g.add(path, data, cut)
		}
	}
}

func (c *collector) setUpFiles() []string {
	paths := c.Host.Globs(setUpPatterns)
	for _, r := range c.Host.Entries() {
		program := r.After.Mode&0o111 != 0
		if r.Op == host.OpFile && !r.Undone && !program && !strings.HasPrefix(r.Target, "/opt/") {
			paths = append(paths, r.Target)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// holdsKey tells whether a file has no place in an archive at all: keys, certificates
// and kubeconfigs. What matters of the latter two is in certificates/.
func holdsKey(path string, data []byte) bool {
	switch filepath.Ext(path) {
	case ".key", ".pem", ".crt", ".pub", ".p12", ".jks":
		return true
	}
	return bytes.Contains(data, []byte("PRIVATE KEY")) || bytes.Contains(data, []byte("kind: Config\n")) ||
		bytes.Contains(data, []byte("client-key-data"))
}

func (c *collector) addRuntime(ctx context.Context, g *gathered) {
	pods, err := observe.Pods(ctx, c.Host, observe.PodQuery{All: true})
	if err != nil {
		g.unread = append(g.unread, "pods: "+err.Error())
		return
	}
	g.addJSON("pods.json", pods)
	images, err := c.storedImages(ctx)
	if err != nil {
		g.miss("images", err)
		return
	}
	g.addJSON("images.json", images)
}

func (c *collector) storedImages(ctx context.Context) ([]runtime.StoredImage, error) {
	socket, err := observe.PodSocket(c.Host, "")
	if err != nil {
		return nil, err
	}
	cri, err := runtime.Dial("unix://" + socket)
	if err != nil {
		return nil, err
	}
	defer cri.Close()
	return cri.StoredImages(ctx)
}

func (c *collector) addLedger(_ context.Context, g *gathered) {
	g.addJSON("records.json", c.Host.Entries())
	if r, open := c.Host.Unfinished(); open {
		g.addJSON("unfinished.json", r)
	}
}

func (c *collector) addConfig(g *gathered, r Request) {
	if _, ok := givenSecrets(r.Config); ok {
		g.add("given.yaml", r.Config, false)
	} else if r.Config != nil {
		g.unread = append(g.unread, "given.yaml is left out: what is secret in it is not known, as it is no YAML")
	}
	if r.NoConfig != nil {
		g.unread = append(g.unread, "config: "+r.NoConfig.Error())
	}
	if settled, err := c.State().SettledBefore(); err != nil {
		g.miss("settled", err)
	} else if settled != nil {
		g.addJSON("settled.json", settled)
	}
	if c.Config == nil {
		return
	}
	if data, err := c.Config.ClusterConfiguration(); err == nil {
		g.add("cluster.yaml", data, false)
	}
	if data, err := c.Config.BoxConfiguration(); err == nil {
		g.add("box.yaml", data, false)
	}
}

// lookBack is how far back the evidence looks at what units wrote.
const lookBack = time.Hour

func (c *collector) addDiagnosis(ctx context.Context, g *gathered, noConfig error) {
	if now, err := status.Current(ctx, c.Observer, time.Time{}); err != nil {
		g.miss("status.json", err)
	} else {
		g.addJSON("status.json", now) // as `bootstrap status -o json` prints it
	}
	if c.Config == nil {
		g.unread = append(g.unread, "evidence: there is no config to judge by: "+noConfig.Error())
		return
	}
	evidence := c.Evidence(ctx, observe.Query{Stage: observe.Written, Since: time.Now().Add(-lookBack)})
	g.addJSON("evidence.json", evidence)
	g.addJSON("causes.json", c.Catalogue.Causes(evidence))
	if !c.Host.Made(spec.ManifestFile("kube-apiserver")) { // after that a control plane's own traces are all it would find
		g.addJSON("preflight.json", c.Catalogue.Preflight(&evidence.Machine))
	}
}

// addLogs takes what containers of kube-system wrote, also before the kubelet began
// a new file.
func (c *collector) addLogs(ctx context.Context, g *gathered) {
	for _, path := range c.Host.Globs([]string{spec.PodLogDir + "/kube-system_*/*/*.log", spec.PodLogDir + "/kube-system_*/*/*.log.*"}) {
		if ctx.Err() != nil {
			g.miss(path, ctx.Err())
			return
		}
		c.addTail(g, strings.TrimPrefix(path, spec.PodLogDir), path)
	}
}

// maxUnzipped is how much of a log is unpacked; the kubelet begins a new one at 10 MiB.
const maxUnzipped = 32 << 20

func (c *collector) unzippedTail(path string) (tail []byte, cut bool, err error) {
	packed, err := c.Host.ReadFile(path)
	if err != nil {
		return nil, false, err
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, false, err
	}
	data, err := io.ReadAll(io.LimitReader(r, maxUnzipped))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, false, err
	}
	tail, cut = tailOf(data, maxFile)
	return tail, cut, nil
}
