package host

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

const namespaceEnv = "HOST_TEST_NAMESPACE"

// inNamespace runs the calling test again in a process with namespaces of its own,
// which vanish with it. It is true in that process.
func inNamespace(t *testing.T, flags uintptr) bool {
	t.Helper()
	if os.Getenv(namespaceEnv) == t.Name() {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("NOT RUN: a namespace needs root")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), namespaceEnv+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: flags, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}
