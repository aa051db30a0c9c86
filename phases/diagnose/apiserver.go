package diagnose

import (
	"fmt"
	"regexp"
	"strings"
)

var (
	etcdDialing = regexp.MustCompile(`Addr: "([^"]+)".*(?:Error while dialing: |authentication handshake failed: )(.*?)"?$`)
	// kubeletRefused is of what a kubelet may always do. A pod and what it uses are refused to
	// every kubelet until the API server has seen where the pod runs.
	kubeletRefused = regexp.MustCompile(`(?:: |err=")(Unauthorized)|(User \\?"system:(?:anonymous|node:[^"\\]*)\\?" cannot \w+ resource \\?"(?:nodes|leases|csinodes|csidrivers|runtimeclasses|services)\\?")`)
)

// apiServerRules are about the API server, and who may not talk to it.
func apiServerRules() map[string]Rule {
	return map[string]Rule{
		"firewall-drops-api":     {Cause: firewallDropsAPI},
		"etcd-refuses-api":       {Cause: etcdRefusesAPI},
		"kubelet-not-authorized": {Cause: kubeletNotAuthorized},
	}
}

// firewallDropsAPI: a port on which nobody listens answers with a reset, so silence on
// one's own address is a firewall's.
func firewallDropsAPI(e *Evidence) []Finding {
	c := e.container("kube-apiserver")
	if c == nil || !c.Running || e.API.Dial != TimedOut || e.stopped(c.ID) != 0 {
		return nil
	}
	port := e.API.Address[strings.LastIndex(e.API.Address, ":")+1:]
	return []Finding{{
		Level: Error, What: fmt.Sprintf("kube-apiserver runs, but connections to %s get no answer: a firewall drops them", e.API.Address),
		Remedy: fmt.Sprintf("find the rule (nft list ruleset; iptables -S) and let TCP port %s pass", port),
		See:    "nft list ruleset | grep -n -e drop -e " + port,
	}}
}

func externalEtcd(e *Evidence) []Finding {
	if len(e.Settings.ExternalEtcd) == 0 || e.API.Status != 0 {
		return nil
	}
	line, match := lastMatch(e.logOf("kube-apiserver"), etcdDialing)
	if match == nil {
		return nil
	}
	level := Warning
	if e.ended("kube-apiserver") != nil { // it has waited for 20 s
		level = Error
	}
	what := fmt.Sprintf("etcd at %s does not answer kube-apiserver: %s", match[1], said(match[2]))
	return e.provedByLog(level, "kube-apiserver", what, line)
}

func etcdRefusesAPI(e *Evidence) []Finding {
	line, match := lastMatch(e.logOf("kube-apiserver"), handshake)
	if match == nil || e.API.Status == 200 {
		return nil
	}
	return e.provedByLog(Warning, "etcd", "etcd and kube-apiserver refuse each other's certificates", line)
}

var handshake = regexp.MustCompile(`authentication handshake failed: ((?:tls|x509|remote error): .*?)"?$`)

// kubeletNotAuthorized wants the API server to be well: before, it may refuse anybody, also
// shortly before the present wait began.
func kubeletNotAuthorized(e *Evidence) []Finding {
	age := steady
	if !e.Waits.IsZero() {
		age = min(age, e.waited())
	}
	line, match := e.recent("kubelet.service", age, kubeletRefused)
	if match == nil || e.API.Status != 200 {
		return nil
	}
	return provedByKubelet(Warning, "the API server refuses the kubelet: "+match[1]+match[2], line.Text)
}
