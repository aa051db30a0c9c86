package staticpods

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
	"bootstrap/phases/podmanifest"
	"bootstrap/phases/spec"
)

// target is a static pod of the user's, and the file that it is to have.
type target struct {
	kubelet observe.KubeletFound
	file    string
	pod     *corev1.Pod
	old     *corev1.Pod // as the file had it before; nil if there was none
	seen    seenPods    // before anything was changed; empty where nothing is to be

	changed time.Time        // when old was; zero without
	denied  *diagnose.Denial // why the kubelet has not admitted the pod as the file has it; nil if it has
}

func (t target) name() string { return observe.FullName(t.pod) }

// key is namespace/name of the pod as it runs.
func (t target) key() string { return observe.NamespaceOf(t.pod) + "/" + t.kubelet.PodName(t.pod.Name) }

func (t target) handled() Handled {
	return Handled{Namespace: observe.NamespaceOf(t.pod), Name: t.pod.Name, RunsAs: t.kubelet.PodName(t.pod.Name), File: t.file}
}

// target finds the file for a pod, or whose file, name or port is in its way.
func (c *Commander) target(seen seenPods, pod *corev1.Pod, source PodSource) (target, error) {
	dir, err := seen.kubelet.StaticPodDir(c.Host)
	if err != nil {
		return target{}, err
	}
	if c.Host.Real() && !seen.kubelet.Running {
		return target{}, plan.Hint(errors.New("the kubelet does not run: nobody would start the pod"), "systemctl start kubelet")
	}
	t := target{kubelet: seen.kubelet, seen: seen, pod: pod, file: dir + "/" + pod.Name + ".yaml"}
	if source.File != "" {
		t.file = dir + "/" + path.Base(source.File)
	}
	if strings.HasPrefix(path.Base(t.file), ".") {
		return target{}, plan.Hint(fmt.Errorf("%s begins with a dot: the kubelet passes over such files", path.Base(t.file)),
			"give the file another name")
	}
	if err := t.chooseFile(source); err != nil {
		return target{}, err
	}
	return t, errors.Join(t.nameTaken(), c.portsTaken(t))
}

// chooseFile takes the file that holds the pod already. If that is called otherwise than
// the source, it is taken only for standard input: two files of one pod may be a mistake.
func (t *target) chooseFile(source PodSource) error {
	var same []observe.PodFile
	for _, f := range t.seen.files {
		if f.Pod != nil && observe.FullName(f.Pod) == t.name() {
			same = append(same, f)
		}
	}
	switch {
	case len(same) > 1:
		return plan.Hint(fmt.Errorf("%s and %s hold the pod %s both: the kubelet runs one of them", same[0].Path, same[1].Path, t.name()), "remove one of them: rm %s", same[1].Path)
	case len(same) == 1 && same[0].Ours:
		return plan.Hint(fmt.Errorf("the pod %s is of the control plane that bootstrap made, by %s", t.name(), same[0].Path), "give the pod another metadata.name, or change the control plane by the config file: bootstrap init --config FILE")
	case len(same) == 1 && same[0].Path != t.file && source.File != "":
		return plan.Hint(fmt.Errorf("the name %s is taken: %s holds a pod of that name", t.name(), same[0].Path),
			"to change that pod, call your file %s, or give it as standard input (-f -); to run both, give yours another metadata.name", path.Base(same[0].Path))
	case len(same) == 1:
		t.file, t.old, t.changed = same[0].Path, same[0].Pod, same[0].Changed
		return nil
	}
	i := slices.IndexFunc(t.seen.files, func(f observe.PodFile) bool { return f.Path == t.file })
	if i >= 0 && t.seen.files[i].Ours {
		return plan.Hint(fmt.Errorf("%s is of the control plane that bootstrap made", t.file), "call your file otherwise")
	}
	if i >= 0 && t.seen.files[i].Pod != nil {
		return plan.Hint(fmt.Errorf("%s holds another pod, %s", t.file, t.seen.files[i].Pod.Name), "call your file otherwise; or remove that pod first: bootstrap static-pod delete %s", t.seen.files[i].Pod.Name)
	}
	return nil
}

// sameUID tells whether the file gives the pod the UID that it had before.
func (t target) sameUID() bool { return t.old != nil && t.pod.UID != "" && t.old.UID == t.pod.UID }

// passedOver tells whether the kubelet has read the file as it is, and makes nothing of it.
func (t target) passedOver(now time.Time) bool {
	nothing := observe.NewestSandbox(t.seen.sandboxes, t.key()) == nil && now.Sub(t.changed) > time.Minute
	knows := t.seen.kubelet.Running && t.seen.runtimeError == nil && !t.changed.IsZero()
	return knows && (nothing || t.seen.denial(t.key(), t.changed) != nil)
}

