package staticpods

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/health"
	"bootstrap/phases/host"
	"bootstrap/phases/locate"
	"bootstrap/phases/plan"
	"bootstrap/phases/podmanifest"
)

// PodSource is a manifest as it was given.
type PodSource struct {
	File string // its path; empty if it was read from standard input
	Data []byte
}

// Handled is the static pod that a command was about.
type Handled struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	RunsAs    string `json:"pod"`  // as the kubelet runs it: NAME-NODE
	File      string `json:"file"` // empty: it comes from a URL, or its file is gone
	Changed   bool   `json:"changed"`
}

// Apply puts a manifest where the kubelet looks for static pods, and waits until
// the pod runs. The same again changes nothing. A manifest that could not work is a
// *plan.RefusedError, and nothing is written.
func (c *Commander) Apply(ctx context.Context, source PodSource, timeout time.Duration) (Handled, error) {
	t, err := c.judge(ctx, source)
	if err != nil {
		return Handled{}, plan.Refused(err)
	}
	done := t.handled()
	if done.Changed, err = c.Host.WriteUnrecorded(t.file, source.Data, 0o600); err != nil {
		return done, err
	}
	if done.Changed && t.sameUID() {
		c.Tell.Warn("metadata.uid is that of before: the kubelet takes it for the same pod, and its mirror pod stays as it was")
	}
	for _, warning := range t.kubelet.Warnings {
		c.Tell.Warn("%s", warning)
	}
	switch {
	case done.Changed:
	case t.passedOver(time.Now()):
		done.Changed, err = true, c.offerAgain(ctx, t, source.Data)
	default:
		err = c.undoEdit(ctx, t)
	}
	if err != nil {
		return done, err
	}
	return done, c.waitForPod(ctx, t, done.Changed, timeout)
}

// offerAgain takes a file out of the kubelet's folder and puts it back. A pod that was not admitted
// is not looked at again otherwise, also when there is room: https://issues.k8s.io/138391
func (c *Commander) offerAgain(ctx context.Context, t target, data []byte) error {
	const forgets = 5 * time.Second // the kubelet looks each 2 s for pods that are gone
	c.Tell.Say("the kubelet has passed over %s: it is put back after %s, to be looked at again", t.file, forgets)
	if _, err := c.Host.RemoveUnrecorded(t.file); err != nil {
		return err
	}
	health.Sleep(ctx, forgets) // put back also where this is interrupted
	_, err := c.Host.WriteUnrecorded(t.file, data, 0o600)
	return err
}

// judge finds the file that a manifest goes to, or why it can't be a static pod here.
func (c *Commander) judge(ctx context.Context, source PodSource) (target, error) {
	pod, odd, err := podmanifest.Parse(cmp.Or(source.File, "standard input"), source.Data)
	if err != nil {
		return target{}, err
	}
	seen, err := c.seePods(ctx)
	if err != nil {
		return target{}, err
	}
	for _, each := range odd {
		c.Tell.Warn("%v", each)
	}
	t, err := c.target(seen, pod, source)
	return t, errors.Join(err, c.nodeMatches(ctx, t))
}

// undoEdit deletes, in the kubelet's name, a mirror pod that somebody has changed through the API.
// The kubelet makes it anew then; that it was changed, the kubelet does not notice by itself.
func (c *Commander) undoEdit(ctx context.Context, t target) error {
	edited := t.editedMirror()
	if edited == nil {
		return nil
	}
	api, err := t.kubelet.Connect(c.Host)
	if err != nil || api == nil {
		return err
	}
	c.Tell.Say("the mirror pod is not as the file has it: it is deleted, and the kubelet makes it anew")
	return c.Host.Do(host.OpObject, host.Remove, "Pod "+t.key(), func() error { return api.DeletePod(ctx, edited) })
}

