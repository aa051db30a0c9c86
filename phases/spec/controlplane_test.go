package spec

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/config"
	"bootstrap/phases/config/configtest"
	"bootstrap/templates"
)

// TestExternalFilesInCAFolder: what is mounted already is not mounted twice, which the
// kubelet would refuse.
func TestExternalFilesInCAFolder(t *testing.T) {
	c := configtest.Valid(t, "default")
	c.Etcd.External = &config.ExternalEtcd{CAFile: "/etc/ssl/certs/ca.crt", CertFile: "/srv/etcd/client.crt", KeyFile: "/srv/etcd/client.key"}
	got := externalEtcdMounts(c, []templates.Mount{hostFolder("ca-certs", "/etc/ssl/certs")})
	if len(got) != 1 || got[0].MountPath != "/srv/etcd" {
		t.Errorf("%+v", got)
	}
}

// TestMountedOver: the user's folder takes the place of ours.
func TestMountedOver(t *testing.T) {
	ours := []templates.Mount{hostFolder("ca-certs", "/etc/ssl/certs"), hostFolder("etc-ca-certificates", "/etc/ca-certificates")}
	users := []templates.Mount{{Name: "own", HostPath: "/srv/certs", MountPath: "/etc/ssl/certs"}, {Name: "audit", HostPath: "/srv/audit", MountPath: "/audit"}}
	if diff := cmp.Diff([]templates.Mount{ours[1], users[0], users[1]}, mountedOver(ours, users)); diff != "" {
		t.Error(diff)
	}
}

// TestOwnVolumes: as with kubeadm a volume of the user's takes the place of ours of its name, and
// those that a pod cannot do without stay as they are.
func TestOwnVolumes(t *testing.T) {
	pods := decodedPods(t, configtest.Valid(t, "volume-own"))
	paths := func(pod *corev1.Pod) map[string]string {
		all := map[string]string{}
		for _, v := range pod.Spec.Volumes {
			all[v.Name] = all[v.Name] + v.HostPath.Path // one that is there twice has both
		}
		return all
	}
	if got := paths(pods["kube-apiserver"]); got["k8s-certs"] != "/etc/kubernetes/pki" || got["ca-certs"] != "/srv/cas" {
		t.Errorf("%v", got)
	}
	if got := paths(pods["kube-scheduler"]); got["k8s-certs"] != "/srv/x" {
		t.Errorf("%v", got)
	}
	env := pods["kube-scheduler"].Spec.Containers[0].Env
	if len(env) != 1 || env[0].ValueFrom == nil || env[0].ValueFrom.FieldRef.FieldPath != "status.podIP" {
		t.Errorf("%+v", env)
	}
}

// TestPeoplePods: the kubelet wants names and paths of mounts that are there once.
func TestPeoplePods(t *testing.T) {
	for file, c := range configtest.People(t) {
		for name, pod := range decodedPods(t, c) {
			seen := map[string]bool{}
			for _, m := range pod.Spec.Containers[0].VolumeMounts {
				if seen[m.Name] || seen[m.MountPath] {
					t.Errorf("%s of %s: %s at %s is there twice", name, file, m.Name, m.MountPath)
				}
				seen[m.Name], seen[m.MountPath] = true, true
			}
		}
	}
}
