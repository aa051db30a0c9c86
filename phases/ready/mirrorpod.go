package ready

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/observe"
)

// MinUptime is how long a container must have run before it counts as staying up.
const MinUptime = 3 * time.Second

// checkMirrorPod says why the pod is not the ready mirror of a manifest, or nil.
func checkMirrorPod(pod *corev1.Pod, node *corev1.Node, hash string) error {
	if !observe.IsMirror(pod) {
		return errors.New("the pod of that name is no mirror pod")
	}
	if got := pod.Annotations[observe.HashAnnotation]; got != hash {
		return fmt.Errorf("the mirror pod is of another manifest (hash %s, want %s)", got, hash)
	}
	if len(pod.OwnerReferences) != 1 || pod.OwnerReferences[0].Kind != "Node" || pod.OwnerReferences[0].UID != node.UID {
		return errors.New("the mirror pod does not belong to this Node")
	}
	all := pod.Status.ContainerStatuses
	if len(all) < max(1, len(pod.Spec.Containers)) { // a patch may have added some
		return fmt.Errorf("the mirror pod is %s", strings.ToLower(string(pod.Status.Phase)))
	}
	for _, s := range all {
		if err := CheckContainer(s); err != nil {
			return err
		}
	}
	return nil
}

// checkShown says that the API still shows the container that ran before a restart, or nil.
func checkShown(pod *corev1.Pod, name, id string) error {
	isOld := func(s corev1.ContainerStatus) bool {
		_, shown, _ := strings.Cut(s.ContainerID, "://") // after the runtime's name
		return s.Name == name && shown != id
	}
	if slices.ContainsFunc(pod.Status.ContainerStatuses, isOld) {
		return errors.New("the mirror pod is of before the restart")
	}
	return nil
}

// CheckContainer says why a container is not ready, by what the API server has of it, or nil.
func CheckContainer(s corev1.ContainerStatus) error {
	switch {
	case s.State.Waiting != nil:
		return fmt.Errorf("its container waits: %s", strings.TrimSpace(s.State.Waiting.Reason+" "+s.State.Waiting.Message))
	case s.State.Terminated != nil:
		return fmt.Errorf("its container ended: %s, exit code %d", s.State.Terminated.Reason, s.State.Terminated.ExitCode)
	case s.State.Running == nil:
		return errors.New("its container has no state yet")
	case s.Started == nil || !*s.Started:
		return errors.New("its startup probe has not succeeded yet")
	case !s.Ready:
		return errors.New("its readiness probe has not succeeded yet")
	}
	return nil
}

// checkUptime says that a container of a ready pod has run for less than min, or nil.
func checkUptime(pod *corev1.Pod, min time.Duration, now time.Time) error {
	for _, s := range pod.Status.ContainerStatuses {
		if startedWithin(min, s.State.Running.StartedAt.Time, now) {
			return fmt.Errorf("ready, watched until it has run for %s (restarts so far: %d)", min, s.RestartCount)
		}
	}
	return nil
}

// startedWithin tells whether something was started less than this long ago. A start that lies
// in the future by more was long ago: the clock has been set back since.
func startedWithin(limit time.Duration, started, now time.Time) bool {
	return now.Sub(started).Abs() < limit
}
