package observe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"bootstrap/phases/host"
	"bootstrap/phases/plan"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
	"bootstrap/phases/state"
)

// PodQuery is what Pods lists.
type PodQuery struct {
	Endpoint string // of the container runtime; empty: the kubelet's
	All      bool   // what has ended too
}

// Pods lists a node's pods as the container runtime has them: it needs neither
// the API server nor the kubelet.
func Pods(ctx context.Context, h *host.Host, q PodQuery) ([]runtime.Sandbox, error) {
	c, socket, err := DialPods(h, q.Endpoint)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, runtime.Patience)
	defer cancel()
	all, err := c.Sandboxes(ctx, "")
	if err != nil {
		return nil, plan.Hint(fmt.Errorf("container runtime at %s: %w", socket, err), "see why: journalctl -u containerd -n 50")
	}
	if q.All {
		return all, nil
	}
	return current(all), nil
}

// DialPods connects to the container runtime at podSocket.
func DialPods(h *host.Host, endpoint string) (c *runtime.CRI, socket string, err error) {
	socket, err = podSocket(h, endpoint)
	if err != nil {
		return nil, "", err
	}
	if !h.Exists(socket) {
		return nil, "", plan.Hint(fmt.Errorf("the container runtime does not run (no %s)", socket),
			"start it, such as by: systemctl start containerd")
	}
	c, err = runtime.Dial("unix://" + h.Path(socket))
	return c, socket, err
}

// podSocket is the one asked for, else what the kubelet was given by us, or by
// others, else the only one there is.
func podSocket(h *host.Host, endpoint string) (string, error) {
	if endpoint != "" {
		return runtime.SocketPath(endpoint), nil
	}
	if socket, ok := (&state.State{Host: h}).UsedRuntime(); ok {
		return socket, nil
	}
	socket, err := kubeletSocket(h)
	if err != nil || socket != "" {
		return socket, err
	}
	switch found := FoundSockets(h); len(found) {
	case 0:
		return "", plan.Hint(errors.New("no container runtime listens where they do by default"), "name its socket: --cri-socket PATH")
	case 1:
		return found[0], nil
	default:
		return "", plan.Hint(fmt.Errorf("several container runtimes: %s", strings.Join(found, ", ")), "name one: --cri-socket %s", found[0])
	}
}

// kubeletSocket is in the kubelet's configuration, which somebody else may have made.
func kubeletSocket(h *host.Host) (string, error) {
	d, err := readKubeletDocument(h, spec.KubeletConfig, "")
	return runtime.SocketPath(d.field("containerRuntimeEndpoint").value), ignoring(err, fs.ErrNotExist)
}

// current leaves out what has ended: pods that were stopped, and of each container
// all tries but the newest, and that too if it did what it was to do.
func current(all []runtime.Sandbox) []runtime.Sandbox {
	var live []runtime.Sandbox
	for _, sandbox := range all {
		if !sandbox.Ready {
			continue
		}
		sandbox.Containers = slices.DeleteFunc(NewestTries(sandbox.Containers), func(c runtime.Container) bool { return c.Exited && c.ExitCode == 0 })
		live = append(live, sandbox)
	}
	return live
}