// nodeMatches refuses a pod that the kubelet will not admit for the labels of its Node. Where no
// API server tells them, the kubelet has to.
func (c *Commander) nodeMatches(ctx context.Context, t target) error {
	api, err := t.kubelet.Connect(c.Host)
	if err != nil || api == nil || t.pod == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, observe.EvidenceTimeout.Now())
	defer cancel()
	node, err := api.Node(ctx, t.kubelet.NodeName)
	if err != nil {
		return nil
	}
	return checkLabels(t.pod, node)
}

// checkLabels goes by what the kubelet's admission asks of the Node.
func checkLabels(pod *corev1.Pod, node *corev1.Node) error {
	matches, err := nodeaffinity.GetRequiredNodeAffinity(pod).Match(node) // of the nodeSelector too
	if err != nil || matches {
		return err
	}
	field, lacks, label := "affinity.nodeAffinity", "no label that matches one of its terms", "KEY=VALUE"
	for _, key := range slices.Sorted(maps.Keys(pod.Spec.NodeSelector)) {
		if want := pod.Spec.NodeSelector[key]; node.Labels[key] != want {
			field, label = "nodeSelector", key+"="+want
			lacks = "no label " + label
		}
	}
	err = fmt.Errorf("spec.%s: the Node %s has %s: the kubelet will not admit the pod", field, node.Name, lacks)
	return plan.Hint(err, "take it out of the manifest, or: kubectl label --overwrite node %s %s", node.Name, label)
}

// nameTaken refuses a name that a pod has which comes from no file.
func (t target) nameTaken() error {
	inAPI, sandbox := podNamed(t.seen.nodePods, t.key()), observe.NewestSandbox(t.seen.sandboxes, t.key())
	switch {
	case isControlPlane(observe.NamespaceOf(t.pod), t.pod.Name):
		return fmt.Errorf("the name %s is the control plane's: give the pod another metadata.name", t.name())
	case sandbox != nil && sandbox.Source == "http" && sandbox.Ready:
		return fmt.Errorf("the name %s is taken by a static pod that the kubelet has from a URL (staticPodURL): give yours another metadata.name", t.name())
	case inAPI != nil && !observe.IsMirror(inAPI):
		return fmt.Errorf("the cluster has a pod %s already, which is no static pod: its mirror pod would have that name: give yours another metadata.name", t.key())
	}
	return nil
}

func isControlPlane(namespace, name string) bool {
	return namespace == "kube-system" && slices.Contains(spec.Components, name)
}

// portsTaken finds who has a port of the machine that the pod wants. What the pod listens
// at now, by the file that is there, is no obstacle.
func (c *Commander) portsTaken(t target) error {
	listens := c.Host.ListensBeyond
	if t.pod.Spec.HostNetwork {
		listens = func(port uint16) bool { return slices.Contains(c.Host.Listening(), port) }
	}
	var errs []error
	for _, want := range podmanifest.HostPorts(t.pod) {
		by := t.portHolder(want)
		if by == "" && !t.mayListen(want.Port) && want.Protocol == corev1.ProtocolTCP && listens(uint16(want.Port)) {
			by = strings.TrimSpace("a program that listens there " + c.Host.Listener(uint16(want.Port)))
		}
		if by != "" {
			errs = append(errs, plan.Hint(fmt.Errorf("%s: port %s of this machine is taken by %s", want.Field, want, by), "give the pod another port, or stop what has it"))
		}
	}
	return errors.Join(errs...)
}

// mayListen tells whether the pod that the file had before may be who listens at a port:
// one with hostNetwork may at any.
func (t target) mayListen(port int) bool {
	return t.old != nil && (t.old.Spec.HostNetwork ||
		slices.ContainsFunc(podmanifest.HostPorts(t.old), func(p podmanifest.HostPort) bool { return p.Port == port }))
}

// portHolder is another pod of this node that has a port, empty if none has.
func (t target) portHolder(want podmanifest.HostPort) string {
	has := func(pod *corev1.Pod) bool {
		return slices.ContainsFunc(podmanifest.HostPorts(pod), want.Meets)
	}
	for _, f := range t.seen.files {
		if f.Path != t.file && f.Pod != nil && has(f.Pod) {
			return fmt.Sprintf("the static pod %s (%s)", f.Pod.Name, f.Path)
		}
	}
	for i := range t.seen.nodePods {
		p := &t.seen.nodePods[i]
		over := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
		if observe.FullName(p) != t.key() && !observe.IsMirror(p) && !over && has(p) {
			return fmt.Sprintf("the pod %s/%s", p.Namespace, p.Name)
		}
	}
	return ""
}

// editedMirror is the pod's mirror pod if somebody has changed it through the API, else nil.
func (t target) editedMirror() *corev1.Pod {
	sandbox, mirror := observe.NewestSandbox(t.seen.sandboxes, t.key()), t.seen.mirror(t.key())
	if sandbox == nil || mirror == nil || mirror.Annotations[observe.HashAnnotation] == sandbox.UID && differs(t.pod, mirror) == "" {
		return nil
	}
	return mirror
}
