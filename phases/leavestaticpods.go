package phases

import (
	"context"
	"strings"

	"bootstrap/phases/host"
	"bootstrap/phases/observe"
	"bootstrap/phases/spec"
)

var leaveStaticPods = Phase{
	Name:  "leave-static-pods",
	Short: "leave static pods' manifests that init did not make, unless --static-pods removes them",
	Run:   runLeaveStaticPods,
}

// runLeaveStaticPods leaves manifests that init did not make to the user. See undoLedger.
func runLeaveStaticPods(_ context.Context, env *Env) error {
	files := usersManifests(env.Host)
	if len(files) == 0 {
		return nil
	}
	if env.AllPods {
		return env.Host.Adopt(host.OpFile, files...) // now reset removes them
	}
	env.Tell.Say("these stay, and a kubelet that comes will run them: %s", strings.Join(files, ", "))
	return nil
}

func usersManifests(h *host.Host) []string {
	pods, _ := observe.PodFiles(h, spec.StaticPodDir) // in a folder that can't be read there are none to find
	var files []string
	for _, pod := range pods {
		if !h.Recorded(pod.Path) {
			files = append(files, pod.Path)
		}
	}
	return files
}
