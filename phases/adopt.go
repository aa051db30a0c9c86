package phases

import (
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
	env = env.forPhase("adopt")
	data, err := env.adoptedData()
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
	errs = append(errs, env.adoptKubelet(ctx), env.adoptRuntime(), env.adoptNode())
	return errors.Join(errs...)
}

func (e *Env) adoptKubelet(ctx context.Context) error {
	state, err := e.Host.UnitState(ctx, kubeletService)
	if err != nil || !state.Running() {
		return err
	}
	return e.Host.AdoptUnit(kubeletService)
}

// adoptNode keeps what is needed to leave the cluster.
func (e *Env) adoptNode() error {
	note, err := json.Marshal([]setting{
		{Field: "nodeRegistration.name", Value: strings.ToLower(e.Facts.Hostname)},
		{Field: "certificatesDir", Value: kubernetesDir + "/pki"},
	})
	if err != nil {
		return err
	}
	return e.Host.Remember(e.settledNote(), string(note))
}

func (e *Env) adoptRuntime() error {
	choice, err := e.chooseRuntime()
	if errors.Is(err, errNoRuntime) {
		return nil
	}
	if err != nil {
		return err
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
