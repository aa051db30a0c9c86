package config

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzParse wants either errors or a Config that can do no harm, whatever the file.
func FuzzParse(f *testing.F) {
	for _, file := range append(files(f, "*.yaml"), files(f, "people/*.yaml")...) {
		f.Add(readFile(f, file), true)
	}
	f.Fuzz(func(t *testing.T, text string, routed bool) {
		m := machine
		if !routed {
			m.Address = netip.Addr{}
		}
		c, err := Parse("f.yaml", []byte(text), m)
		if err != nil {
			checkErrors(t, text, c, err)
			return
		}
		checkConfig(t, c)
		checkWritten(t, c, text)
	})
}

// checkErrors looks for words of Go that are not the user's own, quoted.
func checkErrors(t *testing.T, text string, c *Config, err error) {
	if c != nil {
		t.Error("a Config as well as an error")
	}
	many, ok := err.(interface{ Unwrap() []error })
	if !ok || len(many.Unwrap()) == 0 {
		t.Fatalf("no list of findings: %v", err)
	}
	for _, each := range many.Unwrap() {
		message := each.Error()
		for _, word := range []string{" config.", "struct {"} {
			if message == "" || strings.Contains(message, word) && !strings.Contains(text, word) {
				t.Errorf("not for a user: %q", message)
			}
		}
	}
}

// checkWritten: what is stored and migrated can be read again.
func checkWritten(t *testing.T, c *Config, text string) {
	checkRecord(t, c)
	cluster, err := c.ClusterConfiguration()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse("stored.yaml", cluster, Machine{Hostname: c.NodeName, Address: c.AdvertiseAddress}); err != nil {
		t.Errorf("stored: %v\n%s", err, cluster)
	}
	migrated, _, err := Migrate("f.yaml", []byte(text))
	if err != nil {
		t.Fatalf("migrate: %v", err)
	}
	if _, err := Parse("migrated.yaml", migrated, Machine{Hostname: c.NodeName, Address: c.AdvertiseAddress}); err != nil {
		t.Errorf("migrated: %v\n%s", err, migrated)
	}
}

// checkConfig asks for what the phases rely on.
func checkConfig(t *testing.T, c *Config) {
	var again builder
	again.validate(c)
	if len(again.errs) > 0 {
		t.Errorf("validate complains about what Parse accepted: %v", again.errs)
	}
	for _, u := range []string{c.APIServerURL(), c.EndpointURL()} {
		parsed, err := url.Parse(u)
		if err != nil || parsed.Scheme != "https" || parsed.Port() == "" || parsed.Path != "" || parsed.User != nil {
			t.Errorf("%q is no URL of an API server, %v", u, err)
		}
	}
	paths := []string{c.CertificatesDir}
	if c.Etcd.External == nil {
		paths = append(paths, c.Etcd.DataDir)
	}
	for _, p := range paths {
		if strings.Count(p, "/") < 2 || p[0] != '/' || slices.Contains(strings.Split(p, "/"), "..") || strings.ContainsAny(p, " \t\n\"'$%{}") {
			t.Errorf("unsafe path %q", p)
		}
	}
	if c.CRISocket != "" && !strings.HasPrefix(c.CRISocket, "unix:///") {
		t.Errorf("CRI socket %q", c.CRISocket)
	}
	checkSubnets(t, c)
	for _, args := range [][]Arg{c.Etcd.ExtraArgs, c.APIServer.ExtraArgs, c.ControllerManager.ExtraArgs, c.Scheduler.ExtraArgs, c.KubeletExtraArgs} {
		for _, a := range args {
			if a.Name == "" || a.Name[0] == '-' || !utf8.ValidString(a.Value) || strings.ContainsAny(a.Name+a.Value, "\n\r\x00") {
				t.Errorf("unsafe argument %q", a)
			}
		}
	}
}

func checkSubnets(t *testing.T, c *Config) {
	n := c.Networking
	if !n.ServiceSubnets[0].Contains(c.KubernetesServiceIP()) || !n.ServiceSubnets[0].Contains(c.DNSServiceIP()) {
		t.Errorf("Service addresses %s and %s are not in %s", c.KubernetesServiceIP(), c.DNSServiceIP(), n.ServiceSubnets[0])
	}
	for i, p := range c.NodePodSubnets() {
		if !n.PodSubnets[i].Overlaps(p) || p.Bits() < n.PodSubnets[i].Bits() {
			t.Errorf("node range %s is not in %s", p, n.PodSubnets[i])
		}
	}
	for _, p := range append(n.PodSubnets, n.ServiceSubnets...) {
		if !p.IsValid() || p != p.Masked() {
			t.Errorf("subnet %s", p)
		}
	}
}
