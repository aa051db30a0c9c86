package phases

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/host/hosttest"
)

var readOnce = sync.OnceValues(diagnose.ReadCatalogue) // it takes milliseconds

func catalogue(t *testing.T) diagnose.Catalogue {
	t.Helper()
	all, err := readOnce()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// testEnv is an Env on a Host of its own, with the config valid-NAME.yaml.
func testEnv(t *testing.T, name string) *Env {
	t.Helper()
	h, _ := hosttest.New(t)
	env := Open(Env{Config: validConfig(t, name), Host: h, Catalogue: catalogue(t)})
	return env.forPhase("test")
}

// reopen is env, opened again: what is decided once may have changed.
func reopen(env *Env) *Env {
	opened := Open(*env)
	opened.Choices.Kubelet = env.Choices.Kubelet
	return opened
}

// events collects what phases report.
type events struct {
	mu  sync.Mutex
	all []Event
}

func (e *events) report(event Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, event)
}

// texts are the messages of one kind, in order.
func (e *events) texts(kind EventKind) []string {
	var texts []string
	for _, event := range e.all {
		if event.Kind == kind {
			texts = append(texts, event.Message)
		}
	}
	return texts
}

// runPhase runs a phase that must succeed, and gives what it noted and warned of.
func runPhase(t *testing.T, env *Env, run func(context.Context, *Env) error) []string {
	t.Helper()
	seen := &events{}
	env.Tell.To = seen.report
	if err := run(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	return append(seen.texts(Note), seen.texts(Warning)...)
}

// failPhase runs a phase whose error must contain each of the texts, its hint as well.
func failPhase(t *testing.T, env *Env, run func(context.Context, *Env) error, want ...string) {
	t.Helper()
	checkError(t, run(t.Context(), env), want...)
}

func checkError(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	message := err.Error()
	if h, ok := err.(interface{ Hint() string }); ok {
		message += "; hint: " + h.Hint()
	}
	for _, text := range want {
		if !strings.Contains(message, text) {
			t.Errorf("%q lacks %q", message, text)
		}
	}
}

// files is every file below a directory of the Host: its mode, inode and content.
func files(t *testing.T, env *Env, dir string) map[string]fileState {
	t.Helper()
	all := map[string]fileState{}
	root := env.Host.Path(dir)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		all[strings.TrimPrefix(path, root+"/")] = fileState{info.Mode(), info.Sys().(*syscall.Stat_t).Ino, string(data)}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

type fileState struct {
	mode    fs.FileMode
	inode   uint64
	content string
}

// changed are the names of files that differ between two states, sorted, without
// those that are only in one.
func changed(before, after map[string]fileState) map[string]bool {
	names := map[string]bool{}
	for name, state := range after {
		if was, ok := before[name]; !ok || was != state {
			names[name] = true
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			names[name] = true
		}
	}
	return names
}

func put(t *testing.T, env *Env, path, content string, mode fs.FileMode) {
	t.Helper()
	file := env.Host.Path(path)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
}

func remove(t *testing.T, env *Env, path string) {
	t.Helper()
	if err := os.Remove(env.Host.Path(path)); err != nil {
		t.Fatal(err)
	}
}
