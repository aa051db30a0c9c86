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
	name string // namespace/name, with the node's, as the kubelet has it
	pod  *corev1.Pod
}

func (e *Env) podName(name string) string { return name + "-" + e.Config.NodeName }

func (e *Env) wanted(pod *corev1.Pod) wantedPod { return wantedPod{e.podName(fullName(pod)), pod} }

// userPods are those of the folder's files that init has not made. The others that the
// kubelet can't read are a finding of their own.
func (e *Env) userPods() []wantedPod {
	files, err := e.podFiles(staticPodDir)
	if err != nil {
		e.warn("%v", err)
	}
	var all []wantedPod
	for _, f := range files {
		if f.pod != nil && podLacks(f.pod) == nil && !f.ours && !slices.Contains(e.ownManifests(), f.path) {
			all = append(all, e.wanted(f.pod))
		}
	}
	return all
}

// down says why a pod does not run, nil if it does.
func (w wantedPod) down(ctx context.Context, c *runtime.CRI) error {
	namespace, _, _ := strings.Cut(w.name, "/")
	all, err := c.Sandboxes(ctx, namespace)
	if err != nil {
		return fmt.Errorf("the container runtime does not answer: %w", err)
	}
	sandbox := newestSandbox(all, w.name)
	if sandbox == nil {
		return errors.New("the container runtime has no such pod yet")
	}
	return containersRun(w.pod, sandbox, time.Now())
}

func endedError(c *runtime.Container) error {
	return fmt.Errorf("container %s ended (try %d, exit code %d): %s", c.Name, c.Attempt+1, c.ExitCode, cmp.Or(c.LastLine(), c.Message, c.Reason))
}
