package e2e

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// TestKeepAsMade: a proxy of all units does not come between the kubelet and its API server, and a cluster
// stays as it was made when its machine gets another name, another default route, or its disk late.
func TestKeepAsMade(t *testing.T) {
	n := Up(t, 20*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	n.Write("/etc/systemd/system.conf.d/proxy.conf",
		`[Manager]`+"\n"+`DefaultEnvironment="HTTP_PROXY=http://192.0.2.80:3128" "HTTPS_PROXY=http://192.0.2.80:3128" "NO_PROXY=localhost,127.0.0.1"`+"\n")
	n.Write("/etc/systemd/system/late.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=sleep 25\n")
	n.MustSh(`mkdir -p /srv/etcd-disk /var/lib/etcd
		echo '/srv/etcd-disk /var/lib/etcd none bind,nofail,x-systemd.requires=late.service,x-systemd.after=late.service 0 0' >>/etc/fstab
		systemctl daemon-reexec; systemctl daemon-reload; mount --bind /srv/etcd-disk /var/lib/etcd`)
	n.MustBootstrap("init", "--timeout", "2m")
	n.MustKubectl("create", "namespace", "marker")
	for _, step := range []struct {
		name string
		run  func(*Node)
	}{{"Proxy", (*Node).proxyCompleted}, {"Silent", (*Node).silentKubelet}, {"Renamed", (*Node).renamed}, {"Route", (*Node).otherRoute}, {"LateDisk", (*Node).lateDisk}} {
		t.Run(step.name, func(t *testing.T) { step.run(n.In(t)) })
	}
	n.MustReset("/root/bootstrap")
}

// againNothing wants another init to change nothing.
func (n *Node) againNothing(what string) {
	n.t.Helper()
	if r := n.Bootstrap("init"); r.Code != 0 || !r.Has("Nothing to change") {
		n.t.Errorf("%s, init again: %s", what, r)
	}
}

func (n *Node) proxyCompleted() {
	for _, unit := range []string{"kubelet", "containerd"} {
		shown := n.MustExec("systemctl", "show", unit, "-p", "Environment")
		for _, want := range []string{"NO_PROXY=localhost,127.0.0.1,", "10.96.0.0/12", "10.244.0.0/16", n.IP} {
			if !strings.Contains(shown, want) {
				n.t.Errorf("%s of %s lacks %s", shown, unit, want)
			}
		}
	}
	n.againNothing("with a proxy")
}

// silentKubelet: the Node is shown as Ready for a while after its kubelet has said the last word.
func (n *Node) silentKubelet() {
	n.Eventually(30*time.Second, "the kubelet's Lease", func() error { // which it makes some seconds after its Node
		if r := n.Kubectl("get", "lease", "-n", "kube-node-lease", n.Name); r.Code != 0 {
			return errors.New(r.String())
		}
		return nil
	})
	n.MustSh("kill -STOP $(pidof kubelet)")
	time.Sleep(55 * time.Second)
	if s := n.status(1); s.state("kubelet") != "not-ready" {
		n.t.Errorf("a kubelet that is stopped: %+v", s)
	}
	n.MustSh("kill -CONT $(pidof kubelet)")
	n.MustBootstrap("status", "--wait", "--timeout", "1m")
}

func (n *Node) renamed() {
	was := strings.TrimSpace(n.MustExec("hostname"))
	n.MustSh("hostname ip-10-77-0-9; echo ip-10-77-0-9 >/etc/hostname; systemctl restart kubelet; sleep 15")
	n.MustBootstrap("status", "--wait", "--timeout", "1m")
	if names := n.MustKubectl("get", "nodes", "-o", "name"); strings.TrimSpace(names) != "node/"+was {
		n.t.Errorf("the nodes are %s, and it was %s", names, was)
	}
	n.againNothing("with another name")
	n.MustSh("hostname " + was + "; echo " + was + " >/etc/hostname")
}

func (n *Node) otherRoute() {
	n.MustSh(`ip link add vpn0 type veth peer name vpn1; ip address add 10.99.0.5/24 dev vpn0; ip link set vpn0 up; ip link set vpn1 up
		ip route show default >/root/default
		ip route del default; ip route add default via 10.77.0.1 dev eth0 metric 100; ip route add default via 10.99.0.1 dev vpn0 metric 50`)
	n.againNothing("with the default route of a VPN")
	n.MustBootstrap("status")
	n.MustSh("ip link del vpn0; ip route flush default; ip route add $(cat /root/default); rm /root/default")
}

// lateDisk: before etcd's disk is there, nobody answers, least of all an empty cluster, and status says why.
func (n *Node) lateDisk() {
	rebooted := make(chan Result, 1)
	go func() { rebooted <- n.run("reboot", n.Name) }()
	named := false
	for booted := false; !booted; {
		select {
		case r := <-rebooted:
			n.must(r)
			booted = true
		case <-time.After(2 * time.Second):
			if r := n.Kubectl("get", "namespace", "marker"); r.Has("NotFound") {
				n.t.Errorf("an empty cluster answers: %s", r)
			}
			named = named || n.Bootstrap("status").Has("etcd-data-gone")
		}
	}
	if !named {
		n.t.Error("status did not say that etcd's disk is not there")
	}
	n.Eventually(2*time.Minute, "the namespace of before", func() error {
		if r := n.Kubectl("get", "namespace", "marker"); r.Code != 0 {
			return errors.New(r.String())
		}
		return nil
	})
	n.Healthy(time.Minute)
	n.MustSh("findmnt /var/lib/etcd; umount --lazy /var/lib/etcd; ls -A /var/lib/etcd | wc -l | grep -x 0; mount --bind /srv/etcd-disk /var/lib/etcd")
}
