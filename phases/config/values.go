package config

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	netutils "k8s.io/utils/net"
)

// unread says what a flag of this type wants, where the component can't read the value; the
// parsers are the components' (github.com/spf13/pflag, k8s.io/component-base/cli/flag).
func unread(kind, value string) (want string) {
	var err error
	switch kind {
	case "bool":
		want = "true or false"
		_, err = strconv.ParseBool(value)
	case "int", "int64":
		want = "a whole number"
		_, err = strconv.ParseInt(value, 0, 64)
	case "int32":
		want = "a whole number"
		_, err = strconv.ParseInt(value, 0, 32)
	case "Level":
		want = "a whole number"
		_, err = strconv.ParseInt(value, 10, 32)
	case "uint", "uint32", "uint64":
		want = "a whole number that is not negative"
		_, err = strconv.ParseUint(value, 0, 64)
	case "float", "float32":
		want = "a number"
		_, err = strconv.ParseFloat(value, 32)
	case "duration":
		want = "a duration such as 40s or 1h30m"
		_, err = time.ParseDuration(value)
	case "portRange":
		want = "a range such as 30000-32767"
		_, err = utilnet.ParsePortRange(value)
	case "quantity":
		want = "a quantity such as 500m or 64Mi"
		_, err = resource.ParseQuantity(value)
	case "strings":
		want = "a list with commas between"
		_, err = csv.NewReader(strings.NewReader(cmp.Or(value, "none"))).Read()
	case "ip":
		want = "an IP address"
		if value != "" && netutils.ParseIPSloppy(strings.TrimSpace(value)) == nil {
			return want
		}
	}
	if err == nil {
		return ""
	}
	return want
}

// unfit says why a component does not take the value of a flag, or why nobody would reach it then.
func (c *Config) unfit(program, kind string, a Arg) []string {
	m, _ := minorOf(c.KubernetesVersion)
	if want := unread(kind, a.Value); want != "" {
		return []string{fmt.Sprintf("%q is not %s", a.Value, want)}
	}
	switch a.Name {
	case "enable-admission-plugins", "disable-admission-plugins":
		return m.unfitPlugins(a.Value)
	case "admission-control":
		return []string{"kube-apiserver does not take it beside enable-admission-plugins, which is set: add the plugins there"}
	case "authorization-mode":
		return unfitModes(program, a.Value)
	case "runtime-config":
		return m.unfitAPIs(a.Value)
	case "tls-cipher-suites", "cipher-suites":
		return unfitSuites(words(a.Value))
	case "node-labels":
		return unfitLabels(a.Value)
	case "eviction-hard", "eviction-soft":
		return unfitSignals(pairs(a.Value, "<"), isThreshold, "500Mi or 10%")
	case "eviction-soft-grace-period":
		return unfitSignals(pairs(a.Value, "="), isPeriod, "1m30s")
	case "eviction-minimum-reclaim":
		return unfitSignals(pairs(a.Value, "="), isReclaim, "500Mi or 10%")
	case "system-reserved", "kube-reserved":
		return unfitReserved(pairs(a.Value, "="))
	case "oidc-issuer-url":
		return unfitIssuer(a.Value)
	case "bind-address":
		return c.unfitAddress(program, a.Value)
	}
	return unfitWord(knownWords(program)[a.Name], a.Value)
}

// words are those of a list as pflag reads it: a blank behind a comma belongs to the next word.
func words(list string) []string {
	read, _ := csv.NewReader(strings.NewReader(list)).Read() // said already
	return read
}

// pairs are those of a list such as a=1,b=2, with this sign between.
func pairs(list, sign string) map[string]string {
	all := map[string]string{}
	for _, pair := range strings.Split(list, ",") {
		if name, value, _ := strings.Cut(pair, sign); pair != "" {
			all[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return all
}

// knownWords are flags whose value is one of a few words; what is empty is left to the component.
func knownWords(program string) map[string][]string {
	if program == "etcd" {
		versions := []string{"TLS1.2", "TLS1.3"}
		return map[string][]string{
			"tls-min-version": versions, "tls-max-version": versions, "log-level": {"debug", "info", "warn", "error", "panic", "fatal", "dpanic"},
			"auto-compaction-mode": {"periodic", "revision"}, "log-format": {"json", "console"}, "metrics": {"basic", "extensive"},
			"initial-cluster-state": {"new", "existing"}, "logger": {"zap"},
		}
	}
	modes := []string{"batch", "blocking", "blocking-strict"}
	return map[string][]string{
		"cloud-provider": {"external"}, "tls-min-version": tlsVersions, "logging-format": {"text", "json"}, "leader-elect-resource-lock": {"leases"},
		"audit-log-mode": modes, "audit-webhook-mode": modes, "audit-log-format": {"json", "legacy"}, "audit-log-version": {"audit.k8s.io/v1"},
		"storage-backend": {"etcd3"}, "endpoint-reconciler-type": {"lease", "master-count", "none"}, "audit-webhook-version": {"audit.k8s.io/v1"},
		"cgroup-driver": {"systemd", "cgroupfs"}, "cpu-manager-policy": kubeletWords["cpuManagerPolicy"], "hairpin-mode": kubeletWords["hairpinMode"],
		"topology-manager-policy": kubeletWords["topologyManagerPolicy"], "topology-manager-scope": kubeletWords["topologyManagerScope"],
		"memory-manager-policy": kubeletWords["memoryManagerPolicy"],
	}
}

func unfitWord(known []string, word string) []string {
	if known == nil || word == "" || slices.Contains(known, word) {
		return nil
	}
	if len(known) == 1 {
		return []string{fmt.Sprintf("%q is unknown, want %s", word, known[0])}
	}
	return []string{fmt.Sprintf("%q is unknown, want one of %s", word, strings.Join(known, ", "))}
}

// unfitAddress refuses where nobody reaches the API server: others know it by the advertise address.
func (c *Config) unfitAddress(program, address string) []string {
	a, err := netip.ParseAddr(strings.TrimSpace(address))
	if program != "kube-apiserver" || err != nil || !a.IsLoopback() {
		return nil
	}
	return []string{fmt.Sprintf("the kubelet and pods reach the API server at %s, not at %s: leave it out", c.AdvertiseAddress, a)}
}
