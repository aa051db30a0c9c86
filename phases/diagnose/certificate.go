package diagnose

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

func certificateEntries() []Entry {
	return []Entry{
		{
			ID:    "clock-wrong",
			Title: "the clock of this machine is wrong",
			Means: "Every certificate of this node, the CAs too, is expired or not valid yet. As they were made to follow each " +
				"other by years, it is the clock: it was wrong when they were made, or is now.",
			Remedy: "set the clock, best by a time service; then: bootstrap init",
			Cause:  clockWrong,
		},
		certificateEntry(Missing, "a certificate or its key is gone",
			"What bootstrap wrote there was removed. A component that starts now does not come up."),
		certificateEntry(Empty, "a certificate or its key is empty",
			"The file was truncated, such as by a full disk or a power cut."),
		certificateEntry(Damaged, "a certificate or its key can't be read",
			"The file is no PEM of the kind that it should be, or can't be opened. It is not overwritten: it may be all that is left of a key."),
		certificateEntry(WrongKey, "a certificate and its key do not belong together",
			"One of the two was replaced. A component that starts with them ends at once."),
		certificateEntry(WrongCA, "a certificate is signed by another CA",
			"It comes from another cluster, or the CA was replaced since. Whoever connects by it is refused."),
		certificateEntry(Expired, "a certificate has expired",
			"Certificates hold for a year, unless the config file says otherwise. Connections by this one are refused."),
		certificateEntry(NotYetValid, "a certificate is not valid yet",
			"It was made by a machine whose clock was ahead, or this machine's clock is behind."),
		certificateEntry(WrongName, "a certificate is for another name",
			"It lacks an address or a name by which it is asked for, or is somebody else's. TLS refuses it, or the API server gives no rights."),
	}
}

func certificateEntry(problem Problem, title, means string) Entry {
	return Entry{
		ID: "certificate-" + string(problem), Title: title, Means: means, Remedy: remedies[problem],
		Cause: func(e *Evidence) []Finding { return e.certificates(problem) },
	}
}

// remedies in general; what a file needs that init does not make again is in remedy.
var remedies = map[Problem]string{
	Missing:     "run bootstrap init: it makes it again",
	Empty:       "restore it from a backup, or move it away and run bootstrap init: it makes a new one",
	Damaged:     "restore it from a backup, or move it away and run bootstrap init: it makes a new one",
	WrongKey:    "run bootstrap init: it signs it again",
	WrongCA:     "run bootstrap init: it signs it again",
	Expired:     "run bootstrap init: it signs it again",
	NotYetValid: "set the clock of this machine; if it is right: bootstrap init signs it again",
	WrongName:   "run bootstrap init: it signs it again",
}

func (e *Evidence) certificates(problem Problem) []Finding {
	var found []Finding
	for _, c := range e.Certificates {
		if c.Problem != problem {
			continue
		}
		found = append(found, Finding{
			Level: e.levelOf(c), What: fmt.Sprintf("%s, for %s: %s", c.Path, c.Use, c.Detail),
			Remedy: e.remedy(c), See: seeCertificate(c),
		})
	}
	return found
}

// Signing is the use of a CA's key. Some keep it elsewhere.
const Signing = "signing new certificates"

// levelOf: without what people use, the components still run; a name that only others
// ask for keeps none of this node's from another.
func (e *Evidence) levelOf(c Certificate) Level {
	switch {
	case c.Use == "kubectl" || c.Use == "etcdctl" || c.Use == "bootstrap" || c.Use == Signing:
		return Warning
	case c.Problem == WrongName && !strings.Contains(c.Detail, "common name") && !strings.Contains(c.Detail, "organization"):
		lacks := strings.FieldsFunc(c.Detail, func(r rune) bool { return r == ' ' || r == ',' })
		own := []string{e.Settings.AdvertiseAddress.String(), "127.0.0.1", "::1"}
		if !slices.ContainsFunc(own, func(a string) bool { return slices.Contains(lacks, a) }) {
			return Warning
		}
	}
	return Error
}

// remedy is more precise where init does not make the file again by itself.
func (e *Evidence) remedy(c Certificate) string {
	kubeconfig := strings.HasSuffix(c.Path, ".conf")
	inFolder := strings.HasPrefix(c.Path, e.Settings.CertificatesDir+"/")
	switch {
	case strings.HasSuffix(c.Path, ".pem"):
		return fmt.Sprintf("the kubelet goes on with the certificate in its kubeconfig: mv %[1]s %[1]s.old; bootstrap init; systemctl restart kubelet", c.Path)
	case !kubeconfig && !inFolder:
		return "it is of an etcd elsewhere: put the file there that belongs to it"
	case c.Problem == Missing && isCA(c.Path):
		return "restore it from a backup: what was signed by the CA is worth nothing with another one"
	case isCA(c.Path) && c.Problem != NotYetValid:
		return "restore it from a backup; without one, the cluster needs new certificates everywhere: bootstrap reset, then bootstrap init"
	case kubeconfig && (c.Problem == Empty || c.Problem == Damaged):
		return "run bootstrap init: it writes it again"
	case c.Problem == Empty || c.Problem == Damaged:
		return fmt.Sprintf("restore it from a backup, or have a new one made: mv %[1]s %[1]s.old; bootstrap init", c.Path)
	case kubeconfig:
		return strings.Replace(remedies[c.Problem], "signs", "writes", 1)
	}
	return ""
}

// isCA is of the certificate or the key: init makes neither again for the other.
func isCA(file string) bool {
	name := strings.TrimSuffix(path.Base(file), path.Ext(file))
	return name == "ca" || name == "front-proxy-ca"
}

// seeCertificate shows a certificate that can be read.
func seeCertificate(c Certificate) string {
	if c.NotAfter.IsZero() || !strings.HasSuffix(c.Path, ".crt") && !strings.HasSuffix(c.Path, ".pem") {
		return ""
	}
	return "openssl x509 -noout -text -in " + c.Path
}

// clockWrong: one certificate may be old or have come from elsewhere, but not all.
func clockWrong(e *Evidence) []Finding {
	dated, off := 0, map[Problem]int{}
	for _, c := range e.Certificates {
		if !c.NotAfter.IsZero() {
			dated++
			off[c.Problem]++
		}
	}
	for problem, how := range map[Problem]string{Expired: "has expired", NotYetValid: "is not valid yet"} {
		if dated > 1 && off[problem] == dated {
			return []Finding{{
				Level: Error, See: "timedatectl",
				What: fmt.Sprintf("it is %s by the clock of this machine, and each of its %d certificates %s",
					e.Now.UTC().Format("2006-01-02 15:04 MST"), dated, how),
			}}
		}
	}
	return nil
}
