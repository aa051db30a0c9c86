package observe

import (
	"slices"
	"strings"
	"testing"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/spec"
)

func forwarding(t *testing.T, o *Observer) diagnose.Limits {
	t.Helper()
	fill, err := o.lookAtForwarding(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var m diagnose.Machine
	fill(&m)
	return m.Limits
}

// TestForwardingUndone: a setting has several names, and files have an order.
func TestForwardingUndone(t *testing.T) {
	const late, early = "/etc/sysctl.d/99-zz.conf", "/etc/sysctl.d/10-a.conf"
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"ip_forward":            {map[string]string{late: "net.ipv4.ip_forward=0"}, []string{"sets net.ipv4.ip_forward = 0"}},
		"its other name":        {map[string]string{late: "net.ipv4.conf.all.forwarding = 0"}, []string{"sets net.ipv4.conf.all.forwarding = 0"}},
		"slashes":               {map[string]string{late: "-net/ipv4/conf/all/forwarding=0"}, []string{"sets net.ipv4.conf.all.forwarding = 0"}},
		"every link":            {map[string]string{late: "net.ipv4.conf.*.forwarding = 0"}, []string{"sets net.ipv4.conf.*.forwarding = 0"}},
		"every link, early":     {map[string]string{early: "net.ipv4.conf.*.forwarding = 0"}, []string{"sets net.ipv4.conf.*.forwarding = 0"}}, // as the bridge comes later
		"new links":             {map[string]string{late: "net.ipv4.conf.default.forwarding = 0"}, []string{"conf.default.forwarding = 0"}},
		"new links, early":      {map[string]string{early: "net.ipv4.conf.default.forwarding = 0"}, nil},
		"libvirt's":             {map[string]string{late: "net.bridge.bridge-nf-call-iptables = 0\nnet.bridge.bridge-nf-call-ip6tables = 0"}, []string{"bridge-nf-call-iptables = 0"}},
		"all of the bridges'":   {map[string]string{late: "net.bridge.* = 0"}, nil}, // ours is named, which goes before patterns
		"early":                 {map[string]string{early: "net.ipv4.ip_forward=0\nnet.ipv4.conf.all.forwarding=0\nnet.bridge.bridge-nf-call-iptables=0"}, nil},
		"and on again":          {map[string]string{late: "net.ipv4.conf.all.forwarding=0\nnet.ipv4.ip_forward=1"}, []string{"conf.all.forwarding = 0"}}, // ours said so before: it stays there
		"on again, otherwise":   {map[string]string{late: "net.ipv4.ip_forward=0\nnet.ipv4.conf.all.forwarding=1"}, nil},
		"off before, and again": {map[string]string{early: "net.ipv4.conf.all.forwarding=0", late: "net.ipv4.conf.all.forwarding=0"}, nil}, // said twice, it counts early
		"IPv6, which is unused": {map[string]string{late: "net.ipv6.conf.all.forwarding=0"}, nil},
		"others":                {map[string]string{late: "net.ipv4.conf.all.mc_forwarding=0\nnet.ipv4.ip_forward_use_pmtu=0\n#net.ipv4.ip_forward=0"}, nil},
		"before ours":           {map[string]string{early: "net.ipv4.ip_forward=1", "/etc/sysctl.d/50-b.conf": "net.ipv4.conf.all.forwarding=0"}, []string{"50-b.conf sets"}},
	} {
		o := testObserver(t, "default")
		for file, text := range c.files {
			hosttest.Put(t, o.Host, file, text+"\n", 0o644)
		}
		if got := forwarding(t, o).ForwardingUndone; !slices.EqualFunc(got, c.want, strings.Contains) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestForwardingOff: what init turned on, and only that.
func TestForwardingOff(t *testing.T) {
	o := testObserver(t, "default")
	for _, name := range []string{ipForward, bridgeFilter, forward6} {
		hosttest.Put(t, o.Host, "/proc/sys/"+name, "0\n", 0o644)
	}
	if off := forwarding(t, o).ForwardingOff; off != nil {
		t.Errorf("before init: %q", off)
	}
	if _, err := o.Host.WriteFile(spec.SysctlFile, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if off := forwarding(t, o).ForwardingOff; !slices.Equal(off, []string{"net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables"}) {
		t.Errorf("%q", off)
	}
	hosttest.Put(t, o.Host, "/proc/sys/"+ipForward, "1\n", 0o644)
	o.Config.Box.Standalone = true
	if off := forwarding(t, o).ForwardingOff; off != nil {
		t.Errorf("without Services: %q", off)
	}
}
