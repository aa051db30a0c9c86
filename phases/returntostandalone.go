package phases

import (
	"context"
	"errors"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/host"
	"bootstrap/phases/runtime"
)

// What reset does otherwise where a control plane was made upon a standalone kubelet.

var returnToStandalone = Phase{
	Name:  "return-to-standalone",
	Short: "where the kubelet was standalone before: wait until it is so again",
	Run:   runReturnToStandalone,
}

// standalonePatience is how long the kubelet may take. Its pods run all the time, or are
// the user's to see to.
const standalonePatience = time.Minute

// runReturnToStandalone leaves the layer for another reset to take off, while anything of
// it is left.
func runReturnToStandalone(ctx context.Context, env *Env) error {
	if !env.Host.HasLayer() || env.layerLeft() {
		return nil
	}
	c, err := env.standaloneConfig()
	if err != nil {
		return err
	}
	if c == nil {
		return errors.New("the ledger does not tell what the standalone kubelet was made with")
	}
	alone := *env
	alone.Config = c
	if err := alone.waitForKubelet(ctx, standalonePatience, nil); err != nil {
		return err
	}
	env.note("the kubelet is standalone, as it was before the control plane; to remove it too: bootstrap reset")
	return errors.Join(env.Host.EndLayer(), env.Host.End())
}

func (e *Env) layerLeft() bool {
	return slices.ContainsFunc(e.Host.Entries(), func(r host.Record) bool {
		return !r.Undone && !e.Host.BelowLayer(r) && !e.Keep.keeps(r) && r.Op != host.OpImage
	})
}

// isStandalone tells the pods of a standalone kubelet from the control plane's.
func (e *Env) isStandalone(pod, source string) bool {
	c, err := e.standaloneConfig()
	if err != nil || c == nil || !e.Host.HasLayer() || source != "file" && source != "http" {
		return false
	}
	name, system := strings.CutPrefix(pod, "kube-system/")
	component, here := strings.CutSuffix(name, "-"+c.NodeName)
	return !system || !here || !slices.Contains(components, component)
}

// standalonePods are those that stay, as the runtime has them.
func (e *Env) standalonePods(ctx context.Context) ([]runtime.Sandbox, error) {
	all, err := Pods(ctx, e, PodQuery{All: true})
	return slices.DeleteFunc(all, func(s runtime.Sandbox) bool { return !e.isStandalone(s.Namespace+"/"+s.Name, s.Source) }), err
}

// unused leaves out images that pods which stay were made from: their containers may have
// to start again.
func (e *Env) unused(ctx context.Context, images []host.Record) ([]host.Record, error) {
	if !e.Host.HasLayer() {
		return images, nil
	}
	pods, err := e.standalonePods(ctx)
	used := map[string]bool{}
	for _, pod := range pods {
		for _, c := range pod.Containers {
			used[c.Image] = true
		}
	}
	return slices.DeleteFunc(images, func(r host.Record) bool { return used[r.Target] }), err
}

// removeClusterLeftovers leaves what pods of the standalone kubelet use. The kubelet itself
// removes the folders and cgroups of pods that it no longer knows.
func (e *Env) removeClusterLeftovers(ctx context.Context) error {
	mounts, err := e.mountsOfOthers(ctx)
	errs := []error{err, e.Host.UnmountLeft(ctx, mounts)}
	for _, link := range networkLinks {
		if link == bridgeName {
			continue
		}
		_, err := e.Host.RemoveLink(link)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// mountsOfOthers are those of pods which are not the standalone kubelet's.
func (e *Env) mountsOfOthers(ctx context.Context) ([]string, error) {
	dirs, err := os.ReadDir(e.Host.Path(kubeletDir + "/pods"))
	if err != nil || len(dirs) == 0 {
		return nil, ignoring(err, os.ErrNotExist)
	}
	stay, err := e.standalonePods(ctx)
	if err != nil {
		return nil, err
	}
	var patterns []string
	for _, dir := range dirs {
		if slices.ContainsFunc(stay, func(s runtime.Sandbox) bool { return s.UID == dir.Name() }) {
			continue
		}
		for _, pattern := range kubeletMounts {
			patterns = append(patterns, strings.Replace(pattern, "/pods/*/", "/pods/"+dir.Name()+"/", 1))
		}
	}
	return patterns, nil
}

var leaveStaticPods = Phase{
	Name:  "leave-static-pods",
	Short: "leave static pods' manifests that init did not make, unless --static-pods removes them",
	Run:   runLeaveStaticPods,
}

// runLeaveStaticPods gives the folders of manifests that stay to whose they are.
func runLeaveStaticPods(_ context.Context, env *Env) error {
	files := env.usersManifests()
	if len(files) == 0 || env.Host.HasLayer() {
		return nil
	}
	if env.AllPods {
		return env.takeFiles(files)
	}
	env.note("these stay, and a kubelet that comes will run them: %s", strings.Join(files, ", "))
	return env.giveDirs(staticPodDir)
}

func (e *Env) usersManifests() []string {
	entries, err := os.ReadDir(e.Host.Path(staticPodDir))
	if err != nil {
		return nil
	}
	var files []string
	for _, entry := range entries {
		file := staticPodDir + "/" + entry.Name()
		if !entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") && !e.recorded(file) {
			files = append(files, file)
		}
	}
	return files
}

// takeFiles makes files of the user's ours to remove.
func (e *Env) takeFiles(files []string) error {
	var errs []error
	for _, file := range files {
		_, err := e.Host.Adopt(host.OpFile, file)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
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
		return name != below && !e.recorded(name)
	})
}

func (e *Env) recorded(path string) bool {
	return slices.ContainsFunc(e.Host.Entries(), func(r host.Record) bool { return r.Target == path && !r.Undone })
}
