package support

import (
	"bytes"
	"compress/gzip"
	"context"
	_ "embed" // sources.yaml
	"errors"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"sigs.k8s.io/yaml"

	"bootstrap/phases/host"
	"bootstrap/phases/observe"
	"bootstrap/phases/spec"
	"bootstrap/phases/status"
)

//go:embed sources.yaml
var sourcesYAML []byte

// source is what a part takes of a machine.
type source struct {
	Files    []string          `json:"files"`
	Programs map[string]string `json:"programs"` // commands, by the name of the file that keeps what they print
}

// addSources adds what sources.yaml lists for a part. Programs are run where this is the running
// machine and has them.
func (c *collector) addSources(ctx context.Context, g *gathered) {
	var sources map[string]source
	if err := yaml.UnmarshalStrict(sourcesYAML, &sources); err != nil {
		g.miss("sources.yaml", err)
	}
	from := sources[g.part]
	for _, file := range from.Files {
		c.addTail(g, file, file)
	}
	if !c.Host.Real() {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(from.Programs)) {
		c.addPrinted(ctx, g, name, strings.Fields(from.Programs[name]))
	}
}

func (c *collector) addPrinted(ctx context.Context, g *gathered, name string, command []string) {
	path := c.Host.Program(command[0])
	if path == "" {
		g.miss(name, errors.New("no "+command[0]+" here"))
		return
	}
	text, err := c.Host.Output(ctx, path, command[1:]...)
	if err != nil {
		g.miss(name, err)
		return
	}
	data, cut := tailOf([]byte(text), maxText)
	g.add(name, data, cut)
}

func (c *collector) addMachine(ctx context.Context, g *gathered) {
	c.addSources(ctx, g)
	g.addJSON("facts", c.Facts, nil)
}

func (c *collector) addVersions(ctx context.Context, g *gathered, version string) {
	g.add("bootstrap.txt", []byte(version+"\n"), false)
	c.addSources(ctx, g)
	if c.Bundle != nil {
		g.add("bundle.txt", []byte(c.Bundle.Index().Kubernetes+" in "+c.Bundle.Path()+"\n"), false)
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
	g.addJSON("pods", pods, err)
	cri, _, err := observe.DialPods(c.Host, "")
	if err != nil {
		g.miss("images", err)
		return
	}
	defer cri.Close()
	images, err := cri.StoredImages(ctx)
	g.addJSON("images", images, err)
}

func (c *collector) addLedger(_ context.Context, g *gathered) {
	g.addJSON("records", c.Host.Entries(), nil)
	if r, open := c.Host.Unfinished(); open {
		g.addJSON("unfinished", r, nil)
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
	if settled, err := c.State().SettledBefore(); err != nil || settled != nil {
		g.addJSON("settled", settled, err)
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
	now, err := status.Current(ctx, c.Observer, time.Time{})
	g.addJSON("status", now, err) // as `bootstrap status -o json` prints it
	if c.Config == nil {
		g.unread = append(g.unread, "evidence: there is no config to judge by: "+noConfig.Error())
		return
	}
	evidence := c.Evidence(ctx, observe.Query{Stage: observe.Written, Since: time.Now().Add(-lookBack)})
	g.addJSON("evidence", evidence, nil)
	g.addJSON("causes", c.Catalogue.Causes(evidence), nil)
	if !c.Host.Made(spec.ManifestFile("kube-apiserver")) { // after that a control plane's own traces are all it would find
		g.addJSON("preflight", c.Catalogue.Preflight(&evidence.Machine), nil)
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
