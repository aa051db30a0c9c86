package phases

import (
	"context"
	"errors"
	"os"
	"path"
	"slices"
	"strings"

	"bootstrap/phases/host"
	"bootstrap/phases/spec"
)

var leaveStaticPods = Phase{
	Name:  "leave-static-pods",
	Short: "leave static pods' manifests that init did not make, unless --static-pods removes them",
	Run:   runLeaveStaticPods,
}

// runLeaveStaticPods gives the folders of manifests that stay to whose they are.
func runLeaveStaticPods(_ context.Context, env *Env) error {
	files := env.usersManifests()
	if len(files) == 0 {
		return nil
	}
	if env.AllPods {
		return env.Host.Adopt(host.OpFile, files...)
	}
	env.Tell.Note("these stay, and a kubelet that comes will run them: %s", strings.Join(files, ", "))
	return env.giveDirs(spec.StaticPodDir)
}

func (e *Env) usersManifests() []string {
	entries, err := os.ReadDir(e.Host.Path(spec.StaticPodDir))
	if err != nil {
		return nil
	}
	var files []string
	for _, entry := range entries {
		file := spec.StaticPodDir + "/" + entry.Name()
		if !entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") && !e.Host.Recorded(file) {
			files = append(files, file)
		}
	}
	return files
}

// giveDirs forgets that a folder, and those above it, were made here: all of them, or none
// where one holds something else of others, which has to be named.
func (e *Env) giveDirs(dir string) error {
	var given []host.Record
	for below := ""; dir != "/"; dir, below = path.Dir(dir), dir {
		for _, r := range e.Host.Entries() {
			made := r.Op == host.OpDir && r.Before.Kind == host.Absent // else its mode is given back
			if !made || r.Target != dir || r.Undone {
				continue
			}
			if e.holdsOthers(dir, below) {
				return nil
			}
			given = append(given, r)
		}
	}
	var errs []error
	for _, r := range given {
		errs = append(errs, e.Host.Retract(r, nil))
	}
	return errors.Join(errs...)
}

// holdsOthers tells whether a folder has more in it than the one below, which is given
// away, and what is ours. In the lowest all is theirs.
func (e *Env) holdsOthers(dir, below string) bool {
	entries, err := os.ReadDir(e.Host.Path(dir))
	return err != nil || below != "" && slices.ContainsFunc(entries, func(entry os.DirEntry) bool {
		name := path.Join(dir, entry.Name())
		return name != below && !e.Host.Recorded(name)
	})
}
