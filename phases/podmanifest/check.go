package podmanifest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"

	"bootstrap/phases/locate"
)

// check gathers what is wrong with a Pod. All rules of the kubelet are ValidatePodCreate and
// HasAPIObjectReference in k8s.io/kubernetes, which is no library. These here are the ones
// that people run into; what else the kubelet refuses, its log says.
type check struct {
	file string
	root *yaml.Node
	why  reasons
	errs []*locate.Finding
	odd  []*locate.Finding // the kubelet takes it, and does not do what it says
}

// sorted gives findings in the order of the file.
func sorted(found []*locate.Finding) []error {
	slices.SortStableFunc(found, func(a, b *locate.Finding) int {
		return cmp.Or(a.Line-b.Line, cmp.Compare(a.Text, b.Text))
	})
	var all []error
	for _, each := range found {
		all = append(all, each)
	}
	return all
}

func (c *check) at(field, format string, args ...any) *locate.Finding {
	text := field + ": " + fmt.Sprintf(format, args...)
	return &locate.Finding{File: c.file, Line: max(c.root.Line, locate.Line(c.root, field)), Text: text}
}

func (c *check) bad(field, format string, args ...any) {
	c.errs = append(c.errs, c.at(field, format, args...))
}

// refuse reports a field, if it is there.
func (c *check) refuse(there bool, field, why string) {
	if there {
		c.bad(field, "%s", why)
	}
}

// pod takes a Pod, and all that is written of it.
func (c *check) pod(pod *corev1.Pod, all map[string]any) {
	c.metadata(pod)
	walk("metadata", all["metadata"], c.refer)
	walk("spec", all["spec"], c.refer)
	walk("spec", all["spec"], c.value)
	c.containers(pod, c.volumes(pod.Spec.Volumes, all))
	c.portsTwice(pod)
	c.network(pod)
	c.host(pod)
	c.tolerations(pod)
}

func (c *check) metadata(pod *corev1.Pod) {
	switch {
	case pod.Name == "" && pod.GenerateName != "":
		c.bad("metadata.generateName", "only an API server makes up a name: give metadata.name")
	case pod.Name == "":
		c.bad("metadata.name", "it is missing")
	default:
		c.valid("metadata.name", pod.Name, validation.IsDNS1123Subdomain)
	}
	if pod.Namespace != "" {
		c.valid("metadata.namespace", pod.Namespace, validation.IsDNS1123Label)
	}
	for key, value := range pod.Labels {
		c.valid("metadata.labels."+key, key, validation.IsQualifiedName)
		c.valid("metadata.labels."+key, value, validation.IsValidLabelValue)
	}
	for key := range pod.Annotations {
		c.valid("metadata.annotations."+key, strings.ToLower(key), validation.IsQualifiedName)
		c.refuse(strings.HasPrefix(key, "kubernetes.io/config."), "metadata.annotations."+key, "the kubelet alone sets it, to tell static pods and mirror pods from others")
	}
}

// valid takes what a function of the API's own validation says.
func (c *check) valid(field, value string, judge func(string) []string) {
	for _, problem := range judge(value) {
		c.bad(field, "%q is not valid: %s", value, problem)
	}
}

// oneOf lets pass what is not set: it has a default.
func (c *check) oneOf(field, value string, words ...string) {
	if value != "" && !slices.Contains(words, value) {
		c.bad(field, "%q is unknown, want %s%s", value, strings.Join(words, ", "), locate.DidYouMean(value, words))
	}
}

// container is one of a Pod's, and where it stands.
type container struct {
	corev1.Container
	field string
	ends  bool // before the next one begins, as init containers do that are no sidecars
}

func containersOf(pod *corev1.Pod) []container {
	var all []container
	for i, each := range pod.Spec.InitContainers {
		ends := ptr.Deref(each.RestartPolicy, "") != corev1.ContainerRestartPolicyAlways
		all = append(all, container{each, fmt.Sprintf("spec.initContainers[%d]", i), ends})
	}
	for i, each := range pod.Spec.Containers {
		all = append(all, container{each, fmt.Sprintf("spec.containers[%d]", i), false})
	}
	return all
}

func (c *check) containers(pod *corev1.Pod, volumes map[string]bool) {
	c.refuse(len(pod.Spec.Containers) == 0, "spec.containers", "it is missing: a pod has at least one container")
	names := map[string]bool{}
	for _, each := range containersOf(pod) {
		c.name(each.field+".name", each.Name, names)
		c.image(each)
		c.mounts(each, volumes)
		c.ports(each, pod.Spec.HostNetwork)
		c.probes(each)
		c.hooks(each)
		c.resources(each)
		c.env(each)
		c.security(each)
	}
}

// name wants a DNS label that no other of its kind has.
func (c *check) name(field, name string, taken map[string]bool) {
	switch {
	case name == "":
		c.bad(field, "it is missing")
	case taken[name]:
		c.bad(field, "%q is taken by another", name)
	default:
		c.valid(field, name, validation.IsDNS1123Label)
	}
	taken[name] = true
}

func (c *check) image(each container) {
	switch {
	case each.Image == "":
		c.bad(each.field+".image", "it is missing")
	case strings.ContainsAny(each.Image, " \t\n"):
		c.bad(each.field+".image", "%q is no name of an image: it has spaces", each.Image)
	}
}

func (c *check) mounts(each container, volumes map[string]bool) {
	privileged := each.SecurityContext != nil && ptr.Deref(each.SecurityContext.Privileged, false)
	taken := map[string]bool{}
	for i, m := range each.VolumeMounts {
		field := fmt.Sprintf("%s.volumeMounts[%d]", each.field, i)
		c.refuse(!volumes[m.Name], field+".name", fmt.Sprintf("spec.volumes has no volume %q", m.Name))
		c.refuse(m.MountPath == "", field+".mountPath", "it is missing")
		c.refuse(m.MountPath != "" && taken[m.MountPath], field+".mountPath", "another volume is mounted there already")
		taken[m.MountPath] = true
		for name, path := range map[string]string{"subPath": m.SubPath, "subPathExpr": m.SubPathExpr} {
			leaves := strings.HasPrefix(path, "/") || slices.Contains(strings.Split(path, "/"), "..")
			c.refuse(leaves, field+"."+name, "it leaves the volume: want a path inside, without .. and without / before it")
		}
		c.refuse(m.SubPath != "" && m.SubPathExpr != "", field+".subPathExpr", "there is a subPath too: leave one of them out")
		back := ptr.Deref(m.MountPropagation, "") == corev1.MountPropagationBidirectional
		c.refuse(back && !privileged, field+".mountPropagation", "Bidirectional is for privileged containers: use HostToContainer")
	}
}
