package host_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
)

// holdLock is another process: it holds the lock until its input ends.
func holdLock(root string) {
	os.Args = []string{"/usr/bin/bootstrap", "init", "phase", "certs", "--token=secret"}
	h, err := host.Open(root, &hosttest.Units{Root: root})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("held")
	io.Copy(io.Discard, os.Stdin) // an end is an end
	_ = h                         // never closed: the kernel gives the lock back
}

func startHolder(t *testing.T, root string) (*exec.Cmd, io.Closer) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"_LOCK="+root)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line != "held\n" {
		t.Fatalf("holder says %q", line)
	}
	return cmd, in
}

func TestLockOfAnotherProcess(t *testing.T) {
	root := t.TempDir()
	cmd, in := startHolder(t, root)

	_, err := host.Open(root, &hosttest.Units{})
	wantObstacle(t, err, fmt.Sprintf("another bootstrap is at work on this machine: pid %d (bootstrap init phase)", cmd.Process.Pid))

	in.Close()
	cmd.Wait() // it ends as a killed one would: without Close
	h, err := host.Open(root, &hosttest.Units{})
	must(t, err)
	must(t, h.Close())
}

func TestLockIsHeldByOneAtATime(t *testing.T) {
	root := t.TempDir()
	var wg sync.WaitGroup
	var mu sync.Mutex
	inside := 0
	for range 8 {
		wg.Go(func() {
			for range 50 {
				h, err := host.Open(root, &hosttest.Units{})
				if err != nil {
					continue
				}
				if !mu.TryLock() {
					t.Error("two hold the lock")
					return
				}
				inside++
				mu.Unlock()
				h.Close()
			}
		})
	}
	wg.Wait()
	if inside == 0 {
		t.Fatal("nobody got the lock")
	}
}
