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

	"bootstrap/phases/config/configtest"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
	"bootstrap/phases/plan/plantest"
	"bootstrap/phases/spec"
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
	env := Open(Env{Observer: observe.Observer{Spec: spec.Spec{Config: configtest.Valid(t, name)}, Host: h, Catalogue: catalogue(t)}})
	return env.forPhase("test")
}

// reopen is env, opened again: what is decided once may have changed.
func reopen(env *Env) *Env {
	opened := Open(*env)
	opened.Choices.Kubelet = env.Choices.Kubelet
	return opened
}

// runPhase runs a phase that must succeed, and gives what it noted and warned of.
func runPhase(t *testing.T, env *Env, run func(context.Context, *Env) error) []string {
	t.Helper()
	seen := &plan.Events{}
	env.Tell.To = seen.Take
	if err := run(t.Context(), env); err != nil {
		t.Fatal(err)
	}
	return append(seen.Texts(plan.Said), seen.Texts(plan.Warning)...)
}

// failPhase runs a phase whose error must contain each of the texts, its hint as well.
func failPhase(t *testing.T, env *Env, run func(context.Context, *Env) error, want ...string) {
	t.Helper()
	plantest.CheckError(t, run(t.Context(), env), want...)
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
