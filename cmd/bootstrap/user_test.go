package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const nobody = 65534

// asUser is a bootstrap that anybody may run, and a root directory that holds a ledger
// of root's if made.
func asUser(t *testing.T, made bool) (program, root string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root, to become somebody else")
	}
	dir, err := os.MkdirTemp("/tmp", "bootstrap-user-*") // t.TempDir is closed to others
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program, root = filepath.Join(dir, "bootstrap"), filepath.Join(dir, "root")
	copyProgram(t, program)
	for path, content := range map[string]string{
		"root/run/utmp":                 "",
		"root/proc/sys/kernel/hostname": "node-1\n",
		"cluster.yaml":                  "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nlocalAPIEndpoint: {advertiseAddress: 192.0.2.10}\n",
	} {
		file := filepath.Join(dir, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := exec.Command("chmod", "-R", "a+rX", dir).Run(); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	if made {
		if code, out := runAs(t, 0, program, "init", "phase", "certs", "--root", root, "--config", filepath.Join(dir, "cluster.yaml")); code != 0 {
			t.Fatalf("init: exit code %d\n%s", code, out)
		}
	}
	return program, root
}

// copyProgram copies this test, which is bootstrap under that name.
func copyProgram(t *testing.T, to string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	from, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(f, from)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func runAs(t *testing.T, uid uint32, program string, args ...string) (code int, output string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode(), out.String()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, out.String()
}

// TestAsUser: what anybody may do, and what takes root and says so.
func TestAsUser(t *testing.T) {
	others := otherPhases()
	const sudo = "bootstrap: error: not root\nbootstrap: hint: run it with sudo\n"
	cases := []struct {
		name string
		made bool
		args []string
		code int
		want string
	}{
		{"plan on a fresh machine", false, []string{"init", "--dry-run", "--skip-phases", others, "--config", "CONFIG"}, 0, "41 changes would be made"},
		{"plan of reset on a fresh machine", false, []string{"reset", "--dry-run"}, 0, "Nothing to undo"},
		{"ledger on a fresh machine", false, []string{"ledger"}, 0, "Nothing: "},
		{"init", false, []string{"init", "phase", "certs", "--config", "CONFIG"}, 2, sudo},
		{"ledger", true, []string{"ledger"}, 2, sudo},
		{"ledger as JSON", true, []string{"ledger", "-o", "json"}, 2, sudo},
		{"plan where something was made", true, []string{"init", "--dry-run", "--skip-phases", others, "--config", "CONFIG"}, 2, sudo},
		{"reset", true, []string{"reset", "--force"}, 2, sudo},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			program, root := asUser(t, c.made)
			before := listing(t, root)
			args := []string{}
			for _, arg := range c.args {
				args = append(args, strings.Replace(arg, "CONFIG", filepath.Join(filepath.Dir(root), "cluster.yaml"), 1))
			}
			code, out := runAs(t, nobody, program, append(args, "--root", root)...)
			if code != c.code || !strings.Contains(out, c.want) {
				t.Errorf("exit code %d, want %d and %q:\n%s", code, c.code, c.want, out)
			}
			if after := listing(t, root); after != before {
				t.Errorf("it left\n%s\nwas\n%s", after, before)
			}
		})
	}
}

func listing(t *testing.T, root string) string {
	t.Helper()
	out, err := exec.Command("find", root, "-printf", "%p %m %U %T@\n").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
