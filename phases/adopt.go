package phases

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/host"
)

// kubeadmDirs are what kubeadm makes, above before below.
var kubeadmDirs = []string{kubernetesDir, staticPodDir, kubernetesDir + "/pki", kubernetesDir + "/pki/etcd"}

// kubeadmTrees are what kubeadm and its kubelet fill.
var kubeadmTrees = []string{
	kubeletDir, podLogDir, "/var/log/containers", kubernetesDir + "/tmp", "/usr/libexec/kubernetes", "/run/kubernetes",
}

// clusterFiles tell that there is a cluster, or was.
func clusterFiles() []string {
	var files []string
	for _, name := range components {
		files = append(files, manifestFile(name))
	}
	for _, name := range []string{"admin", "super-admin", "kubelet", "bootstrap-kubelet", "controller-manager", "scheduler"} {
		files = append(files, kubernetesDir+"/"+name+".conf")
	}
	return files
}

func kubeadmFiles() []string {
	files := clusterFiles()
	for _, name := range []string{
		"ca", "apiserver", "apiserver-kubelet-client", "apiserver-etcd-client", "front-proxy-ca", "front-proxy-client", "sa",
		"etcd/ca", "etcd/server", "etcd/peer", "etcd/healthcheck-client",
	} {
		for _, suffix := range []string{".crt", ".key", ".pub"} {
			files = append(files, kubernetesDir+"/pki/"+name+suffix)
		}
	}
	return files
}

// Adoptable is a file that tells of a cluster which bootstrap did not make; empty
// without.
func Adoptable(env *Env) string {
	files := clusterFiles() // a CA alone may be the user's own
	i := slices.IndexFunc(files, func(file string) bool { return env.exists(file) && !env.made(file) })
	if i < 0 {
		return ""
	}
	return files[i]
}

// Adopt puts what kubeadm made on this machine into the ledger, for reset. The
// container runtime, the kubelet's program and unit and the network plugin were
// installed by others before, and are not in it.
func Adopt(ctx context.Context, env *Env) error {
	env = env.forPhase(adoptName)
	data, err := env.adoptedData()
	if err == nil {
		err = env.adoptNotes(ctx)
	}
	if err != nil {
		return err
	}
	var errs []error
	adopt := func(op host.Op, paths ...string) {
		for _, path := range paths {
			_, err := env.Host.Adopt(op, path)
			errs = append(errs, err)
		}
	}
	adopt(host.OpDir, kubeadmDirs...)
	adopt(host.OpTree, kubeadmTrees...)
	for _, dir := range data {
		adopt(host.OpDir, dir)
		adopt(host.OpTree, dir+"/member") // beside it may lie what is not etcd's
	}
	adopt(host.OpFile, kubeadmFiles()...)
	return errors.Join(append(errs, env.adoptKubelet(ctx))...)
}

const adoptName = "adopt"

// IsAdopted tells a record of what kubeadm made.
func IsAdopted(r host.Record) bool { return r.Purpose == host.Adopted }

func (e *Env) adoptKubelet(ctx context.Context) error {
	state, err := e.Host.UnitState(ctx, kubeletService)
	if err != nil || !state.Running() {
		return err
	}
	return e.Host.AdoptUnit(kubeletService)
}

// adoptNotes keeps what is needed to remove the pods and to leave the cluster, before
// anything that tells it is gone. What a run before has kept stays.
func (e *Env) adoptNotes(ctx context.Context) error {
	if _, ok := e.Host.Recall(e.settledNote()); ok {
		return nil
	}
	k, err := FindKubelet(ctx, e)
	if err != nil && !errors.Is(err, errNoKubelet) {
		e.warn("the name of this node and its container runtime are guessed: %v", err)
	}
	if err := e.adoptRuntime(k.endpoint); err != nil {
		return err
	}
	note, err := json.Marshal([]setting{
		{Field: "nodeRegistration.name", Value: cmp.Or(k.nodeName, strings.ToLower(e.Facts.Hostname))},
		{Field: "certificatesDir", Value: kubernetesDir + "/pki"},
	})
	if err != nil {
		return err
	}
	return e.Host.Remember(e.settledNote(), string(note))
}

// adoptRuntime takes the runtime that the kubelet was told, else the only one there is.
func (e *Env) adoptRuntime(endpoint string) error {
	if endpoint != "" {
		return e.Host.Remember(runtimeNote, endpoint)
	}
	if sockets := e.foundSockets(); len(sockets) > 1 {
		return withHint(fmt.Errorf("which container runtime has the cluster's pods is not known, as the kubelet does not tell: %s", strings.Join(sockets, ", ")),
			"stop those that are not the cluster's, then run this again")
	}
	choice := e.Choices.Runtime
	switch {
	case errors.Is(choice.None, errNoRuntime):
		return nil
	case choice.None != nil:
		return choice.None
	}
	return e.Host.Remember(runtimeNote, choice.Endpoint)
}

// adoptedData is the folder of this machine that its etcd was told to use. It is never
// guessed: what lies in etcd's usual folder may be the data of another one.
func (e *Env) adoptedData() ([]string, error) {
	file := manifestFile("etcd")
	if !e.exists(file) {
		return nil, nil
	}
	data, err := e.Host.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pod, err := decodePod(data)
	if err != nil {
		return nil, withHint(fmt.Errorf("where etcd's data is: %s: %w", file, err), "mend it, or move it away to keep the data: mv %s /root/", file)
	}
	dir := etcdDataOnHost(pod)
	if dir == "" {
		return nil, nil
	}
	return []string{dir}, nil
}

// etcdDataOnHost is empty for an etcd that keeps its data in its container.
func etcdDataOnHost(pod *corev1.Pod) string {
	for _, c := range pod.Spec.Containers {
		dir := ""
		for _, arg := range slices.Concat(c.Command, c.Args) {
			if value, ok := strings.CutPrefix(arg, "--data-dir="); ok {
				dir = value // the last one counts
			}
		}
		for _, m := range c.VolumeMounts {
			if dir != "" && filepath.Clean(m.MountPath) == filepath.Clean(dir) {
				return hostPath(pod, m.Name)
			}
		}
	}
	return ""
}

func hostPath(pod *corev1.Pod, volume string) string {
	for _, v := range pod.Spec.Volumes {
		if v.Name == volume && v.HostPath != nil {
			return v.HostPath.Path
		}
	}
	return ""
}
