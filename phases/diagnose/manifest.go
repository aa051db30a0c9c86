package diagnose

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"bootstrap/phases/lazyregexp"
	"bootstrap/phases/machine"
	"bootstrap/phases/runtime"
)

func manifestRules() map[string]Rule {
	return map[string]Rule{
		"manifest-invalid":       {Cause: manifestInvalid},
		"manifest-refused":       {Cause: manifestRefused},
		"manifest-gone":          {Cause: manifestGone},
		"static-pod-blocked":     {Cause: ofFirstComponent((*Evidence).blocked)},
		"manifest-port-conflict": {Cause: portConflict},
		"files-drifted":          {Cause: filesDrifted},
	}
}

func manifestInvalid(e *Evidence) Findings {
	const invalid = "%s is no valid Pod: %s"
	return forEach(e.Manifests, func(m Manifest) Findings {
		if m.Ours {
			return errorIf(m.Error != "", invalid, m.Path, m.Error).see(kubeletLog).
				remedy("mend the file, or run bootstrap init: it writes it as the config has it")
		}
		return warnIf(m.Error != "", invalid, m.Path, m.Error).see(kubeletLog)
	})
}

// manifestRead is what the kubelet says of a file that it has read and does not take.
var manifestRead = lazyregexp.New(`"(?:Unable to process watch event|Could not process manifest file)" err="(.+?)"(?: path="([^"]+)")?\s*$`)

// manifestRefused is asked only of the file that is waited for: what it says of it is the last.
func manifestRefused(e *Evidence) Findings {
	if e.Settings.Manifest == "" {
		return nil
	}
	for _, l := range slices.Backward(e.Journal[kubeletUnit]) {
		m := manifestRead().FindStringSubmatch(l.Text)
		if m == nil || l.At.Before(e.Since) || !strings.Contains(strings.ReplaceAll(l.Text, `\`, ""), `"`+e.Settings.Manifest+`"`) {
			continue
		}
		reason := strings.TrimPrefix(unquoted(m[1]), fmt.Sprintf("can't process config file %q: ", e.Settings.Manifest))
		return finding(Error, "the kubelet refuses %s: %s", e.Settings.Manifest, reason).see(kubeletLog).proof(l.Text)
	}
	return nil
}

// blocked is a static pod whose manifest was changed while a kubelet ran that has met no API server: it
// may have read of another under that name, and starts none in its place. A kubelet that makes other
// pods is not only slow. The kubelet itself says it only at -v=4 ("Pod cannot start yet").
func (e *Evidence) blocked(name string) Findings {
	unit, file, pod := e.Units[kubeletUnit], e.Settings.StaticPodDir+"/"+name+".yaml", e.Settings.podOf(name)
	i := slices.IndexFunc(e.Manifests, func(m Manifest) bool { return m.Path == file })
	if i < 0 || unit.Active != "active" || e.RuntimeError != "" || e.API.Dial == Open {
		return nil
	}
	changed, minutes := e.Manifests[i].Changed, max(1, e.Crowding) // a busy machine takes longer
	isIt := func(p runtime.Sandbox) bool { return p.FullName() == pod && !e.outdated(p) }
	isOther := func(p runtime.Sandbox) bool { return p.FullName() != pod && p.Created.After(changed) }
	waits := changed.After(unit.Started) && e.Now.Sub(changed).Minutes() > minutes && !slices.ContainsFunc(e.Pods, isIt)
	return warnIf(waits && slices.ContainsFunc(e.Pods, isOther), "the kubelet makes no pod of %s, which was changed after the kubelet was started: "+
		"one that has not met its API server since starts no static pod in place of another of the same name, "+
		"be it that it never started that one", file).see(kubeletLog)
}

// manifestGone: moved to another name in the folder, it still runs.
func manifestGone(e *Evidence) Findings {
	return forEach(e.Settings.Components, func(component string) Findings {
		path := e.Settings.StaticPodDir + "/" + component + ".yaml"
		gone := slices.Contains(e.Files, machine.Drift{Path: path, What: "gone"})
		moved := slices.ContainsFunc(e.Manifests, func(m Manifest) bool { return m.Name == "kube-system/"+component })
		return errorIf(gone && !moved, "%s is gone, and with it %s", path, component)
	})
}

// portConflict: a copy of a manifest is the same pod twice, and wants its port once.
func portConflict(e *Evidence) (found Findings) {
	for i, m := range e.Manifests {
		for _, port := range m.Ports {
			wants := func(other Manifest) bool {
				return other.Name != m.Name && slices.ContainsFunc(other.Ports, meets(port))
			}
			if i := slices.IndexFunc(e.Manifests[:i], wants); i >= 0 {
				const text = "%s and %s both want port %d of this machine"
				other := e.Manifests[i]
				found = append(found, finding(certainIf(other.Ours || m.Ours), text, other.Path, m.Path, port.Port())...)
			}
		}
	}
	return found
}

// meets tells of ports that nobody has beside this one: at one address, or at any.
func meets(port netip.AddrPort) func(netip.AddrPort) bool {
	return func(other netip.AddrPort) bool {
		a, b := port.Addr(), other.Addr()
		return port.Port() == other.Port() && (a == b || a.IsUnspecified() || b.IsUnspecified())
	}
}

// foreignManifest finds a second file for a pod of ours; other static pods are anybody's to run.
func foreignManifest(e *Evidence) Findings {
	return forEach(e.Manifests, func(m Manifest) Findings {
		own := e.Settings.StaticPodDir + "/" + strings.TrimPrefix(m.Name, "kube-system/") + ".yaml"
		return warnIf(!m.Ours && e.isOurs(m.Name), "%s is there, and bootstrap did not make it: it is for the same pod as %s", m.Path, own).
			remedy("keep copies elsewhere: mv %s /root/", m.Path).see("ls -la " + e.Settings.StaticPodDir)
	})
}

func filesDrifted(e *Evidence) Findings {
	if len(e.Files) == 0 {
		return nil
	}
	const most = 5
	var names []string
	for _, f := range e.Files[:min(most, len(e.Files))] {
		if e.passedOver(f.Path) {
			f.What += ", and not taken up: the kubelet starts the pod anew when its metadata.uid is another"
		}
		names = append(names, fmt.Sprintf("%s (%s)", f.Path, f.What))
	}
	if more := len(e.Files) - most; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return finding(Warning, "not as bootstrap wrote them: %s", strings.Join(names, ", ")).see("bootstrap status -o json")
}

// passedOver tells of a manifest that was edited by hand while its pod runs on as it was: of a pod
// with the same UID the kubelet compares no more than the images.
func (e *Evidence) passedOver(file string) bool {
	i := slices.IndexFunc(e.Manifests, func(m Manifest) bool { return m.Path == file && m.Ours })
	if i < 0 {
		return false
	}
	pod := e.Settings.podOf(strings.TrimPrefix(e.Manifests[i].Name, "kube-system/"))
	older := func(c runtime.Container) bool { return c.Running && c.Created.Before(e.Manifests[i].Changed) }
	return slices.ContainsFunc(e.Pods, func(p runtime.Sandbox) bool {
		return p.FullName() == pod && !e.outdated(p) && slices.ContainsFunc(p.Containers, older)
	})
}
