package phases

import (
	"context"
	"os"
	"path"
	"slices"
	"strings"

	"bootstrap/phases/host"
	"bootstrap/phases/observe"
	"bootstrap/phases/spec"
)

var leaveStaticPods = Phase{
	Name:  "leave-static-pods",
	Short: "leave static pods' manifests that init did not make, unless --static-pods removes them",
	Run:   runLeaveStaticPods,
}

// runLeaveStaticPods leaves manifests that init did not make, with their folders, to the user.
func runLeaveStaticPods(_ context.Context, env *Env) error {
	files := usersManifests(env.Host)
	if len(files) == 0 {
		return nil
	}
	if env.AllPods {
		return env.Host.Adopt(host.OpFile, files...) // now reset removes them
	}
	env.Tell.Say("these stay, and a kubelet that comes will run them: %s", strings.Join(files, ", "))
	return giveDirs(env.Host)
}

func usersManifests(h *host.Host) []string {
	pods, _ := observe.PodFiles(h, spec.StaticPodDir) // in a folder that can't be read there are none to find
	var files []string
	for _, pod := range pods {
		if !h.Recorded(pod.Path) {
			files = append(files, pod.Path)
		}
	}
	return files
}

// giveDirs takes the manifests' folder, and those above it, out of the ledger: then undo leaves
// them, without an error. It takes out none if one of those above holds other things that bootstrap
// did not make: undo has to name these.
func giveDirs(h *host.Host) error {
	var given []host.Record
	for _, r := range h.Entries() {
		made := r.Op == host.OpDir && r.Before.Kind == host.Absent // else its mode is given back
		if !made || r.Undone || !leadsToManifests(r.Target) {
			continue
		}
		if r.Target != spec.StaticPodDir && holdsOthers(h, r.Target) {
			return nil
		}
		given = append(given, r)
	}
	return forgetRecords(h, given)
}

func leadsToManifests(dir string) bool { return strings.HasPrefix(spec.StaticPodDir+"/", dir+"/") }

func holdsOthers(h *host.Host, dir string) bool {
	entries, err := os.ReadDir(h.Path(dir))
	return err != nil || slices.ContainsFunc(entries, func(entry os.DirEntry) bool {
		name := path.Join(dir, entry.Name())
		return !leadsToManifests(name) && !h.Recorded(name)
	})
}
