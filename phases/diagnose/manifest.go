package diagnose

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

func manifestEntries() []Entry {
	return []Entry{
		{
			ID:     "manifest-invalid",
			Title:  "a static pod's manifest is no valid Pod",
			Means:  "The kubelet passes over a file that it can't read, and stops the pod that came from it before.",
			Remedy: "mend the file; or, if it is one of bootstrap's, run bootstrap init: it writes it as the config has it",
			Cause:  manifestInvalid,
		},
		{
			ID:     "manifest-refused",
			Title:  "the kubelet refuses a static pod's manifest",
			Means:  "It reads the file and finds in it what a static pod can't have. A pod that came from the file before is stopped when the kubelet reads the folder the next time, after 20 s at most.",
			Remedy: "mend the file",
			Mend:   "mend what it names, and apply the manifest again",
			Cause:  manifestRefused,
		},
		{
			ID:     "manifest-gone",
			Title:  "the manifest of a control plane component is gone",
			Means:  "The kubelet stops a static pod whose file is removed from its folder.",
			Remedy: "put it back, or run bootstrap init: it writes it again",
			Cause:  manifestGone,
		},
		{
			ID:     "manifest-port-conflict",
			Title:  "two static pods want the same port of this machine",
			Means:  "The kubelet starts only the first of them.",
			Remedy: "move one of the files out of the folder",
			Cause:  portConflict,
		},
	}
}

func manifestInvalid(e *Evidence) []Finding {
	var found []Finding
	for _, m := range e.Manifests {
		if m.Error == "" {
			continue
		}
		f := Finding{Level: Warning, What: m.invalid(), See: "journalctl -u kubelet -n 50"}
		if m.Ours {
			f.Level = Error
			f.Remedy = "mend the file, or run bootstrap init: it writes it as the config has it"
		}
		found = append(found, f)
	}
	return found
}

// manifestRead is what the kubelet says of a file that it has read and does not take.
var manifestRead = regexp.MustCompile(`"(?:Unable to process watch event|Could not process manifest file)" err="(.+?)"(?: path="([^"]+)")?\s*$`)

// manifestRefused is asked only of the file that is waited for: what it says of it is the last.
func manifestRefused(e *Evidence) []Finding {
	if e.Settings.Manifest == "" {
		return nil
	}
	for _, l := range slices.Backward(e.Journal[kubeletUnit]) {
		m := manifestRead.FindStringSubmatch(l.Text)
		if m == nil || l.At.Before(e.Since) || !strings.Contains(strings.ReplaceAll(l.Text, `\`, ""), `"`+e.Settings.Manifest+`"`) {
			continue
		}
		reason := strings.TrimPrefix(unquoted(m[1]), fmt.Sprintf("can't process config file %q: ", e.Settings.Manifest))
		return []Finding{{Level: Error, What: said(fmt.Sprintf("the kubelet refuses %s: %s", e.Settings.Manifest, reason)), See: kubeletLog, Excerpt: excerpt(l.Text)}}
	}
	return nil
}

// manifestGone: moved to another name in the folder, it still runs.
func manifestGone(e *Evidence) []Finding {
	var found []Finding
	for _, component := range e.Settings.Components {
		path := e.Settings.StaticPodDir + "/" + component + ".yaml"
		gone := slices.Contains(e.Files, File{Path: path, Drift: "gone"})
		if gone && !slices.ContainsFunc(e.Manifests, func(m Manifest) bool { return m.Name == "kube-system/"+component }) {
			found = append(found, Finding{Level: Error, What: path + " is gone, and with it " + component})
		}
	}
	return found
}

// portConflict: a copy of a manifest is the same pod twice, and wants its port once.
func portConflict(e *Evidence) []Finding {
	var found []Finding
	first := map[int]Manifest{}
	for _, m := range e.Manifests {
		for _, port := range m.Ports {
			other, taken := first[port]
			if !taken {
				first[port] = m
			}
			if !taken || other.Name == m.Name {
				continue
			}
			f := Finding{Level: Warning, What: fmt.Sprintf("%s and %s both want port %d of this machine", other.Path, m.Path, port)}
			if other.Ours || m.Ours {
				f.Level = Error
			}
			found = append(found, f)
		}
	}
	return found
}

// foreignManifest finds a second file for a pod of ours; other static pods are anybody's to run.
func foreignManifest(e *Evidence) []Finding {
	var found []Finding
	for _, m := range e.Manifests {
		component, system := strings.CutPrefix(m.Name, "kube-system/")
		own := e.Settings.StaticPodDir + "/" + component + ".yaml"
		if m.Ours || !system || !slices.Contains(e.Settings.Components, component) {
			continue
		}
		found = append(found, Finding{
			Level: Warning, What: fmt.Sprintf("%s is there, and bootstrap did not make it: it is for the same pod as %s", m.Path, own),
			Remedy: fmt.Sprintf("keep copies elsewhere: mv %s /root/", m.Path), See: "ls -la " + e.Settings.StaticPodDir,
		})
	}
	return found
}

func fileEntries() []Entry {
	return []Entry{{
		ID:     "files-drifted",
		Title:  "files of bootstrap are not as it wrote them",
		Means:  "Somebody has changed or removed them since. That may be meant: a kubeconfig changes when kubectl config is used on it.",
		Remedy: "if it was not meant, run bootstrap init: it makes what follows from the config as it was, and restarts what reads it",
		Cause:  filesDrifted,
	}}
}

func filesDrifted(e *Evidence) []Finding {
	if len(e.Files) == 0 {
		return nil
	}
	const most = 5
	var names []string
	for _, f := range e.Files[:min(most, len(e.Files))] {
		names = append(names, fmt.Sprintf("%s (%s)", f.Path, f.Drift))
	}
	if more := len(e.Files) - most; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return []Finding{{Level: Warning, What: "not as bootstrap wrote them: " + strings.Join(names, ", "), See: "bootstrap status -o json"}}
}
