package spec

import (
	"testing"

	"github.com/google/go-cmp/cmp"

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
