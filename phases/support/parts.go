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
type printed struct {
	file    string
	program string
	args    []string
}

var machinePrograms = []printed{
	{"addresses.txt", "ip", []string{"-d", "address"}},
	{"routes.txt", "ip", []string{"route", "show", "table", "all"}},
	{"routes6.txt", "ip", []string{"-6", "route", "show", "table", "all"}},
	{"rules.txt", "ip", []string{"rule"}},
	{"sockets.txt", "ss", []string{"-anptu"}},
	{"disks.txt", "df", []string{"-hT"}},
	{"inodes.txt", "df", []string{"-iT"}},
	{"blockdevices.txt", "lsblk", []string{"-f"}},
	{"processes.txt", "ps", []string{"-eo", "pid,ppid,user,stat,rss,etimes,comm"}}, // no arguments: they may hold secrets
	{"nftables.txt", "nft", []string{"list", "ruleset"}},
	{"iptables.txt", "iptables-save", nil},
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
		c.addTail(g, file)
	}
	g.addJSON("facts.json", c.Facts)
	c.addPrinted(ctx, g, machinePrograms)
}

func (c *collector) addVersions(ctx context.Context, g *gathered, version string) {
	g.add("bootstrap.txt", []byte(version+"\n"), false)
	c.addPrinted(ctx, g, []printed{
		{"kubelet.txt", "kubelet", []string{"--version"}},
		{"containerd.txt", "containerd", []string{"--version"}},
		{"runc.txt", "runc", []string{"--version"}},
		{"systemd.txt", "systemctl", []string{"--version"}},
	})
	if c.Bundle != nil {
		g.add("bundle.txt", []byte(c.Bundle.Index().Kubernetes+" in "+c.Bundle.Path()+"\n"), false)
	}
}

func (c *collector) addUnits(ctx context.Context, g *gathered) {
	c.addPrinted(ctx, g, []printed{
		{"failed.txt", "systemctl", []string{"--no-pager", "--failed"}},
		{"all.txt", "systemctl", []string{"--no-pager", "list-units", "--all"}},
		{"kubelet.txt", "systemctl", []string{"--no-pager", "show", spec.KubeletService}},
		{"containerd.txt", "systemctl", []string{"--no-pager", "show", "containerd.service"}},
	})
}

func (c *collector) addJournal(ctx context.Context, g *gathered) {
	lines := []string{"--no-pager", "--quiet", "--output=short-iso-precise", "--lines=5000"}
	c.addPrinted(ctx, g, []printed{
		{"kubelet.log", "journalctl", append(slices.Clone(lines), "-u", spec.KubeletService)},
		{"containerd.log", "journalctl", append(slices.Clone(lines), "-u", "containerd.service")},
		{"kernel.log", "journalctl", append(slices.Clone(lines), "-k")},
	})
}

// addPrinted runs programs, where this is the running machine and has them.
func (c *collector) addPrinted(ctx context.Context, g *gathered, all []printed) {
	if !c.Host.Real() {
		return
	}
	for _, p := range all {
		path := c.Host.AnyProgram(p.program)
		if path == "" {
			g.miss(p.file, errors.New("no "+p.program+" here"))
			continue
		}
		text, err := c.Host.Output(ctx, path, p.args...)
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

func (c *collector) addTail(g *gathered, path string) {
	data, cut, err := c.Host.Tail(path, maxFile)
	if err != nil {
		g.miss(path, err)
		return
	}
	g.add(path, data, cut)
}

// supportPatterns are the files that say how this node is set up.
var supportPatterns = []string{
	spec.StaticPodDir + "/*", spec.KubeletConfig, spec.InstanceConfig, spec.KubeletDir + "/kubeadm-flags.env", "/etc/default/kubelet",
	spec.KubeletUnitFile, spec.ContainerdUnit, "/usr/lib/systemd/system/kubelet.service", "/usr/lib/systemd/system/containerd.service",
	"/etc/systemd/system/kubelet.service.d/*", "/etc/systemd/system/containerd.service.d/*",
	spec.ContainerdConfig, "/etc/containerd/conf.d/*", "/etc/containerd/certs.d/*/hosts.toml", spec.CNIConfigDir + "/*",
	"/etc/sysctl.conf", "/etc/sysctl.d/*", "/etc/modules-load.d/*",
}

// addFiles takes these, and whatever else bootstrap wrote that is short text.
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
	paths := c.Host.Globs(supportPatterns)
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
	socket, err := observe.PodSocket(c.Host, "")
	if err != nil {
		g.miss("images", err)
		return
	}
	cri, err := runtime.Dial("unix://" + socket)
	if err != nil {
		g.miss("images", err)
		return
	}
	defer cri.Close()
	images, err := cri.StoredImages(ctx)
	if err != nil {
		g.miss("images", err)
		return
	}
	g.addJSON("images.json", images)
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
		g.unread = append(g.unread, "given.yaml is left out: what is secret in it can't be told, as it is no YAML")
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
	c.addStatus(ctx, g)
	if c.Config == nil {
		g.unread = append(g.unread, "evidence: there is no config to judge by: "+noConfig.Error())
		return
	}
	evidence := c.Evidence(ctx, observe.Query{Stage: observe.Written, Since: c.began.Add(-lookBack)})
	g.addJSON("evidence.json", evidence)
	g.addJSON("causes.json", c.Catalogue.Causes(evidence))
	if !c.Host.Made(spec.ManifestFile("kube-apiserver")) { // after that a control plane's own traces are all it would find
		g.addJSON("preflight.json", c.Catalogue.Preflight(&evidence.Machine))
	}
}

// addStatus adds what `bootstrap status -o json` prints.
func (c *collector) addStatus(ctx context.Context, g *gathered) {
	status, err := status.Current(ctx, c.Observer, time.Time{})
	if err != nil {
		g.miss("status.json", err)
		return
	}
	g.addJSON("status.json", status)
}

// addLogs takes what containers of kube-system wrote, also before the kubelet began
// a new file.
func (c *collector) addLogs(ctx context.Context, g *gathered) {
	for _, path := range c.Host.Globs([]string{spec.PodLogDir + "/kube-system_*/*/*.log", spec.PodLogDir + "/kube-system_*/*/*.log.*"}) {
		if ctx.Err() != nil {
			g.miss(path, ctx.Err())
			return
		}
		name := strings.TrimPrefix(path, spec.PodLogDir)
		if strings.HasSuffix(path, ".gz") {
			c.addZipped(g, name, path)
			continue
		}
		data, cut, err := c.Host.Tail(path, maxFile)
		if err != nil {
			g.miss(path, err)
			continue
		}
		g.add(name, data, cut)
	}
}

// maxZipped is how much of a log is unpacked; the kubelet begins a new one at 10 MiB.
const maxZipped = 32 << 20

func (c *collector) addZipped(g *gathered, name, path string) {
	packed, err := c.Host.ReadFile(path)
	if err != nil {
		g.miss(path, err)
		return
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		g.miss(path, err)
		return
	}
	data, err := io.ReadAll(io.LimitReader(r, maxZipped))
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		g.miss(path, err)
		return
	}
	tail, cut := tailOf(data, maxFile)
	g.add(strings.TrimSuffix(name, ".gz"), tail, cut)
}
