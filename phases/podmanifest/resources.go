package podmanifest

import (
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// resources compares requests with limits, and both with nothing.
func (c *check) resources(each container) {
	field, limits, requests := each.field+".resources", each.Resources.Limits, each.Resources.Requests
	for name, limit := range limits {
		c.resourceName(field+".limits."+string(name), name)
		c.refuse(limit.Sign() < 0, field+".limits."+string(name), limit.String()+" is less than nothing")
		isPart := isExtended(name) && limit.MilliValue()%1000 != 0
		c.refuse(isPart, field+".limits."+string(name), limit.String()+" is no whole number")
	}
	for name, request := range requests {
		c.resourceName(field+".requests."+string(name), name)
		limit, limited := limits[name]
		c.refuse(request.Sign() < 0, field+".requests."+string(name), request.String()+" is less than nothing")
		switch isWhole := isExtended(name) || isHugePages(name); {
		case isWhole && (!limited || request.Cmp(limit) != 0):
			c.bad(field+".requests."+string(name), "want a limit that is the same, as nobody gets more of it than there is")
		case limited && request.Cmp(limit) > 0:
			c.bad(field+".requests."+string(name), "%s is more than the limit, %s", request.String(), limit.String())
		}
	}
	names := slices.Concat(slices.Collect(maps.Keys(limits)), slices.Collect(maps.Keys(requests)))
	isAlone := !slices.Contains(names, corev1.ResourceCPU) && !slices.Contains(names, corev1.ResourceMemory)
	c.refuse(isAlone && slices.ContainsFunc(names, isHugePages), field, "huge pages go with cpu or memory only: add one of them")
}

func isHugePages(name corev1.ResourceName) bool {
	return strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
}

// isExtended tells of devices and others that are counted by their names, such as nvidia.com/gpu.
func isExtended(name corev1.ResourceName) bool { return strings.Contains(string(name), "/") }

func (c *check) resourceName(field string, name corev1.ResourceName) {
	known := []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage}
	switch {
	case isExtended(name):
		c.valid(field, string(name), validation.IsQualifiedName)
	case !slices.Contains(known, name) && !isHugePages(name):
		c.bad(field, "%q is unknown, want cpu, memory, ephemeral-storage, hugepages-SIZE or DOMAIN/NAME", name)
	}
}
