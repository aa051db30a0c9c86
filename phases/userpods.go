package phases

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/runtime"
)

// wantedPod is a static pod of the user's.
type wantedPod struct {
	name       string // namespace/name, with the node's, as the kubelet has it
	source     string // a file, or the URL as it may be shown
	containers []string
}

func (e *Env) podName(name string) string {
	return name + "-" + strings.ToLower(e.Config.NodeName)
}

func (e *Env) wanted(pod *corev1.Pod, source string) wantedPod {
	w := wantedPod{name: e.podName(fullName(pod)), source: source}
	for _, c := range pod.Spec.Containers {
		w.containers = append(w.containers, c.Name)
	}
	return w
}

// userPods are those of the folder's files that init has not made. The others that the
// kubelet can't read are a finding of their own.
func (e *Env) userPods() []wantedPod {
	var all []wantedPod
	for _, m := range e.foreignManifests() {
		data, err := e.Host.ReadFile(m.Path)
		if err != nil {
			continue
		}
		if pod, err := readPod(data); err == nil {
			all = append(all, e.wanted(pod, m.Path))
		}
	}
	return all
}

// down says why a pod does not run, nil if it does.
func (w wantedPod) down(ctx context.Context, c *runtime.CRI) error {
	namespace, name, _ := strings.Cut(w.name, "/")
	all, err := c.Sandboxes(ctx, namespace)
	if err != nil {
		return fmt.Errorf("the container runtime does not answer: %w", err)
	}
	i := slices.IndexFunc(all, func(s runtime.Sandbox) bool { return s.Name == name && s.Ready })
	if i < 0 {
		return errors.New("the container runtime has no such pod yet")
	}
	for _, container := range w.containers {
		if err := containerOf(all[i], container); err != nil {
			return err
		}
	}
	return nil
}

func containerOf(pod runtime.Sandbox, name string) error {
	i := slices.IndexFunc(pod.Containers, func(c runtime.Container) bool { return c.Name == name })
	if i < 0 {
		return fmt.Errorf("no container of %s yet", name)
	}
	return staysUp(&pod.Containers[i])
}

// staysUp: what has done its work is up too. What has only just begun may be about to end.
func staysUp(c *runtime.Container) error {
	switch {
	case c.Running && time.Since(c.Started) < steady:
		return fmt.Errorf("container of %s runs, watched until it has run for %s", c.Name, steady)
	case c.Running, c.Exited && c.ExitCode == 0:
		return nil
	case !c.Exited:
		return fmt.Errorf("container of %s is being started", c.Name)
	}
	return endedError(c)
}

func endedError(c *runtime.Container) error {
	return fmt.Errorf("container %s ended (try %d, exit code %d): %s", c.Name, c.Attempt+1, c.ExitCode, cmp.Or(c.LastLine(), c.Message, c.Reason))
}
