package config

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestOwnFlags: what the static pods are started with exists in every minor, so that
// one set of flags does for all.
func TestOwnFlags(t *testing.T) {
	flag := regexp.MustCompile(`(?m)^ +- "?--([a-z0-9-]+)=`)
	for _, component := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"} {
		manifest, err := os.ReadFile(filepath.Join("../../testdata/golden/staticpod/default", component+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		used := flag.FindAllStringSubmatch(string(manifest), -1)
		if len(used) < 5 {
			t.Fatalf("%s: %d flags found", component, len(used))
		}
		for _, m := range minors() {
			known := m.flagTypes(component)
			for _, name := range used {
				if known[name[1]] == nil {
					t.Errorf("%s of 1.%d has no flag %s", component, m.number, name[1])
				}
			}
		}
	}
}

// TestBundledVersion: what a bundle holds is what init makes, unless the file says otherwise.
func TestBundledVersion(t *testing.T) {
	named := []byte("apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: v1.34.1\n")
	for _, c := range []struct {
		bundled string
		file    []byte
		want    string
	}{
		{"", nil, DefaultVersion},
		{"v1.35.4", nil, "v1.35.4"},
		{"v1.35.4", named, "v1.34.1"},
	} {
		m := machine
		m.Bundled = c.bundled
		got, err := Parse("config.yaml", c.file, m)
		if err != nil || got.KubernetesVersion != c.want || got.Images.Etcd != NewImages(DefaultImageRepository, c.want).Etcd {
			t.Errorf("bundle of %q: %v, %v, want %s", c.bundled, got, err, c.want)
		}
	}
}

// TestFlagLists holds the lists to what validateArgs takes them for, and the table of
// minors to the lists: a name that is misspelt there would do nothing.
func TestFlagLists(t *testing.T) {
	all := map[string][]string{}
	for _, component := range []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet"} {
		text := readFile(t, "flags/"+component+".txt")
		types := table("flags/" + component + ".txt")
		if lines := strings.Split(strings.TrimSpace(text), "\n"); !slices.IsSorted(lines) || len(lines) < 50 || len(lines) != len(types) {
			t.Errorf("%s: not sorted, short, or a name twice", component)
		}
		if types["feature-gates"] == nil || types["help"] != nil || types["version"] != nil {
			t.Errorf("%s: want feature-gates, and not help and version", component)
		}
		for name, kind := range types {
			if len(kind) != 1 {
				t.Errorf("%s: %s is of the types %v", component, name, kind)
			}
		}
		maps.Copy(all, types)
	}
	for _, name := range slices.Concat(slices.Collect(maps.Keys(flagSince)), list("values/flags.txt"), list("values/etcd.txt"), list("values/files.txt")) {
		if all[name] == nil {
			t.Errorf("the lists have no flag %s", name)
		}
	}
	if minors()[0].flagTypes("kubelet")[podInfraFlag] != nil {
		t.Errorf("the newest kubelet has %s as well", podInfraFlag)
	}
	for field := range kubeletFieldSince {
		if !slices.Contains(list("fields/kubelet.txt"), field) {
			t.Errorf("the kubelet has no field %s", field)
		}
	}
}

// TestFieldValues: the fields of values/ are those of the documents, and the flags beside them the kubelet's.
func TestFieldValues(t *testing.T) {
	for _, program := range []string{"kubelet", "kube-proxy"} {
		fields, flags := list("fields/"+program+".txt"), table("flags/"+program+".txt")
		for field, words := range table("values/" + program + ".txt") {
			if name, _, _ := strings.Cut(field, "."); !slices.Contains(fields, name) {
				t.Errorf("%s has no field %s", program, field)
			}
			if len(words) < 2 || words[0] != "-" && flags[words[0]] == nil {
				t.Errorf("%s: of %s there is no flag or no form: %v", program, field, words)
			}
		}
	}
}

// TestForms: each form of values is one that judge knows.
func TestForms(t *testing.T) {
	var check func(from string, form []string)
	check = func(from string, form []string) {
		switch composed := []string{"one-of", "range", "gates", "any"}; {
		case form[0] == "list" || form[0] == "set":
			check(from, form[1:])
		case form[0] == "pairs":
			check(from, form[2:3])
			check(from, form[3:])
		case !slices.Contains(composed, form[0]) && plainForms[form[0]].fits == nil && minors()[0].knownNames(form[0]) == nil:
			t.Errorf("%s: no such form: %v", from, form)
		}
	}
	for _, file := range []string{"flags", "etcd"} {
		for flag, form := range table("values/" + file + ".txt") {
			check(flag, form)
		}
	}
	for _, file := range []string{"kubelet", "kube-proxy"} {
		for field, words := range table("values/" + file + ".txt") {
			check(field, words[1:])
		}
	}
}

