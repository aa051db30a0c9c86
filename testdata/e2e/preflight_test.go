package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestPreflight: what cannot work is refused before anything is changed.
func TestPreflight(t *testing.T) {
	n := Up(t, 5*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	for _, c := range []struct {
		name    string
		prepare string // in the node, undone by clean
		clean   string
		args    []string // instead of bootstrap init
		says    []string
	}{
		{
			name:    "PortTaken",
			prepare: "systemd-run -q --unit=listener socat TCP-LISTEN:6443,fork,reuseaddr /dev/null",
			clean:   "systemctl stop listener",
			says:    []string{"port 6443", "kube-apiserver", "is taken by pid", "(socat)", "bootstrap explain port-taken", "ss -ltnp 'sport = :6443'"},
		},
		{
			name:    "ForeignManifest",
			prepare: "mkdir -p /etc/kubernetes/manifests && echo '# old' >/etc/kubernetes/manifests/kube-apiserver.yaml",
			clean:   "rm -r /etc/kubernetes",
			says:    []string{"/etc/kubernetes/manifests/kube-apiserver.yaml", "bootstrap did not make it"},
		},
		{
			name:    "ForeignData",
			prepare: "mkdir -p /var/lib/etcd/member/wal && echo old >/var/lib/etcd/member/wal/0.wal",
			clean:   "rm -r /var/lib/etcd",
			says:    []string{"/var/lib/etcd holds data that is not of this cluster", "mv /var/lib/etcd /var/lib/etcd.old"},
		},
		{
			name: "CopyOfManifest",
			prepare: "mkdir -p /etc/kubernetes/manifests && printf '{apiVersion: v1, kind: Pod, metadata: {name: kube-apiserver, namespace: kube-system}, " +
				"spec: {containers: [{name: x}]}}' >/etc/kubernetes/manifests/kube-apiserver.yaml.bak",
			clean: "rm -r /etc/kubernetes",
			says:  []string{"kube-apiserver.yaml.bak", "a second pod kube-system/kube-apiserver", "mv /etc/kubernetes/manifests/kube-apiserver.yaml.bak"},
		},
		{
			name:    "UnitMasked",
			prepare: "systemctl mask -q kubelet",
			clean:   "systemctl unmask -q kubelet",
			says:    []string{"kubelet.service is masked", "systemctl unmask kubelet.service"},
		},
		{
			name:    "ReadOnlyData",
			prepare: "mkdir /var/lib/etcd; mount -t tmpfs -o ro x /var/lib/etcd",
			clean:   "umount /var/lib/etcd; rmdir /var/lib/etcd",
			says:    []string{"/var/lib/etcd, for etcd's data, lies on a file system that is mounted read-only", "bootstrap explain etcd-disk-read-only"},
		},
		{
			name: "NotRoot",
			// A copy: /root is closed to others.
			prepare: "cp /root/bootstrap /tmp/bootstrap && chmod 755 /tmp/bootstrap",
			clean:   "rm /tmp/bootstrap",
			args:    []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/tmp/bootstrap", "init"},
			says:    []string{"not root", "sudo"},
		},
		{
			name:    "UnknownField",
			prepare: "printf 'apiVersion: kubeadm.k8s.io/v1beta4\\nkind: ClusterConfiguration\\nclustername: x\\n' >/tmp/config.yaml",
			clean:   "rm /tmp/config.yaml",
			args:    []string{"/root/bootstrap", "init", "--config", "/tmp/config.yaml"},
			says:    []string{"/tmp/config.yaml:3", "clustername", "clusterName"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := n.In(t)
			n.MustSh(c.prepare)
			if c.args == nil {
				c.args = []string{"/root/bootstrap", "init"}
			}
			if c.name == "PortTaken" {
				n.Eventually(10*time.Second, "listener", func() error { return n.Sh("ss -Hltn 'sport = :6443' | grep -q .").err() })
			}
			n.refused(n.survey(), c.args, c.says)
			n.MustSh(c.clean)
		})
	}
	t.Run("DamagedBundle", func(t *testing.T) {
		n := n.In(t)
		n.Copy(damagedBox(t, "kube-apiserver"), "/tmp/damaged")
		n.refused(n.survey(), []string{"/tmp/damaged", "init"}, []string{"/tmp/damaged", "kube-apiserver"})
	})
}

// refused: exit code 2, the reason is told, and nothing is changed.
func (n *Node) refused(before survey, args, says []string) {
	n.t.Helper()
	r := n.Exec(args...)
	if r.Code != 2 {
		n.t.Errorf("exit code is not 2: %s", r)
	}
	for _, text := range says {
		if !strings.Contains(r.Err, text) {
			n.t.Errorf("not told: %q in %s", text, r)
		}
	}
	n.SameSurvey("after a refusal", before)
}

// damagedBox is the box with one byte changed, in the middle of one image.
func damagedBox(t *testing.T, image string) string {
	t.Helper()
	data, err := os.ReadFile(path("bin/bootstrap-box"))
	if err != nil {
		t.Fatal(err)
	}
	data[len(data)-fromEnd(t, image)] ^= 1
	file := filepath.Join(t.TempDir(), "damaged")
	if err := os.WriteFile(file, data, 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

// fromEnd is how far the middle of an image is from the end of the box: the
// sizes that inspect lists are those of the file's parts, in their order.
func fromEnd(t *testing.T, image string) int {
	t.Helper()
	r := finish(t, exec.CommandContext(t.Context(), path("bin/bootstrap-box"), "bundle", "inspect"), "bundle inspect")
	distance, found := 0, false
	for line := range strings.Lines(r.Out) {
		fields := strings.Fields(line)
		if len(fields) != 6 || fields[0] == "KIND" {
			continue
		}
		packed, err := strconv.Atoi(fields[4])
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if found {
			distance += packed
		}
		if strings.Contains(fields[1], "/"+image+":") {
			distance, found = packed/2, true
		}
	}
	if !found {
		t.Fatalf("no %s in %s", image, r)
	}
	return distance
}

// TestPreflightCommand: a fresh node is fit, in time, and looking changes nothing; what
// is in the way of pods is told, and passed over if that is meant.
func TestPreflightCommand(t *testing.T) {
	n := Up(t, 4*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	before := n.survey()
	start := time.Now()
	if r := n.Exec("/root/bootstrap", "preflight"); r.Code != 0 || strings.Contains(r.Out, "not looked at") {
		t.Errorf("a fresh node: %s", r)
	}
	t.Logf("preflight took %s, with every byte of the bundle", time.Since(start).Round(time.Millisecond))
	n.SameSurvey("after preflight", before)

	n.MustSh("iptables -P FORWARD DROP; ip link add lan0 type bridge; ip address add 10.244.3.1/24 dev lan0; ip link set lan0 up; mv /etc/resolv.conf /etc/was")
	r := n.Exec("/root/bootstrap", "preflight")
	for _, id := range []string{"forward-drop", "subnet-overlap", "no-resolver"} {
		if r.Code != 0 || !strings.Contains(r.Out, "warning  "+id+" ") {
			t.Errorf("%s is not told: %s", id, r)
		}
	}
	r = n.Exec("/root/bootstrap", "preflight", "--ignore", "forward-drop,subnet-overlap", "--ignore", "no-resolver")
	if r.Code != 0 || strings.Contains(r.Out, "forward-drop") || strings.Contains(r.Out, "no-resolver") {
		t.Errorf("passed over, and told all the same: %s", r)
	}
}
