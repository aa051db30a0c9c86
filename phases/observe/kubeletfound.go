package observe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"bootstrap/phases/host"
	"bootstrap/phases/machine"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

// KubeletFound is a kubelet of this machine, whoever set it up, as far as static pods are
// concerned. It is found as an operator would find it: nothing is asked, all is read.
type KubeletFound struct {
	StaticPodPath string   `json:"path"`           // empty: it reads none
	From          string   `json:"from,omitempty"` // what says so
	Overridden    []string `json:"overridden,omitempty"`
	What          string   `json:"kubelet"` // for people
	Running       bool     `json:"running"`
	Read          []string `json:"read,omitempty"` // the files that were read for it
	Warnings      []string `json:"warnings,omitempty"`

	NodeName   string `json:"-"`
	kubeconfig string // empty: it is standalone
	Endpoint   string `json:"-"` // of the container runtime; empty if it names none
}

// ErrNoKubelet is of a machine without one.
var ErrNoKubelet = errors.New("there is no kubelet on this machine: none runs, and there is no kubelet.service")

// FindKubelet looks for the kubelet that runs, else for the one that kubelet.service would
// start. Of several, the one that was started first counts.
func (o *Observer) FindKubelet(ctx context.Context) (KubeletFound, error) {
	line, err := kubeletLine(o.Host)
	if err != nil {
		return KubeletFound{}, err
	}
	documents, err := kubeletDocuments(o.Host, line)
	if err != nil {
		return KubeletFound{}, err
	}
	pods, overridden := lastSetting(line, documents, "staticPodPath", "pod-manifest-path")
	endpoint, _ := lastSetting(line, documents, "containerRuntimeEndpoint", "container-runtime-endpoint")
	name := cmp.Or(line.flag("hostname-override").value, o.Facts.Hostname)
	k := KubeletFound{
		Running: line.pid != 0, What: line.what, StaticPodPath: pods.path(), From: pods.where,
		NodeName: strings.ToLower(strings.TrimSpace(name)), kubeconfig: line.flag("kubeconfig").path(), Endpoint: endpoint.value,
	}
	for _, s := range overridden {
		k.Overridden = append(k.Overridden, fmt.Sprintf("%s (%s)", s.where, cmp.Or(s.value, "empty")))
	}
	for _, d := range documents {
		k.Read = append(k.Read, d.file)
	}
	k.Warnings = changedSince(ctx, o.Host, k)
	if all := o.Host.Running("kubelet"); len(all) > 1 {
		k.Warnings = append(k.Warnings, fmt.Sprintf("%d kubelets run: this is about the one with pid %d", len(all), line.pid))
	}
	return k, nil
}

// kubeletLine is the command line of the kubelet that runs, else that of its unit. Of a kubelet
// that runs, the unit only says where its words come from.
func kubeletLine(h *host.Host) (commandLine, error) {
	unit, err := h.UnitCommand(spec.KubeletService)
	if all := h.Running("kubelet"); len(all) > 0 {
		from := map[string]string{}
		for _, word := range unit {
			from[word.Text] = word.From
		}
		line := commandLine{dir: all[0].Dir, pid: all[0].PID, what: fmt.Sprintf("the kubelet that runs (pid %d)", all[0].PID)}
		for _, arg := range all[0].Args {
			line.words = append(line.words, machine.Word{Text: arg, From: from[arg]})
		}
		return line, nil
	}
	if err == nil && len(unit) == 0 {
		err = plan.Hint(ErrNoKubelet, "make this machine one: bootstrap init, or bootstrap init --standalone")
	}
	return commandLine{words: unit, dir: "/", what: spec.KubeletService + ", which does not run"}, err
}

// kubeletDocuments are the files of --config and --config-dir, in the kubelet's order.
func kubeletDocuments(h *host.Host, line commandLine) ([]kubeletDocument, error) {
	var all []kubeletDocument
	if config := line.flag("config"); config.value != "" {
		d, err := readKubeletDocument(h, config.path(), filepath.Dir(config.path()))
		if err != nil {
			return nil, fmt.Errorf("%s is %s: %w", config.where, config.path(), err)
		}
		all = append(all, d)
	}
	dir := line.flag("config-dir")
	if dir.value == "" {
		return all, nil
	}
	files, err := dropIns(h, dir.path())
	if err != nil {
		return nil, fmt.Errorf("%s is %s: %w", dir.where, dir.path(), err)
	}
	for _, file := range files {
		d, err := readKubeletDocument(h, file, line.dir)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// dropIns are the .conf files of a folder and those below it, in the order of their paths.
func dropIns(h *host.Host, dir string) ([]string, error) {
	var files []string
	root := h.Path(dir)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && filepath.Ext(path) == ".conf" {
			files = append(files, dir+strings.TrimPrefix(path, root))
		}
		return err
	})
	return files, err
}

// changedSince warns of files that the kubelet has read before they were changed.
func changedSince(ctx context.Context, h *host.Host, k KubeletFound) []string {
	state, err := h.UnitState(ctx, spec.KubeletService)
	if err != nil || !k.Running || state.Started.IsZero() || state.Active != "active" {
		return nil
	}
	var warnings []string
	for _, file := range k.Read {
		info, err := os.Stat(h.Path(file))
		if err == nil && info.ModTime().After(state.Started) {
			warnings = append(warnings, fmt.Sprintf("%s was changed after the kubelet was started, which reads it only then: systemctl restart kubelet", file))
		}
	}
	return warnings
}

// StaticPodDir is the directory in which this kubelet looks for static pods, or why there
// is none to put a file in.
func (k KubeletFound) StaticPodDir(h *host.Host) (string, error) {
	if err := k.CheckPath(); err != nil {
		return "", err
	}
	info, err := os.Stat(h.Path(k.StaticPodPath))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", plan.Hint(fmt.Errorf("%s, which the kubelet reads static pods from, is not there (%s)", k.StaticPodPath, k.From),
			"make it, the kubelet looks for it each second: mkdir -m 700 -p %s", k.StaticPodPath)
	case err != nil:
		return "", err
	case !info.IsDir():
		return "", plan.Hint(fmt.Errorf("%s, which the kubelet reads static pods from, is a single file (%s)", k.StaticPodPath, k.From),
			"have the kubelet read a directory, and move the file into that")
	}
	return k.StaticPodPath, nil
}

// CheckPath says, of a kubelet that has no directory of static pods, where was looked and
// what to do.
func (k KubeletFound) CheckPath() error {
	if k.StaticPodPath != "" {
		return nil
	}
	looked := "--pod-manifest-path of " + k.What
	for _, file := range k.Read {
		looked += ", staticPodPath in " + file
	}
	err := fmt.Errorf("this kubelet reads no static pods from files: none is set of %s", looked)
	if k.From != "" {
		err = fmt.Errorf("this kubelet reads no static pods from files: %s is empty", k.From)
	}
	if len(k.Read) == 0 {
		return plan.Hint(err, "start it with --pod-manifest-path=%s, or give it a --config with staticPodPath", spec.StaticPodDir)
	}
	return plan.Hint(err, "add to %s the line staticPodPath: %s, then: systemctl restart kubelet", k.Read[len(k.Read)-1], spec.StaticPodDir)
}
