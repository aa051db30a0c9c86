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

func programEntries() []Entry {
	return []Entry{
		{
			ID: "unit-masked", Title: "a unit that must run is masked",
			Means:  "systemd starts no unit that is masked: somebody has linked it to /dev/null.",
			Remedy: "systemctl unmask kubelet containerd",
			Check: func(m *Machine) []Finding {
				var found []Finding
				for _, unit := range m.Masked {
					found = append(found, Finding{Level: Error, What: unit + " is masked, so that systemd can't start it", Remedy: "systemctl unmask " + unit})
				}
				return found
			},
			Cause: unitMasked,
		},
		{
			ID: "runtime-without-cri", Title: "the container runtime's CRI is turned off",
			Means:  "The kubelet speaks CRI with the runtime. Docker's package of containerd comes with a configuration that turns the CRI plugin off.",
			Remedy: "take \"cri\" out of disabled_plugins in /etc/containerd/config.toml, and restart it: systemctl restart containerd",
			Check: func(m *Machine) []Finding {
				return findingIf(m.CRI.NoCRI, Finding{Level: Error, What: fmt.Sprintf("the container runtime at %s does not speak CRI, which the kubelet needs", m.CRI.Socket)})
			},
			Cause: runtimeWithoutCRI,
		},
		{
			ID: "runtime-hangs", Title: "the container runtime does not answer",
			Means:  "It takes connections and says nothing: it may be busy, or stuck.",
			Remedy: "see what it does: journalctl -u containerd -n 50; restart it: systemctl restart containerd",
			Check: func(m *Machine) []Finding {
				return findingIf(m.CRI.Hangs, Finding{Level: Warning, What: fmt.Sprintf("the container runtime at %s takes connections and does not answer", m.CRI.Socket)})
			},
			Cause: runtimeHangs,
		},
		{
			ID: "runtime-disagrees", Title: "the container runtime is configured otherwise than the kubelet",
			Means:  "The runtime and the kubelet must make cgroups in the same way, and look for the pod network in the same folders.",
			Remedy: "change the runtime's configuration, and restart it",
			Check: func(m *Machine) []Finding {
				return findingIf(m.CRI.Wrong != "", Finding{Level: Error, What: m.CRI.Wrong, Remedy: m.CRI.Mend})
			},
		},
		{
			ID: "runtime-old", Title: "containerd is older than version 2",
			Means:  "Such a containerd does not tell the kubelet its cgroup driver; both must be configured alike. Kubernetes 1.37 will refuse it.",
			Remedy: "update containerd to version 2, or remove it: bootstrap installs its own",
			Check: func(m *Machine) []Finding {
				old := m.CRI.Name == "containerd" && (strings.HasPrefix(m.CRI.Version, "1.") || strings.HasPrefix(m.CRI.Version, "0."))
				return findingIf(old, Finding{Level: Warning, What: fmt.Sprintf("containerd at %s is %s: Kubernetes wants version 2", m.CRI.Socket, m.CRI.Version)})
			},
		},
		{
			ID: "external-etcd-unreachable", Title: "the external etcd does not answer",
			Means:  "The API server keeps everything there, and does not start before it has an answer.",
			Remedy: "see that it runs and is reached from here, and that etcd.external's caFile, certFile and keyFile are right",
			Check:  externalUnreachable,
			Cause:  externalEtcd,
		},
		{
			ID: "external-etcd-old", Title: "the external etcd is older than 3.5",
			Means:  "The API server uses calls that older etcds do not have, and loses data with some of them.",
			Remedy: "update it to 3.5 or later",
			Check:  externalOld,
		},
	}
}

func externalUnreachable(m *Machine) []Finding {
	var found []Finding
	for _, e := range m.External {
		if e.Error != "" {
			found = append(found, Finding{Level: Warning, What: fmt.Sprintf("etcd at %s: %s", e.URL, e.Error)})
		}
	}
	slow := slices.ContainsFunc(m.External, func(e ExternalEtcd) bool { return e.Slow })
	if len(found) == len(m.External) && !slow { // not one answers, nor will
		for i := range found {
			found[i].Level = Error
		}
	}
	return found
}

func externalOld(m *Machine) []Finding {
	var found []Finding
	for _, e := range m.External {
		var major, minor int
		n, _ := fmt.Sscanf(e.Version, "%d.%d", &major, &minor)
		if n == 2 && (major < 3 || major == 3 && minor < 5) {
			found = append(found, Finding{Level: Warning, What: fmt.Sprintf("etcd at %s is %s: the API server wants 3.5 or later", e.URL, e.Version)})
		}
	}
	return found
}