// TestTogether: the rules name settings that there are, and say one thing each.
func TestTogether(t *testing.T) {
	var rules []rule
	if err := strict([]byte(readFile(t, "values/together.yaml")), &rules); err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		said := 0
		for _, each := range [][]string{r.Needs, r.Excludes, words(r.KeysOf), words(r.ApartOf), words(r.Below), words(r.AtMost)} {
			said += min(1, len(each))
		}
		if said != 1 || r.If == "" || (r.Below+r.AtMost != "") != (r.Defaults != [2]string{}) {
			t.Errorf("not one thing: %+v", r)
		}
		programs := strings.Fields("etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy")
		if r.Program != "" {
			programs = []string{r.Program}
		}
		for _, name := range slices.Concat([]string{r.If}, r.Needs, r.Excludes, words(r.Unless), words(r.KeysOf+r.ApartOf+r.Below+r.AtMost)) {
			if !slices.ContainsFunc(programs, func(program string) bool { return hasSetting(program, name) }) {
				t.Errorf("%v have no setting %s", programs, name)
			}
		}
	}
}

// TestEdges: values at the edge of what a kubelet takes.
func TestEdges(t *testing.T) {
	const kubelet = "kind: KubeletConfiguration\napiVersion: kubelet.config.k8s.io/v1beta1\n"
	for fields, valid := range map[string]bool{
		"serializeImagePulls: true\nmaxParallelImagePulls: 1": true, "serializeImagePulls: true\nmaxParallelImagePulls: 2": false,
		"evictionMinimumReclaim: {memory.available: '0'}": true, "evictionHard: {memory.available: '0'}": false,
	} {
		if _, err := Parse("f.yaml", []byte(kubelet+fields+"\n"), machine); (err == nil) != valid {
			t.Errorf("%s: %v", fields, err)
		}
	}
}

func hasSetting(program, name string) bool {
	name, _, _ = strings.Cut(name, "=")
	prefix, isPrefix := strings.CutSuffix(name, "*")
	known := list("flags/" + program + ".txt")
	if program == "kubelet" || program == "kube-proxy" {
		known = slices.Concat(known, list("values/"+program+".txt"))
	}
	return slices.ContainsFunc(known, func(each string) bool { return each == name || isPrefix && strings.HasPrefix(each, prefix) })
}

// TestMinorLists: each minor has its lists, and with no gate set all is as it should be.
func TestMinorLists(t *testing.T) {
	for _, m := range minors() {
		gates := table(m.file("feature-gate"))
		if len(gates) < 150 || gates["AllAlpha"] == nil || gates["SidecarContainers"] == nil {
			t.Errorf("1.%d: %d gates", m.number, len(gates))
		}
		for name, g := range gates {
			isStage := slices.Contains([]string{"alpha", "beta", "ga", "deprecated", "locked"}, g[1])
			isKnown := !slices.ContainsFunc(g[2:], func(need string) bool { return gates[need] == nil })
			if !isStage || !isKnown || g[0] != "on" && g[0] != "off" {
				t.Errorf("1.%d: %s %v", m.number, name, g)
			}
		}
		if whys := m.judgeGates("AllAlpha=false"); whys != nil {
			t.Errorf("1.%d: %q", m.number, whys)
		}
		if !slices.Contains(list(m.file("admission-plugin")), "NodeRestriction") || !slices.Contains(list(m.file("API")), "apps/v1") {
			t.Errorf("1.%d: want NodeRestriction and apps/v1", m.number)
		}
	}
}

func TestMinor(t *testing.T) {
	if m, ok := minorOf(DefaultVersion); !ok || m.number != minors()[0].number {
		t.Errorf("the default, %s, is not of the newest minor", DefaultVersion)
	}
}

func TestProxiesToPeers(t *testing.T) {
	const gate = "UnknownVersionInteroperabilityProxy"
	for _, c := range []struct {
		version string
		args    []Arg
		want    bool
	}{
		{"v1.36.3", nil, true},
		{"v1.35.4", nil, false},
		{"v1.34.1", nil, false},
		{"v1.36.3", []Arg{{"feature-gates", gate + "=false"}}, false},
		{"v1.35.4", []Arg{{"feature-gates", "Other=true,kube:" + gate + "=true"}}, true},
		{"v1.36.3", []Arg{{"feature-gates", "Other=true"}, {"feature-gates", "AllBeta=false"}}, false},
		{"v1.36.3", []Arg{{"feature-gates", "AllBeta=false," + gate + "=true"}}, true},
		{"v1.36.3", []Arg{{"feature-gates", "AllBeta=true"}}, false},
		{"v1.36.3", []Arg{{"emulated-version", "kube=1.35"}}, false},
		{"v1.36.3", []Arg{{"emulated-version", "1.36"}}, false},
	} {
		cfg := &Config{Cluster: Cluster{KubernetesVersion: c.version}}
		cfg.APIServer.ExtraArgs = c.args
		if got := cfg.ProxiesToPeers(); got != c.want {
			t.Errorf("%s with %v: %v", c.version, c.args, got)
		}
	}
}
