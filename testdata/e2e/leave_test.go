package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// secondMember starts another etcd on the node, with certificates of its own that a
// reset does not touch, and makes it a member.
const secondMember = `
cp -r /etc/kubernetes/pki/etcd /root/etcd-pki
cp /usr/local/bin/etcdctl /root/etcdctl
pki=/root/etcd-pki
/root/etcdctl --endpoints https://127.0.0.1:2379 --cacert $pki/ca.crt --cert $pki/server.crt --key $pki/server.key \
	member add second --peer-urls https://%[2]s:12380
systemd-run -q --unit=second /root/etcd --name second --data-dir /root/second --initial-cluster-state existing \
	--initial-cluster "%[1]s=https://%[2]s:2380,second=https://%[2]s:12380" \
	--listen-peer-urls https://%[2]s:12380 --initial-advertise-peer-urls https://%[2]s:12380 \
	--listen-client-urls http://127.0.0.1:12379 --advertise-client-urls http://127.0.0.1:12379 \
	--peer-cert-file $pki/peer.crt --peer-key-file $pki/peer.key --peer-trusted-ca-file $pki/ca.crt --peer-client-cert-auth
`

// TestLeave: where etcd has another member, reset leaves it a cluster that works.
func TestLeave(t *testing.T) {
	n := Up(t, 4*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	n.Copy(".cache/components/etcd/etcd", "/root/etcd")
	n.MustBootstrap("init")
	n.MustSh(fmt.Sprintf(secondMember, n.Name, n.IP))
	second := func(args string) Result { return n.Sh("/root/etcdctl --endpoints http://127.0.0.1:12379 " + args) }
	n.Eventually(30*time.Second, "two members", func() error {
		// A write needs both.
		return second("put canary alive").err()
	})

	n.MustExec("mv", "/usr/local/bin/etcdctl", "/root/away") // reset does without
	r := n.MustBootstrap("reset", "--force", "-o", "json")
	if want := fmt.Sprintf(`{"op":"etcd-member","verb":"remove","target":%q}`, n.Name); !r.Has(want) {
		t.Errorf("no %s in %s", want, r)
	}
	if list := second("member list"); strings.Count(list.Out, "\n") != 1 || !list.Has("second") {
		t.Errorf("members after reset: %s", list)
	}
	if value := second("get canary --print-value-only; /root/etcdctl --endpoints http://127.0.0.1:12379 put canary on"); !value.Has("alive") || value.Code != 0 {
		t.Errorf("the other member does not work alone: %s", value)
	}
}