// Delete removes the file of a static pod, and waits until its containers are
// gone. name is the pod's, or NAME-NODE.
func (c *Commander) Delete(ctx context.Context, namespace, name string, timeout time.Duration) (Handled, error) {
	p, list, err := c.Find(ctx, namespace, name)
	if err == nil {
		err = errors.Join(p.checkDeletable(), list.checkSingle(p))
	}
	if err != nil {
		return Handled{}, plan.Refused(err)
	}
	t := target{kubelet: list.Kubelet, pod: p.named()}
	done := t.handled()
	done.File = p.File
	if p.File != "" {
		if done.Changed, err = c.Host.RemoveUnrecorded(p.File); err != nil {
			return done, err
		}
	}
	w := &podWait{Commander: c, target: t, began: time.Now(), leaves: true}
	return done, w.wait(ctx, timeout, w.gone)
}

// checkDeletable refuses what delete can't remove. A pod whose file is gone, and of which
// something is left, is not refused.
func (p *Pod) checkDeletable() error {
	switch {
	case p.Ours || isControlPlane(p.Namespace, p.Name):
		return plan.Hint(fmt.Errorf("%s/%s is of the control plane: the cluster would end with it", p.Namespace, p.Name), "to remove the control plane: bootstrap reset")
	case p.Source == "http":
		return fmt.Errorf("%s/%s comes from a URL (staticPodURL), not from a file: it goes when the server serves it no more", p.Namespace, p.Name)
	}
	return nil
}

// checkSingle refuses a pod that two files hold: with one of them gone, the kubelet would
// run the pod of the other.
func (l List) checkSingle(p Pod) error {
	for _, other := range l.Pods {
		if other.manifest != nil && other.key() == p.key() && other.File != p.File {
			return plan.Hint(fmt.Errorf("%s and %s hold the pod %s/%s both", p.File, other.File, p.Namespace, p.Name), "remove one of them first: rm %s", other.File)
		}
	}
	return nil
}

// WaitFor waits until a static pod runs, as Apply does.
func (c *Commander) WaitFor(ctx context.Context, namespace, name string, timeout time.Duration) (Handled, error) {
	p, list, err := c.Find(ctx, namespace, name)
	if err == nil && p.manifest == nil && p.Problem != "" {
		err = fmt.Errorf("%s/%s: %s", p.Namespace, p.Name, p.Problem)
	}
	if err != nil {
		return Handled{}, plan.Refused(err)
	}
	t := target{kubelet: list.Kubelet, file: p.File, pod: p.podToWaitFor(), denied: p.denied}
	return t.handled(), c.waitForPod(ctx, t, false, timeout)
}

// named is a Pod that is nothing but its name. What is removed is waited for by that alone:
// how its containers end is of no interest.
func (p *Pod) named() *corev1.Pod {
	pod := &corev1.Pod{}
	pod.Namespace, pod.Name = p.Namespace, p.Name
	return pod
}

// podToWaitFor is the manifest; of a pod from a URL only what the runtime has is known.
func (p *Pod) podToWaitFor() *corev1.Pod {
	if p.manifest != nil {
		return p.manifest
	}
	pod := p.named()
	for _, c := range p.Containers {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: c.Name})
	}
	return pod
}

// Find is the static pod of a name: its own, or NAME-NODE.
func (c *Commander) Find(ctx context.Context, namespace, name string) (Pod, List, error) {
	list, err := c.List(ctx)
	if err != nil {
		return Pod{}, list, err
	}
	var names []string
	elsewhere := ""
	for _, p := range list.Pods {
		is, here := p.Name == name || p.RunsAs == name, p.Namespace == namespace
		switch {
		case is && here:
			return p, list, nil
		case is:
			elsewhere = p.Namespace
		case here:
			names = append(names, p.Name)
		}
	}
	missing := fmt.Sprintf("there is no static pod %s in namespace %s", name, namespace)
	if elsewhere != "" {
		return Pod{}, list, plan.Hint(errors.New(missing), "there is one in %[1]s: -n %[1]s", elsewhere)
	}
	missing += locate.DidYouMean(name, names)
	return Pod{}, list, plan.Hint(errors.New(missing), "list them: bootstrap static-pod list")
}
