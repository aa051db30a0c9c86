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

// apiServerEntries are about the API server, and who may not talk to it.
func apiServerEntries() []Entry {
	return []Entry{
		{
			ID:     "firewall-drops-api",
			Title:  "packets to the API server are dropped",
			Means:  "kube-apiserver runs and listens, but a connection to it from its own node gets no answer at all: a firewall drops it.",
			Remedy: "let TCP to the port pass, also from this machine to itself",
			Cause:  firewallDropsAPI,
		},
		{
			ID:     "etcd-refuses-api",
			Title:  "etcd and the API server do not trust each other's certificates",
			Means:  "The connection is made, but one side does not take the certificate of the other.",
			Remedy: "see that the certificate for etcd clients is signed by the CA that etcd trusts; bootstrap init makes new ones if they are bootstrap's",
			Cause:  etcdRefusesAPI,
		},
		{
			ID:     "kubelet-not-authorized",
			Title:  "the API server refuses the kubelet",
			Means:  "It does not take the kubelet's certificate, or knows no rights of kubelets. So the kubelet can neither register its Node nor tell of its pods: no mirror pod will come.",
			Remedy: "see that --authorization-mode of kube-apiserver has Node; then run bootstrap init again: it makes /etc/kubernetes/kubelet.conf anew; and restart the kubelet",
			Cause:  kubeletNotAuthorized,
		},
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
	return []Finding{{
		Level: level, What: fmt.Sprintf("etcd at %s does not answer kube-apiserver: %s", match[1], said(match[2])),
		See: e.logCommand("kube-apiserver"), Excerpt: excerpt(line),
	}}
}

func etcdRefusesAPI(e *Evidence) []Finding {
	line, match := lastMatch(e.logOf("kube-apiserver"), handshake)
	if match == nil || e.API.Status == 200 {
		return nil
	}
	return []Finding{{
		Level: Warning, What: "etcd and kube-apiserver refuse each other's certificates",
		See: e.logCommand("etcd"), Excerpt: excerpt(line),
	}}
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
	return []Finding{{
		Level: Warning, What: "the API server refuses the kubelet: " + said(match[1]+match[2]), See: "journalctl -u kubelet -n 50", Excerpt: excerpt(line),
	}}
}
