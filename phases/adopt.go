package phases

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/host"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
	"bootstrap/phases/state"
)

// kubeadmDirs are the folders that kubeadm makes. A folder comes before those inside it.
var kubeadmDirs = []string{spec.KubernetesDir, spec.StaticPodDir, spec.KubernetesDir + "/pki", spec.KubernetesDir + "/pki/etcd"}

// kubeadmTrees are folders that go with all that is in them: kubeadm and its kubelet fill them.
var kubeadmTrees = append(slices.Clone(spec.KubeletTrees), spec.KubernetesDir+"/tmp")

// clusterFiles are found only on a machine that has a cluster, or had one.
func clusterFiles() []string {
	var files []string
	for _, name := range spec.Components {
		files = append(files, spec.ManifestFile(name))
	}
	return append(files, spec.AdminConf, spec.SuperAdminConf, spec.KubeletConf, spec.KubernetesDir+"/bootstrap-kubelet.conf",
		spec.ControllerConf, spec.SchedulerConf)
}

// kubeadmFiles has one of ours in it: of a cluster whose ledger was removed.
func kubeadmFiles() []string {
	files := clusterFiles()
	for _, name := range append(spec.KubeadmPairs(), spec.SigningCert) {
		for _, suffix := range []string{".crt", ".key", ".pub"} {
			files = append(files, spec.KubernetesDir+"/pki/"+name+suffix)
		}
	}
	return files
}

// Adoptable is a file that tells of a cluster which bootstrap did not make. It is empty if
// there is no such file.
func Adoptable(env *Env) string {
	for _, file := range clusterFiles() { // a CA alone may be the user's own
		if env.Host.Exists(file) && !env.Host.Made(file) {
			return file
		}
	}
	return ""
}

// Adopt puts what kubeadm made on this machine into the ledger, for reset. The
// container runtime, the kubelet's program and unit and the network plugin were
// installed by others before, and are not in it.
func Adopt(ctx context.Context, env *Env) error {
	env = env.forPhase("adopt")
	data, err := adoptedData(env.Host)
	if err == nil {
		err = adoptNotes(ctx, env)
	}
	if err != nil {
		return err
	}
	errs := []error{
		env.Host.Adopt(host.OpDir, kubeadmDirs...),
		env.Host.Adopt(host.OpTree, kubeadmTrees...),
		env.Host.Adopt(host.OpFile, kubeadmFiles()...),
	}
	if data != "" { // in this folder may also lie what is not etcd's
		errs = append(errs, env.Host.Adopt(host.OpDir, data), env.Host.Adopt(host.OpTree, data+"/member"))
	}
	return errors.Join(append(errs, adoptKubelet(ctx, env.Host))...)
}

func adoptKubelet(ctx context.Context, h *host.Host) error {
	state, err := h.UnitState(ctx, spec.KubeletService)
	if err != nil || !state.Running() {
		return err
	}
	return h.AdoptUnit(spec.KubeletService)
}

// adoptNotes keeps in the ledger what reset needs to remove the pods and to leave the cluster,
// as reset removes the files that tell it. What a run before has kept stays.
func adoptNotes(ctx context.Context, env *Env) error {
	if _, ok := env.Host.Recall(env.State().SettledNote()); ok {
		return nil
	}
	k, err := env.FindKubelet(ctx)
	if err != nil && !errors.Is(err, observe.ErrNoKubelet) {
		env.Tell.Warn("the name of this node and its container runtime are guessed: %v", err)
	}
	if err := adoptRuntime(env, k.Endpoint); err != nil {
		return err
	}
	return env.State().Keep(
		state.Setting{Field: "nodeRegistration.name", Value: cmp.Or(k.NodeName, strings.ToLower(env.Facts.Hostname))},
		state.Setting{Field: "certificatesDir", Value: spec.KubernetesDir + "/pki"},
	)
}

// adoptRuntime takes the runtime that the kubelet was told to use, else the only one there is.
func adoptRuntime(env *Env, endpoint string) error {
	if endpoint != "" {
		return env.Host.Remember(state.RuntimeNote, endpoint)
	}
	if sockets := observe.FoundSockets(env.Host); len(sockets) > 1 {
		return plan.Hint(fmt.Errorf("which container runtime has the cluster's pods is not known, as the kubelet does not tell: %s", strings.Join(sockets, ", ")),
			"stop those that are not the cluster's, then run this again")
	}
	choice := env.Choices.Runtime
	if choice.None != nil {
		return nil // without a runtime there are no pods
	}
	return env.Host.Remember(state.RuntimeNote, choice.Endpoint)
}

// adoptedData is the folder of this machine that its etcd was told to use, empty without. It
// is never guessed: what lies in etcd's usual folder may be the data of another one.
func adoptedData(h *host.Host) (string, error) {
	file := spec.ManifestFile("etcd")
	if !h.Exists(file) {
		return "", nil
	}
	data, err := h.ReadFile(file)
	if err != nil {
		return "", err
	}
	pod, err := spec.DecodePod(data)
	if err != nil {
		return "", plan.Hint(fmt.Errorf("where etcd's data is: %s: %w", file, err), "mend it, or move it away to keep the data: mv %s /root/", file)
	}
	return etcdDataOnHost(pod), nil
}

// etcdDataOnHost is the folder of the host that is mounted where etcd keeps its data. It is
// empty for an etcd that keeps the data in its container.
func etcdDataOnHost(pod *corev1.Pod) string {
	volume := ""
	for _, c := range pod.Spec.Containers {
		dir := ""
		for _, arg := range slices.Concat(c.Command, c.Args) {
			if value, ok := strings.CutPrefix(arg, "--data-dir="); ok {
				dir = filepath.Clean(value) // the last one counts
			}
		}
		isData := func(m corev1.VolumeMount) bool { return filepath.Clean(m.MountPath) == dir }
		if i := slices.IndexFunc(c.VolumeMounts, isData); i >= 0 {
			volume = c.VolumeMounts[i].Name
		}
	}
	isOfHost := func(v corev1.Volume) bool { return v.Name == volume && v.HostPath != nil }
	if i := slices.IndexFunc(pod.Spec.Volumes, isOfHost); i >= 0 {
		return pod.Spec.Volumes[i].HostPath.Path
	}
	return ""
}
