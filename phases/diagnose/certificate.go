package diagnose

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/pki"
)

func certificateRules() map[string]Rule {
	rules := map[string]Rule{"clock-wrong": {Cause: clockWrong}}
	for _, p := range []pki.Reason{pki.Missing, pki.Empty, pki.Damaged, pki.WrongKey, pki.WrongCA, pki.Expired, pki.NotYetValid, pki.WrongName} {
		rules["certificate-"+string(p)] = Rule{Cause: certificates(p)}
	}
	return rules
}

func certificates(problem pki.Reason) func(*Evidence) Findings {
	return func(e *Evidence) Findings {
		return forEach(e.Certificates, func(c Certificate) Findings {
			if c.Problem != problem {
				return nil
			}
			return finding(e.levelOf(c), "%s, for %s: %s", c.Path, c.Use, c.Detail).remedy("%s", e.remedy(c)).see(seeCertificate(c))
		})
	}
}

// Signing is the use of a CA's key. Some keep it elsewhere.
const Signing = "signing new certificates"

// levelOf: without what people use, the components still run; a name that only others
// ask for keeps none of this node's from another.
func (e *Evidence) levelOf(c Certificate) Level {
	switch {
	case c.Use == "kubectl" || c.Use == "etcdctl" || c.Use == "bootstrap" || c.Use == Signing:
		return Warning
	case c.Problem == pki.WrongName && !strings.Contains(c.Detail, "common name") && !strings.Contains(c.Detail, "organization"):
		lacks := strings.FieldsFunc(c.Detail, func(r rune) bool { return r == ' ' || r == ',' })
		own := []string{e.Settings.AdvertiseAddress.String(), "127.0.0.1", "::1"}
		return certainIf(slices.ContainsFunc(own, func(a string) bool { return slices.Contains(lacks, a) }))
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
	case c.Problem == pki.Missing && isCA(c.Path):
		return "restore it from a backup: what was signed by the CA is worth nothing with another one"
	case isCA(c.Path) && c.Problem != pki.NotYetValid:
		return "restore it from a backup; without one, the cluster needs new certificates everywhere: bootstrap reset, then bootstrap init"
	case !kubeconfig && (c.Problem == pki.Empty || c.Problem == pki.Damaged):
		return fmt.Sprintf("restore it from a backup, or have a new one made: mv %[1]s %[1]s.old; bootstrap init", c.Path)
	case kubeconfig && c.Problem == pki.NotYetValid:
		return "set the clock of this machine; if it is right: bootstrap init writes it again"
	case kubeconfig && c.Problem != pki.Missing:
		return "run bootstrap init: it writes it again"
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
func clockWrong(e *Evidence) Findings {
	dated, off, valid := 0, map[pki.Reason]int{}, e.Now
	for _, c := range e.Certificates {
		if !c.NotAfter.IsZero() {
			dated++
			off[c.Problem]++
			valid = slices.MaxFunc([]time.Time{valid, c.NotBefore}, time.Time.Compare)
		}
	}
	const wrong = "it is %s by the clock of this machine, and each of its %d certificates %s"
	switch dated {
	case 0, 1:
		return nil
	case off[pki.Expired]:
		return finding(Error, wrong, moment(e.Now), dated, "has expired").see("timedatectl")
	case off[pki.NotYetValid]:
		how := "is not valid yet: the last will be from " + moment(valid) + " on"
		return finding(Error, wrong, moment(e.Now), dated, how).remedy(e.waitForClock(), moment(valid)).
			see("timedatectl; bootstrap explain certificate-not-yet-valid")
	}
	return nil
}

// waitForClock is the remedy for certificates that are not valid yet. If a time service keeps the clock, it is right
// now, and was ahead when they were made; else it may as well be behind now.
func (e *Evidence) waitForClock() string {
	const ahead = "it was ahead when they were made: wait until %s, or, sooner, make new ones: bootstrap reset, then bootstrap init"
	if e.Clock.Synced {
		return ahead
	}
	return "set the clock if it is behind, best by a time service; if it is right, " + ahead
}
