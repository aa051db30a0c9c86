package podmanifest

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/locate"
)

// Why a static pod may not refer to what an API server keeps, and what to do instead.
const (
	noObject         = "a static pod may not refer to it: the kubelet would have to ask an API server before the pod runs, and it must run without one; "
	noSecret         = noObject + "put the value in the manifest, or in a file that a hostPath volume mounts"
	noServiceAccount = noObject + "a program that needs the API gets a kubeconfig in a hostPath volume"
	noPullSecret     = noObject + "give the container runtime the registry's credentials, or import the image"
	noClaim          = noObject + "mount a folder of this machine with a hostPath volume"
)

// references are refused as the kubelet does, by its feature PreventStaticPodAPIReferences;
// one before 1.34 starts some of them, without what they refer to.
func (c *check) references(pod *corev1.Pod) {
	s := pod.Spec
	c.refuse(s.ServiceAccountName != "", "spec.serviceAccountName", noServiceAccount)
	c.refuse(s.DeprecatedServiceAccount != "" && s.ServiceAccountName == "", "spec.serviceAccount", noServiceAccount)
	c.refuse(len(s.ImagePullSecrets) > 0, "spec.imagePullSecrets", noPullSecret)
	c.refuse(len(s.ResourceClaims) > 0, "spec.resourceClaims", noObject+"devices are claimed through a cluster only")
	for _, each := range containersOf(pod) {
		c.environment(each)
	}
	for i := range s.Volumes {
		c.volumeReferences(fmt.Sprintf("spec.volumes[%d]", i), s.Volumes[i].VolumeSource)
	}
}

func (c *check) environment(each container) {
	for i, from := range each.EnvFrom {
		field := fmt.Sprintf("%s.envFrom[%d]", each.field, i)
		c.refuse(from.SecretRef != nil, field+".secretRef", noSecret)
		c.refuse(from.ConfigMapRef != nil, field+".configMapRef", noSecret)
	}
	for i, env := range each.Env {
		if env.ValueFrom == nil {
			continue
		}
		field := fmt.Sprintf("%s.env[%d].valueFrom", each.field, i)
		c.refuse(env.ValueFrom.SecretKeyRef != nil, field+".secretKeyRef", noSecret)
		c.refuse(env.ValueFrom.ConfigMapKeyRef != nil, field+".configMapKeyRef", noSecret)
	}
}

func (c *check) volumeReferences(field string, v corev1.VolumeSource) {
	c.refuse(v.Secret != nil, field+".secret", noSecret)
	c.refuse(v.ConfigMap != nil, field+".configMap", noSecret)
	c.refuse(v.PersistentVolumeClaim != nil, field+".persistentVolumeClaim", noClaim)
	c.refuse(v.Ephemeral != nil, field+".ephemeral", noClaim)
	c.refuse(v.CSI != nil, field+".csi", noObject+"its driver stands in a CSIDriver object; mount it on this machine, and that with a hostPath volume")
	c.refuse(v.Glusterfs != nil, field+".glusterfs", noObject+"its servers stand in an Endpoints object")
	c.refuse(v.AzureFile != nil, field+".azureFile", noSecret)
	c.refuse(v.CephFS != nil && v.CephFS.SecretRef != nil, field+".cephfs.secretRef", noSecret)
	c.refuse(v.Cinder != nil && v.Cinder.SecretRef != nil, field+".cinder.secretRef", noSecret)
	c.refuse(v.FlexVolume != nil && v.FlexVolume.SecretRef != nil, field+".flexVolume.secretRef", noSecret)
	c.refuse(v.RBD != nil && v.RBD.SecretRef != nil, field+".rbd.secretRef", noSecret)
	c.refuse(v.ScaleIO != nil && v.ScaleIO.SecretRef != nil, field+".scaleIO.secretRef", noSecret)
	c.refuse(v.ISCSI != nil && v.ISCSI.SecretRef != nil, field+".iscsi.secretRef", noSecret)
	c.refuse(v.StorageOS != nil && v.StorageOS.SecretRef != nil, field+".storageos.secretRef", noSecret)
	if v.Projected == nil {
		return
	}
	for i, s := range v.Projected.Sources {
		source := fmt.Sprintf("%s.projected.sources[%d]", field, i)
		c.refuse(s.Secret != nil, source+".secret", noSecret)
		c.refuse(s.ConfigMap != nil, source+".configMap", noSecret)
		c.refuse(s.ServiceAccountToken != nil, source+".serviceAccountToken", noServiceAccount)
		c.refuse(s.ClusterTrustBundle != nil, source+".clusterTrustBundle", noObject+"mount a file of certificates with a hostPath volume")
		c.refuse(s.PodCertificate != nil, source+".podCertificate", noObject+"mount a certificate with a hostPath volume")
	}
}

// volumes wants of each a name of its own, and one source at most: without, the kubelet
// makes it an emptyDir.
func (c *check) volumes(all []corev1.Volume) {
	names := map[string]bool{}
	for i, v := range all {
		field := fmt.Sprintf("spec.volumes[%d]", i)
		c.name(field+".name", v.Name, names)
		if n := c.sources(field); n > 1 {
			c.bad(field, "it has %d sources, want one", n)
		}
		if v.HostPath != nil {
			c.hostPath(field+".hostPath", v.HostPath)
		}
	}
}

// sources counts those in the file: each field but the name is one.
func (c *check) sources(field string) int {
	n := locate.Node(c.root, field)
	if n == nil || n.Kind != yaml.MappingNode {
		return 0
	}
	count := 0
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != "name" && n.Content[i+1].Tag != "!!null" {
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
