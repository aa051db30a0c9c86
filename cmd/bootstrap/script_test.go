package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"bootstrap/phases/plan"

	"github.com/rogpeppe/go-internal/testscript"

	"bootstrap/phases"
)

// TestMain lets scripts run this binary as bootstrap.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"bootstrap": main})
}

// TestScripts runs testdata/script. Scripts never run init or reset without --root:
// that would be this machine.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/script",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("OTHERS", otherPhases())
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exits,
			"tree":       tree,
			"components": makeComponents,
			"flip":       flip,
			"schema":     schema,
			"changes":    changes,
			"secrets":    secrets,
			"chown":      chown,
			"refuses":    refuses,
		},
	})
}

// otherPhases are the phases of init but those that write files and need no machine to be real.
func otherPhases() string {
	var names []string
	for _, step := range phases.Init() {
		for _, phase := range step {
			if phase.Follows == "" && !slices.Contains([]string{"certs", "kubeconfig", "etcd", "control-plane"}, phase.Name) {
				names = append(names, phase.Name)
			}
		}
	}
	return strings.Join(names, ",")
}

// exits CODE COMMAND... runs a command that must end with that code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got, err = exit.ExitCode(), nil
	}
	ts.Check(err)
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// tree [-id] DIR FILE writes to FILE every path below DIR with its mode and, with
// -id, its inode, size and time of change: what differs when anything was written.
func tree(ts *testscript.TestScript, neg bool, args []string) {
	id := len(args) == 3 && args[0] == "-id"
	if id {
		args = args[1:]
	}
	if neg || len(args) != 2 {
		ts.Fatalf("usage: tree [-id] DIR FILE")
	}
	root := ts.MkAbs(args[0])
	var out bytes.Buffer
	ts.Check(filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&out, "%s %s", info.Mode(), strings.TrimPrefix(path, root))
		if st := info.Sys().(*syscall.Stat_t); id && !d.IsDir() {
			fmt.Fprintf(&out, " inode %d size %d time %d.%09d", st.Ino, st.Size, st.Ctim.Sec, st.Ctim.Nsec)
		}
		out.WriteByte('\n')
		return nil
	}))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), out.Bytes(), 0o644))
}

// makeComponents (components DIR) makes a folder as scripts/components/build does,
// of programs that nobody could run.
func makeComponents(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: components DIR")
	}
	for component, content := range map[string]struct {
		version string
		files   []string
	}{
		"kubernetes":  {"v1.36.3", []string{"kubelet", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "bootstrap-policy.yaml"}},
		"etcd":        {"v3.6.8", []string{"etcd", "etcdctl", "etcdutl"}},
		"containerd":  {"v2.2.9", []string{"containerd", "containerd-shim-runc-v2", "ctr"}},
		"runc":        {"v1.4.0", []string{"runc"}},
		"cni":         {"v1.9.0", []string{"bridge", "host-local", "loopback", "portmap"}},
		"coredns":     {"v1.14.2", []string{"coredns"}},
		"pause":       {"v3.10.2", []string{"pause"}},
		"cni-install": {"1", []string{"cni-install"}},
		"flannel":     {"v0.28.10", []string{"flanneld"}},
		"netfilter":   {"1.0.6", []string{"root/usr/sbin/nft"}},
	} {
		dir := filepath.Join(ts.MkAbs(args[0]), component)
		ts.Check(os.MkdirAll(dir, 0o755))
		ts.Check(os.WriteFile(filepath.Join(dir, "VERSION"), []byte(content.version+"\n"), 0o644))
		for _, name := range content.files {
			ts.Check(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
			ts.Check(os.WriteFile(filepath.Join(dir, name), tinyProgram(), 0o755))
		}
	}
}

// tinyProgram is a static ELF of one program header.
func tinyProgram() []byte {
	h := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', 2, 1, 1},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1,
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64,
	}
	var buf bytes.Buffer
	_ = binary.Write(&buf, binary.LittleEndian, h) // a Buffer takes everything
	_ = binary.Write(&buf, binary.LittleEndian, elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: 5, Align: 1})
	noise := make([]byte, 2000)
	_, _ = rand.NewChaCha8([32]byte{}).Read(noise) // never fails
	buf.Write(noise)
	return buf.Bytes()
}

// flip FILE damages a byte in the last tenth of a file.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: flip FILE")
	}
	file := ts.MkAbs(args[0])
	data, err := os.ReadFile(file)
	ts.Check(err)
	data[len(data)*9/10] ^= 1
	ts.Check(os.WriteFile(file, data, 0o644))
}

// changes JSON FILE writes to FILE each change among the events of -o json, sorted.
func changes(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: changes JSON FILE")
	}
	var list []string
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		var event eventLine
		ts.Check(json.Unmarshal([]byte(line), &event))
		if event.Kind == plan.Changed {
			list = append(list, fmt.Sprintf("%s %s %s\n", event.Change.Op, event.Change.Verb, event.Change.Target))
		}
	}
	slices.Sort(list)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.Join(list, "")), 0o644))
}

var (
	// PEM's BEGIN and PRIVATE KEY in base64, at each of its three alignments
	secretText = regexp.MustCompile("PRIVATE KEY|LS0tLS1CRUdJT|client-key-data|UFJJVkFURSBLRV|BSSVZBVEUgS0VZ|QUklWQVRFIEtFW")
	base64Text = regexp.MustCompile(`[A-Za-z0-9+/]{60,}`) // a line of a key
	hashText   = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// secrets FILE... wants a secret in each of the files; with !, in none.
func secrets(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		text := ts.ReadFile(name)
		found := secretText.FindString(text)
		for _, line := range base64Text.FindAllString(text, -1) {
			if !hashText.MatchString(line) {
				found = line
			}
		}
		if (found == "") != neg {
			ts.Fatalf("%s: secret: %q", name, found)
		}
	}
}

// chown UID FILE gives a file to a user. It takes root, as all of make test does.
func chown(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: chown UID FILE")
	}
	uid, err := strconv.Atoi(args[0])
	ts.Check(err)
	ts.Check(os.Lchown(ts.MkAbs(args[1]), uid, 0))
}

// refuses ROOT applies each bad manifest of testdata/staticpod, which must be refused with
// exactly the findings in its "# want: " lines.
func refuses(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: refuses ROOT")
	}
	files, err := filepath.Glob("../../testdata/staticpod/bad-*.yaml")
	ts.Check(err)
	if len(files) < 25 {
		ts.Fatalf("only %d bad manifests", len(files))
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		ts.Check(err)
		_, want, _ := strings.Cut(string(data), "# want: ")
		want = "bootstrap: error: " + strings.ReplaceAll(want, "# want: ", "bootstrap: error: ")
		ts.Check(os.WriteFile(ts.MkAbs("pod.yaml"), data, 0o600))
		exits(ts, false, []string{"2", "bootstrap", "static-pod", "apply", "-f", "pod.yaml", "--root", args[0]})
		if got := ts.ReadFile("stderr"); got != want {
			ts.Fatalf("%s: got\n%swant\n%s", filepath.Base(file), got, want)
		}
	}
}
