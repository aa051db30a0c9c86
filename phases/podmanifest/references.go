package podmanifest

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Why a static pod may not refer to what an API server keeps, and what to do instead.
const (
	noObject         = "a static pod may not refer to it: the kubelet would have to ask an API server before the pod runs, and it must run without one; "
	noSecret         = noObject + "put the value in the manifest, or in a file that a hostPath volume mounts"
	noServiceAccount = noObject + "a program that needs the API gets a kubeconfig in a hostPath volume"
	noPullSecret     = noObject + "give the container runtime the registry's credentials, or import the image"
	noClaim          = noObject + "mount a folder of this machine with a hostPath volume"

	noScheduler = "leave it out: no scheduler places a static pod, it runs on the machine where its file lies"
)

// forbiddenFields are what a static pod may not have, and why.
var forbiddenFields = map[string]string{
	"metadata.uid":                   "leave it out: the kubelet tells by it whether the content is another, and makes it of the content itself",
	"metadata.finalizers":            "leave them out: the kubelet could not replace or remove the mirror pod",
	"spec.nodeName":                  noScheduler,
	"spec.nodeSelector":              noScheduler,
	"spec.affinity":                  noScheduler,
	"spec.topologySpreadConstraints": noScheduler,
	"spec.schedulingGates":           noScheduler,
	"spec.ephemeralContainers":       "they are added to a pod that runs, through the API (kubectl debug); no pod begins with them",
	"spec.serviceAccountName":        noServiceAccount,
	"spec.serviceAccount":            noServiceAccount,
	"spec.imagePullSecrets":          noPullSecret,
	"spec.resourceClaims":            noObject + "devices are claimed through a cluster only",
}

// references are fields of containers and volumes that name an object of the API. The
// kubelet refuses them by its feature PreventStaticPodAPIReferences; one before 1.34 starts
// some of these pods, without what they refer to.
var references = map[string]string{
	"secret":                noSecret,
	"secretRef":             noSecret,
	"secretKeyRef":          noSecret,
	"configMap":             noSecret,
	"configMapRef":          noSecret,
	"configMapKeyRef":       noSecret,
	"azureFile":             noSecret,
	"persistentVolumeClaim": noClaim,
	"ephemeral":             noClaim,
	"csi":                   noObject + "its driver stands in a CSIDriver object; mount it on this machine, and that with a hostPath volume",
	"glusterfs":             noObject + "its servers stand in an Endpoints object",
	"serviceAccountToken":   noServiceAccount,
	"clusterTrustBundle":    noObject + "mount a file of certificates with a hostPath volume",
	"podCertificate":        noObject + "mount a certificate with a hostPath volume",
}

// refer refuses what is forbidden or a reference. It lets pass what is empty: that is as good
// as left out.
func (c *check) refer(field string, value any) {
	list, isList := value.([]any)
	object, isObject := value.(map[string]any)
	if why := references[field[strings.LastIndex(field, ".")+1:]]; isObject && why != "" {
		c.bad(field, "%s", why)
	}
	if value == nil || value == "" || isList && len(list) == 0 || isObject && len(object) == 0 {
		return
	}
	if why := forbiddenFields[field]; why != "" {
		c.bad(field, "%s", why)
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
// makes it an emptyDir.
func (c *check) volumes(volumes []corev1.Volume, all map[string]any) {
	spec, _ := all["spec"].(map[string]any)
	written, _ := spec["volumes"].([]any)
	names := map[string]bool{}
	for i, v := range volumes {
		field := fmt.Sprintf("spec.volumes[%d]", i)
		c.name(field+".name", v.Name, names)
		if v.HostPath != nil {
			c.hostPath(field+".hostPath", v.HostPath)
		}
		if n := sources(written[i]); n > 1 {
			c.bad(field, "it has %d sources, want one", n)
		}
	}
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
	if v.Type != nil {
		c.oneOf(field+".type", string(*v.Type), "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice")
	}
}
