package podmanifest

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

const noObject = "a static pod may not refer to it: the kubelet would have to ask an API server before the pod runs, and it must run without one; "

// refer refuses a field that a static pod may not have, or that refers to an object of the
// API, and notes those that do otherwise than they say. It lets an empty one pass, which is as good as left out.
func (c *check) refer(field string, value any) {
	list, isList := value.([]any)
	object, isObject := value.(map[string]any)
	if why := c.why.References[field[strings.LastIndex(field, ".")+1:]]; isObject && why != "" {
		c.bad(field, "%s%s", noObject, why)
	}
	if value == nil || value == "" || isList && len(list) == 0 || isObject && len(object) == 0 {
		return
	}
	c.refuse(c.why.References[field] != "", field, noObject+c.why.References[field])
	c.refuse(c.why.Fields[field] != "", field, c.why.Fields[field])
	if why := c.why.Odd[field]; why != "" {
		c.odd = append(c.odd, c.at(field, "%s", why))
	}
}

// walk visits a value and all that is below it, each with its field, such as
// spec.containers[0].name.
func walk(field string, value any, visit func(field string, value any)) {
	visit(field, value)
	switch value := value.(type) {
	case []any:
		for i, each := range value {
			walk(fmt.Sprintf("%s[%d]", field, i), each, visit)
		}
	case map[string]any:
		for name, each := range value {
			walk(field+"."+name, each, visit)
		}
	}
}

// volumes wants of each a name of its own, and one source at most: without, the kubelet
// makes it an emptyDir. It gives the names.
func (c *check) volumes(volumes []corev1.Volume, all map[string]any) map[string]bool {
	spec, _ := all["spec"].(map[string]any)
	written, _ := spec["volumes"].([]any)
	names := map[string]bool{}
	for i, v := range volumes {
		field := fmt.Sprintf("spec.volumes[%d]", i)
		c.name(field+".name", v.Name, names)
		added := strings.HasPrefix(v.Name, "kube-api-access-")
		c.refuse(added, field, "an API server has added it to a pod of its own: leave it out, and its volumeMounts")
		if v.HostPath != nil {
			c.hostPath(field+".hostPath", v.HostPath)
		}
		if n := sources(written[i]); n > 1 {
			c.bad(field, "it has %d sources, want one", n)
		}
	}
	return names
}

// sources counts those of a volume: each field but the name is one.
func sources(volume any) int {
	count := 0
	fields, _ := volume.(map[string]any)
	for name, value := range fields {
		if name != "name" && value != nil {
			count++
		}
	}
	return count
}

func (c *check) hostPath(field string, v *corev1.HostPathVolumeSource) {
	switch {
	case v.Path == "":
		c.bad(field+".path", "it is missing")
	case !path.IsAbs(v.Path) || slices.Contains(strings.Split(v.Path, "/"), ".."):
		c.bad(field+".path", "%q must be a path from the root, without ..", v.Path)
	}
}
