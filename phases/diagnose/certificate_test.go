package diagnose

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"bootstrap/phases/pki"
)

var pkiSettings = Settings{
	AdvertiseAddress: netip.MustParseAddr("192.0.2.10"), CertificatesDir: "/etc/kubernetes/pki", StaticPodDir: "/etc/kubernetes/manifests",
	Components: []string{"etcd", "kube-apiserver"},
}

// first is the cause to name for what certificates, files and manifests show.
func first(t *testing.T, e Evidence) Finding {
	t.Helper()
	e.Settings = pkiSettings
	e.Now = time.Date(2030, 1, 2, 3, 4, 0, 0, time.UTC)
	f, _ := First(catalogue(t).Causes(&e))
	return f
}

func checkFinding(t *testing.T, got Finding, id string, level Level, texts ...string) {
	t.Helper()
	if got.ID != id || got.Level != level {
		t.Errorf("got %s %q (%s), want %s %q", got.Level, got.ID, got.What, level, id)
	}
	for _, text := range texts {
		if !strings.Contains(got.What+"\n"+got.Remedy+"\n"+got.See, text) {
			t.Errorf("%q, %q lacks %q", got.What, got.Remedy, text)
		}
	}
}

// TestCertificateCauses: each problem has its entry, names the file and who needs it, and
// says what init mends and what it does not.
func TestCertificateCauses(t *testing.T) {
	const folder = "/etc/kubernetes/pki/"
	end := time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC)
	good := Certificate{Path: folder + "ca.crt", Use: "kube-apiserver", NotAfter: end.AddDate(9, 0, 0)}
	cases := []struct {
		name  string
		bad   Certificate
		id    string
		level Level
		texts []string
	}{
		{"expired", Certificate{Path: folder + "apiserver.crt", Use: "kube-apiserver", Problem: pki.Expired, Detail: "it expired at X", NotAfter: end},
			"certificate-expired", Error, []string{folder + "apiserver.crt, for kube-apiserver: it expired at X", "bootstrap init: it signs it again", "openssl x509"}},
		{"expired kubeconfig", Certificate{Path: "/etc/kubernetes/scheduler.conf", Use: "kube-scheduler", Problem: pki.Expired, NotAfter: end},
			"certificate-expired", Error, []string{"bootstrap init: it writes it again"}},
		{"expired admin.conf", Certificate{Path: "/etc/kubernetes/admin.conf", Use: "kubectl", Problem: pki.Expired, NotAfter: end},
			"certificate-expired", Warning, nil},
		{"expired CA", Certificate{Path: folder + "etcd/ca.crt", Use: "etcd", Problem: pki.Expired, NotAfter: end},
			"certificate-expired", Error, []string{"bootstrap reset"}},
		{"missing", Certificate{Path: folder + "etcd/peer.crt", Use: "etcd", Problem: pki.Missing}, "certificate-missing", Error, []string{"makes it again"}},
		{"missing CA", Certificate{Path: folder + "ca.crt", Use: "kube-apiserver", Problem: pki.Missing}, "certificate-missing", Error, []string{"restore it from a backup"}},
		{"missing CA key", Certificate{Path: folder + "etcd/ca.key", Use: Signing, Problem: pki.Missing}, "certificate-missing", Warning, []string{"restore it from a backup"}},
		{"taken off the node", Certificate{Path: "/etc/kubernetes/super-admin.conf", Use: "bootstrap", Problem: pki.Missing}, "certificate-missing", Warning, nil},
		{"empty", Certificate{Path: folder + "apiserver.key", Use: "kube-apiserver", Problem: pki.Empty}, "certificate-empty", Error,
			[]string{"mv " + folder + "apiserver.key " + folder + "apiserver.key.old; bootstrap init"}},
		{"empty kubeconfig", Certificate{Path: "/etc/kubernetes/kubelet.conf", Use: "kubelet", Problem: pki.Empty}, "certificate-empty", Error,
			[]string{"run bootstrap init: it writes it again"}},
		{"the kubelet's own", Certificate{Path: "/var/lib/kubelet/pki/kubelet-client-current.pem", Use: "kubelet", Problem: pki.Damaged}, "certificate-damaged", Error,
			[]string{"systemctl restart kubelet"}},
		{"etcd elsewhere", Certificate{Path: "/etc/etcd/client.crt", Use: "kube-apiserver", Problem: pki.WrongKey}, "certificate-wrong-key", Error, []string{"etcd elsewhere"}},
		{"lacks its address", Certificate{Path: folder + "apiserver.crt", Use: "kube-apiserver", Problem: pki.WrongName, Detail: "it lacks a, 192.0.2.10", NotAfter: end},
			"certificate-wrong-name", Error, nil},
		{"lacks somebody's name", Certificate{Path: folder + "apiserver.crt", Use: "kube-apiserver", Problem: pki.WrongName, Detail: "it lacks 192.0.2.100", NotAfter: end},
			"certificate-wrong-name", Warning, nil},
		{"is somebody else's", Certificate{Path: folder + "apiserver.crt", Use: "kube-apiserver", Problem: pki.WrongName, Detail: `its common name is "x", want "y"`, NotAfter: end},
			"certificate-wrong-name", Error, nil},
		{"wrong CA", Certificate{Path: folder + "apiserver.crt", Use: "kube-apiserver", Problem: pki.WrongCA, NotAfter: end}, "certificate-wrong-ca", Error, nil},
		{"one not yet valid", Certificate{Path: folder + "apiserver.crt", Use: "kube-apiserver", Problem: pki.NotYetValid, NotAfter: end},
			"certificate-not-yet-valid", Error, []string{"clock"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			checkFinding(t, first(t, Evidence{Certificates: []Certificate{good, c.bad}}), c.id, c.level, c.texts...)
		})
	}
	if f := first(t, Evidence{Certificates: []Certificate{good}}); f.ID != "" {
		t.Errorf("all is good, and it finds %+v", f)
	}
}

// TestClockWrong: only if no certificate is good.
func TestClockWrong(t *testing.T) {
	of := func(problems ...pki.Reason) Evidence {
		var e Evidence
		for _, p := range problems {
			e.Certificates = append(e.Certificates, Certificate{Path: "/x.crt", Use: "etcd", Problem: p, NotAfter: time.Unix(1, 0)})
		}
		return e
	}
	checkFinding(t, first(t, of(pki.NotYetValid, pki.NotYetValid)), "clock-wrong", Error, "2030-01-02 03:04 UTC", "not valid yet", "timedatectl")
	checkFinding(t, first(t, of(pki.Expired, pki.Expired, pki.Expired)), "clock-wrong", Error, "has expired")
	ahead := of(pki.NotYetValid, pki.NotYetValid)
	ahead.Certificates[1].NotBefore = time.Date(2030, 1, 2, 5, 4, 0, 0, time.UTC) // two hours later
	later := moment(ahead.Certificates[1].NotBefore)
	checkFinding(t, first(t, ahead), "clock-wrong", Error, "will be from "+later, "set the clock if it is behind", "wait until "+later)
	ahead.Clock.Synced = true // then it is right today
	if f := first(t, ahead); !strings.HasPrefix(f.Remedy, "it was ahead when they were made: wait until "+later) {
		t.Errorf("%+v", f)
	}
	checkFinding(t, first(t, of(pki.Expired, "", pki.Expired)), "certificate-expired", Error)
	checkFinding(t, first(t, of(pki.NotYetValid)), "certificate-not-yet-valid", Error)
}
