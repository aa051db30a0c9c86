package e2e

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// components are the control plane's static pods.
var components = []string{"etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"}

// addons are the pods that a cluster of one node runs besides.
var addons = []string{"coredns", "kube-flannel-ds", "kube-proxy"}

type object struct {
	Metadata struct {
		Name            string
		Namespace       string
		UID             string
		Labels          map[string]string
		Annotations     map[string]string
		OwnerReferences []struct{ APIVersion, Kind, Name, UID string }
	}
}

type condition struct{ Type, Status, Reason, Message string }

type node struct {
	object
	Status struct {
		Conditions []condition
		NodeInfo   struct{ KubeletVersion string }
	}
}

type pod struct {
	object
	Spec struct {
		Containers []struct {
			Name, Image string
		}
	}
	Status struct {
		Phase             string
		PodIP             string
		Conditions        []condition
		ContainerStatuses []struct {
			Name, ContainerID, Image string
			Ready                    bool
			RestartCount             int
			State                    struct {
				Running *struct{ StartedAt time.Time }
			}
		}
	}
}

type podList struct{ Items []pod }

func isTrue(conditions []condition, kind string) error {
	for _, c := range conditions {
		if c.Type != kind {
			continue
		}
		if c.Status == "True" {
			return nil
		}
		return fmt.Errorf("%s is %s: %s %s", kind, c.Status, c.Reason, c.Message)
	}
	return fmt.Errorf("no condition %s", kind)
}

// ready says why not all containers of the pod are ready.
func (p pod) ready() error {
	total := 0
	for _, c := range p.Status.ContainerStatuses {
		if c.Ready && c.State.Running != nil {
			total++
		}
	}
	if total == 0 || total != len(p.Spec.Containers) {
		return fmt.Errorf("%s is %s, %d/%d ready", p.Metadata.Name, p.Status.Phase, total, len(p.Spec.Containers))
	}
	return isTrue(p.Status.Conditions, "Ready")
}

// containerID is without the runtime's name.
func (p pod) containerID() string {
	if len(p.Status.ContainerStatuses) == 0 {
		return ""
	}
	_, id, _ := strings.Cut(p.Status.ContainerStatuses[0].ContainerID, "://")
	return id
}

// manifest is the static pod on the node's disk.
func (n *Node) manifest(component string) pod {
	n.t.Helper()
	var p pod
	data := n.MustExec("cat", "/etc/kubernetes/manifests/"+component+".yaml")
	if err := yaml.Unmarshal([]byte(data), &p); err != nil {
		n.t.Fatalf("%s.yaml: %v", component, err)
	}
	return p
}

func (n *Node) mirrorPod(component string) (pod, error) {
	n.t.Helper()
	return get[pod](n, "pod", "-n", "kube-system", component+"-"+n.Name)
}

// checkMirror says why the pod is not the ready mirror of the manifest on disk.
func checkMirror(p, manifest pod, owner node) error {
	a := p.Metadata.Annotations
	var errs []error
	expect := func(what, got, want string) {
		if got != want || want == "" {
			errs = append(errs, fmt.Errorf("%s: %s is %q, want %q", p.Metadata.Name, what, got, want))
		}
	}
	expect("config.hash", a["kubernetes.io/config.hash"], manifest.Metadata.UID)
	expect("config.mirror", a["kubernetes.io/config.mirror"], a["kubernetes.io/config.hash"])
	expect("config.source", a["kubernetes.io/config.source"], "file")
	expect("image", p.Spec.Containers[0].Image, manifest.Spec.Containers[0].Image)
	if len(p.Metadata.OwnerReferences) != 1 {
		return errors.Join(append(errs, fmt.Errorf("%s: owners are %v", p.Metadata.Name, p.Metadata.OwnerReferences))...)
	}
	owned := p.Metadata.OwnerReferences[0]
	expect("owner", owned.Kind+" "+owned.Name, "Node "+owner.Metadata.Name)
	expect("owner's uid", owned.UID, owner.Metadata.UID)
	return errors.Join(append(errs, p.ready())...)
}

// Healthy waits until the four mirror pods and the Node are ready.
func (n *Node) Healthy(deadline time.Duration) {
	n.t.Helper()
	manifests := map[string]pod{}
	for _, c := range components {
		manifests[c] = n.manifest(c)
	}
	n.Eventually(deadline, "healthy control plane", func() error {
		return n.healthy(manifests)
	})
}

func (n *Node) healthy(manifests map[string]pod) error {
	n.t.Helper()
	owner, err := get[node](n, "node", n.Name)
	if err != nil {
		return err
	}
	pods, err := get[podList](n, "pods", "-n", "kube-system")
	if err != nil {
		return err
	}
	errs := []error{isTrue(owner.Status.Conditions, "Ready")}
	for _, c := range components {
		errs = append(errs, checkMirrorIn(pods, c+"-"+n.Name, manifests[c], owner))
	}
	return errors.Join(errs...)
}

func checkMirrorIn(pods podList, name string, manifest pod, owner node) error {
	for _, p := range pods.Items {
		if p.Metadata.Name == name {
			return checkMirror(p, manifest, owner)
		}
	}
	return fmt.Errorf("no pod %s", name)
}

// pid is the main process of a component, outside of its own PID namespace.
func (n *Node) pid(component string) string {
	n.t.Helper()
	pids := strings.Fields(n.MustExec("pgrep", "-x", component[:min(len(component), 15)]))
	if len(pids) != 1 {
		n.t.Fatalf("processes of %s: %v", component, pids)
	}
	return pids[0]
}
