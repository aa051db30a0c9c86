package diagnose

import (
	"fmt"
	"slices"
	"strings"
)

// CRI is how a container runtime that is not ours answers; zero where bootstrap
// installs its own, or none runs yet.
type CRI struct {
	Socket  string
	Hangs   bool   // it takes the connection, and says nothing
	NoCRI   bool   // it is a runtime whose CRI plugin is off
	Name    string // containerd, cri-o, ...
	Version string // without a v
	Wrong   string // what in its configuration does not agree with ours
	Mend    string // what to do about that
}

// ExternalEtcd is a member of the etcd that others run, asked at its URL.
type ExternalEtcd struct {
	URL     string
	Error   string // why it gave no version
	Slow    bool   // it may answer later
	Version string
}

func programRules() map[string]Rule {
	return map[string]Rule{
		"unit-masked": {Cause: unitMasked, Check: func(m *Machine) []Finding {
			return forEach(m.Masked, func(unit string) []Finding {
				return []Finding{{Level: Error, What: unit + " is masked, so that systemd can't start it", Remedy: "systemctl unmask " + unit}}
			})
		}},
		"runtime-without-cri": {Cause: runtimeWithoutCRI, Check: func(m *Machine) []Finding {
			return errorIf(m.CRI.NoCRI, "the container runtime at %s does not speak CRI, which the kubelet needs", m.CRI.Socket)
		}},
		"runtime-hangs": {Cause: runtimeHangs, Check: func(m *Machine) []Finding {
			return warnIf(m.CRI.Hangs, "the container runtime at %s takes connections and does not answer", m.CRI.Socket)
		}},
		"runtime-disagrees": {Check: func(m *Machine) []Finding {
			return findingIf(m.CRI.Wrong != "", Finding{Level: Error, What: m.CRI.Wrong, Remedy: m.CRI.Mend})
		}},
		"runtime-old": {Check: func(m *Machine) []Finding {
			old := m.CRI.Name == "containerd" && (strings.HasPrefix(m.CRI.Version, "1.") || strings.HasPrefix(m.CRI.Version, "0."))
			return warnIf(old, "containerd at %s is %s: Kubernetes wants version 2", m.CRI.Socket, m.CRI.Version)
		}},
		"external-etcd-unreachable": {Check: externalUnreachable, Cause: externalEtcd},
		"external-etcd-old": {Check: func(m *Machine) []Finding {
			return forEach(m.External, externalOld)
		}},
	}
}

func externalUnreachable(m *Machine) []Finding {
	level := Warning
	mayAnswer := func(e ExternalEtcd) bool { return e.Error == "" || e.Slow }
	if !slices.ContainsFunc(m.External, mayAnswer) {
		level = Error
	}
	return forEach(m.External, func(e ExternalEtcd) []Finding {
		return findingIf(e.Error != "", Finding{Level: level, What: fmt.Sprintf("etcd at %s: %s", e.URL, e.Error)})
	})
}

func externalOld(e ExternalEtcd) []Finding {
	var major, minor int
	n, _ := fmt.Sscanf(e.Version, "%d.%d", &major, &minor)
	old := n == 2 && (major < 3 || major == 3 && minor < 5)
	return warnIf(old, "etcd at %s is %s: the API server wants 3.5 or later", e.URL, e.Version)
}
