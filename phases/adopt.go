package phases

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"bootstrap/phases/host"
)

// kubeadmDirs are what kubeadm makes, above before below.
var kubeadmDirs = []string{kubernetesDir, staticPodDir, kubernetesDir + "/pki", kubernetesDir + "/pki/etcd"}

// kubeadmTrees are what kubeadm and its kubelet fill.
var kubeadmTrees = []string{
	kubeletDir, podLogDir, "/var/log/containers", kubernetesDir + "/tmp", "/usr/libexec/kubernetes", "/run/kubernetes",
}

func kubeadmFiles() []string {
	var files []string
	for _, name := range components {
		files = append(files, manifestFile(name))
	}
	for _, name := range []string{"admin", "super-admin", "kubelet", "bootstrap-kubelet", "controller-manager", "scheduler"} {
		files = append(files, kubernetesDir+"/"+name+".conf")
	}
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
	i := slices.IndexFunc(kubeadmFiles(), func(file string) bool { return env.exists(file) && !env.made(file) })
	if i < 0 {
		return ""
	}
	return kubeadmFiles()[i]
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
	adopt(host.OpTree, append(kubeadmTrees, data...)...)
	adopt(host.OpFile, kubeadmFiles()...)
	errs = append(errs, env.adoptKubelet(ctx), env.adoptRuntime(), env.adoptNode())
	return errors.Join(errs...)
}

func (e *Env) adoptKubelet(ctx context.Context) error {
	state, err := e.Host.UnitState(ctx, "kubelet.service")
	if err != nil || !state.Running() {
		return err
	}
	return e.Host.AdoptUnit("kubelet.service")
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
	return e.Host.Remember(settledNote, string(note))
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

// adoptedData is the folder that the etcd of this machine was told to use. It is
// never guessed: what lies in etcd's usual folder may be the data of another one.
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
	if err != nil || len(pod.Spec.Containers) == 0 {
		return nil, errors.Join(err, errors.New(file+" has no container"))
	}
	for _, arg := range pod.Spec.Containers[0].Command {
		if dir, ok := strings.CutPrefix(arg, "--data-dir="); ok {
			return []string{dir}, nil
		}
	}
	return nil, nil
}
