package phases

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// source is one Go file of the module that is not a test.
type source struct {
	file    string // from the module's root
	pkg     string // folder from the module's root
	syntax  *ast.File
	imports []string
}

// sources are all of them, save the components, which are modules of their own.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel := filepath.ToSlash(strings.TrimPrefix(file, "../"))
		if d.IsDir() && (strings.HasPrefix(rel, ".") && rel != ".." || rel == "scripts" || rel == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(rel, ".go") || strings.HasSuffix(rel, "_test.go") {
			return nil
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s := source{file: rel, pkg: path.Dir(rel), syntax: syntax}
		for _, i := range syntax.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			s.imports = append(s.imports, name)
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range []string{"cmd/bootstrap", "phases", "phases/host", "templates"} {
		if !slices.ContainsFunc(all, func(s source) bool { return s.pkg == pkg }) {
			t.Fatalf("%s was not found: this test would hold nothing", pkg)
		}
	}
	return all
}

// ground are the packages that know nothing of a cluster's plan: of each other they know
// only what TestOwnImports allows.
var ground = []string{
	"phases/config", "phases/host", "phases/machine", "phases/netfilter", "phases/pki", "phases/runtime", "phases/cluster",
	"phases/health", "phases/diagnose", "phases/bundle", "phases/patch", "phases/redact",
	"phases/podmanifest", "phases/locate", "phases/lazyregexp", "phases/etcd", "phases/snapshot", "templates", "manifests",
}

// TestOwnImports holds design.md §3: cmd -> phases, status, support, staticpods -> ready ->
// observe -> state, spec -> config and the ground; never sideways or up.
func TestOwnImports(t *testing.T) {
	and := func(lists ...[]string) []string { return slices.Concat(lists...) }
	parts := []string{"phases/ready", "phases/observe", "phases/state", "phases/spec", "phases/plan"}
	allowed := map[string][]string{
		"cmd/bootstrap":     and([]string{"phases", "phases/status", "phases/support", "phases/staticpods"}, parts, ground),
		"phases":            and(parts, ground),
		"phases/status":     and(parts, ground),
		"phases/support":    and([]string{"phases/status"}, parts, ground),
		"phases/staticpods": and(parts, ground),
		"phases/ready":      and(parts[1:], ground),
		"phases/observe":    and(parts[2:], ground),
		"phases/state":      {"phases/spec", "phases/plan", "phases/config", "phases/host", "phases/patch", "phases/runtime"},
		// Pure: of machine, netfilter and bundle only types.
		"phases/spec": {"phases/config", "phases/machine", "phases/netfilter", "phases/bundle", "phases/patch", "phases/pki", "templates", "manifests"},
		"phases/plan": {"phases/diagnose", "phases/host", "phases/locate"}, // what is told, and causes as errors

		"phases/host":        {"phases/machine", "phases/netfilter"},
		"phases/diagnose":    {"phases/machine", "phases/pki", "phases/runtime", "phases/lazyregexp"}, // their facts
		"phases/bundle":      {"phases/lazyregexp"},
		"phases/redact":      {"phases/lazyregexp"},
		"phases/config":      {"phases/locate"}, // both tell where in a user's file something is wrong
		"phases/podmanifest": {"phases/locate"},

		"phases/host/hosttest":     {"phases/host", "phases/machine"},
		"phases/config/configtest": {"phases/config"},
		"phases/plan/plantest":     {"phases/plan"},
	}
	for _, s := range sources(t) {
		if _, ok := allowed[s.pkg]; !ok && !slices.Contains(ground, s.pkg) {
			t.Errorf("%s: package %s is not in design.md §3", s.file, s.pkg)
		}
		for _, i := range s.imports {
			own, ok := strings.CutPrefix(i, "bootstrap/")
			if ok && !slices.Contains(allowed[s.pkg], own) {
				t.Errorf("%s imports %s: sideways or up", s.file, own)
			}
		}
	}
}

// TestForeignImports wants each big dependency behind one package.
func TestForeignImports(t *testing.T) {
	cases := []struct {
		prefix  string
		allowed []string
	}{
		{"k8s.io/client-go", []string{"phases/cluster", "phases/pki"}}, // pki: files alone, .golangci.yml says which
		{"k8s.io/apimachinery", []string{"phases/cluster", "phases/config", "phases/patch", "phases/podmanifest"}},
		{"k8s.io/api/", []string{"phases", "phases/spec", "phases/observe", "phases/ready", "phases/staticpods", "phases/cluster", "phases/patch", "phases/podmanifest"}},
		{"k8s.io/cri-api", []string{"phases/runtime"}},
		{"github.com/containerd/", []string{"phases/runtime"}},
		{"google.golang.org/grpc", []string{"phases/runtime"}},
		{"go.etcd.io/", []string{"phases/etcd"}},
		{"go.uber.org/zap", []string{"phases/etcd"}}, // to keep etcd's client quiet
		{"github.com/coreos/go-systemd/v22/dbus", []string{"phases/host"}},
		{"github.com/coreos/go-systemd", []string{"phases/host", "phases/machine"}},
		{"github.com/godbus/", []string{"phases/host"}},
		{"github.com/klauspost/compress", []string{"phases/bundle", "phases/snapshot"}},
		{"filippo.io/age", []string{"phases/snapshot"}},
		{"github.com/minio/", []string{"phases/snapshot"}},
		{"github.com/opencontainers/", []string{"phases/bundle"}},
		{"github.com/spf13/", []string{"cmd/bootstrap"}},
		{"golang.org/x/term", []string{"cmd/bootstrap"}},
		{"text/template", []string{"templates", "phases/config", "cmd/bootstrap"}},
		{"html/template", nil},
		{"os/exec", []string{"phases/host", "phases/machine", "phases/netfilter"}},
		// Whoever calls the kernel may change anything.
		{"syscall", []string{"phases/host", "phases/machine", "cmd/bootstrap"}}, // main: signals and umask
		{"golang.org/x/sys", []string{"phases/host", "phases/machine", "phases/netfilter"}},
		{"github.com/vishvananda/netlink", []string{"phases/host", "phases/machine"}},
		{"github.com/mdlayher/netlink", []string{"phases/netfilter"}},
		{"github.com/moby/sys", []string{"phases/host", "phases/machine"}},
		{"testing", []string{"phases/host/hosttest", "phases/config/configtest", "phases/plan/plantest"}},
	}
	all := sources(t)
	for _, c := range cases {
		for _, s := range all {
			uses := func(i string) bool { return strings.HasPrefix(i+"/", strings.TrimSuffix(c.prefix, "/")+"/") }
			if slices.ContainsFunc(s.imports, uses) && !slices.Contains(c.allowed, s.pkg) {
				t.Errorf("%s imports %s, which only %v may", s.file, c.prefix, c.allowed)
			}
		}
	}
}

// TestOneDoorForEffects wants nothing of the machine changed but through host, which has
// netfilter remove rules. bundle writes bundles, cmd puts a bundle's file into place, and
// machine runs programs that only tell something.
func TestOneDoorForEffects(t *testing.T) {
	effects := []string{
		"os.Chmod", "os.Chown", "os.Chtimes", "os.Create", "os.CreateTemp", "os.Lchown", "os.Link", "os.Mkdir", "os.MkdirAll",
		"os.MkdirTemp", "os.OpenFile", "os.OpenRoot", "os.CopyFS", "os.Remove", "os.RemoveAll", "os.Rename", "os.Symlink", "os.Truncate", "os.WriteFile",
		"os.StartProcess", "exec.Command", "exec.CommandContext", "ioutil.WriteFile",
	}
	allowed := map[string][]string{
		"cmd/bootstrap":    {"os.CreateTemp", "os.Remove", "os.Rename"},
		"phases/machine":   {"exec.CommandContext"},
		"phases/netfilter": {"exec.CommandContext"},
	}
	found := 0
	for _, s := range sources(t) {
		for _, call := range calls(s.syntax) {
			if !slices.Contains(effects, call) {
				continue
			}
			found++
			doors := s.pkg == "phases/host" || s.pkg == "phases/host/hosttest" || s.pkg == "phases/bundle"
			if !doors && !slices.Contains(allowed[s.pkg], call) {
				t.Errorf("%s calls %s; use host", s.file, call)
			}
		}
	}
	if found == 0 {
		t.Error("no effect anywhere, not even in host: this test would hold nothing")
	}
}

// TestRules holds what is seen by grep: printing, contexts and exits.
func TestRules(t *testing.T) {
	cases := []struct {
		calls   []string
		allowed []string
	}{
		{[]string{"fmt.Print", "fmt.Printf", "fmt.Println", "log.Print", "log.Printf", "log.Fatal", "log.Fatalf", "slog.Info"}, []string{"cmd/bootstrap"}},
		{[]string{"os.Exit", "context.Background"}, []string{"cmd/bootstrap"}},
		{[]string{"context.TODO", "panic"}, nil},
	}
	all := sources(t)
	for _, c := range cases {
		for _, s := range all {
			for _, call := range calls(s.syntax) {
				if slices.Contains(c.calls, call) && !slices.Contains(c.allowed, s.pkg) {
					t.Errorf("%s calls %s", s.file, call)
				}
			}
		}
	}
}

// calls are the functions that are called by name: os.Remove, panic.
func calls(file *ast.File) []string {
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch f := call.Fun.(type) {
		case *ast.Ident:
			names = append(names, f.Name)
		case *ast.SelectorExpr:
			if pkg, ok := f.X.(*ast.Ident); ok {
				names = append(names, pkg.Name+"."+f.Sel.Name)
			}
		}
		return true
	})
	return names
}

// TestModules wants what the components are built from kept out of bootstrap's own module.
func TestModules(t *testing.T) {
	data, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), "k8s.io/client-go ") {
		t.Fatal("go.mod does not even name client-go: this test would hold nothing")
	}
	for _, module := range []string{"k8s.io/kubernetes", "go.etcd.io/etcd/server", "go.etcd.io/etcd/etcdctl", "go.etcd.io/etcd/etcdutl", "github.com/coredns/", "github.com/opencontainers/runc", "github.com/containernetworking/plugins"} {
		if strings.Contains(string(data), "\t"+module) {
			t.Errorf("go.mod names %s", module)
		}
	}
}
