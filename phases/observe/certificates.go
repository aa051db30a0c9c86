package observe

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/pki"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

// CertificateEvidence judges each certificate that this node uses, by what init would
// have made it.
func (o *Observer) CertificateEvidence(stage Stage) []diagnose.Certificate {
	if stage < Certified {
		return nil
	}
	var all []judged
	for _, a := range spec.Authorities(o.Config) {
		ca, signing := o.judgeAuthority(a)
		all = append(all, ca, signing)
		for _, l := range a.Leaves {
			certFile, keyFile := o.PKIFile(l.File, ".crt"), o.PKIFile(l.File, ".key")
			all = append(all, o.judgeLeaf(ca.cert, l.Leaf, l.User, certFile, keyFile))
		}
		if a.File == "ca" {
			all = append(all, o.judgeSigningCert(ca.cert))
			all = append(all, o.judgeKubeconfigs(ca.cert)...)
		}
	}
	var found []diagnose.Certificate
	for _, j := range append(all, o.judgeExternalEtcd()...) {
		if j.cert != nil || j.Problem != "" { // else it is not there, and need not be
			found = append(found, j.Certificate)
		}
	}
	return found
}

// judged is a certificate, its key, as far as they could be read, and what was found of them.
type judged struct {
	diagnose.Certificate
	cert *x509.Certificate
	key  crypto.Signer
}

func (j *judged) bad(problem pki.Reason, detail string) {
	j.Problem, j.Detail = problem, detail
}

// by takes over what a check has found.
func (j *judged) by(err error) {
	reason := (*pki.CheckError)(nil)
	switch {
	case err == nil:
	case !errors.As(err, &reason):
		j.bad(pki.Damaged, err.Error())
	case reason.Reason == pki.OtherNames && len(reason.Lacks) > 0:
		j.bad(pki.WrongName, "it lacks "+strings.Join(reason.Lacks, ", "))
	case reason.Reason == pki.OtherNames: // it has more than is wanted
	case reason.Reason == pki.WrongUsage:
		j.bad(pki.WrongName, err.Error())
	default:
		j.bad(reason.Reason, err.Error())
	}
}

// parsed is what is in a file. It is the zero value for one that is not there, which is an error only
// if bootstrap made it.
func parsed[T any](h *host.Host, path string, parse func([]byte) (T, error)) (none T, err error) {
	data, err := h.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && h.Made(path):
		return none, pki.ErrMissing
	case errors.Is(err, fs.ErrNotExist):
		return none, nil
	case err != nil:
		return none, err
	case len(bytes.TrimSpace(data)) == 0:
		return none, pki.ErrEmpty
	}
	return parse(data)
}

// readCert reads the certificate in a file.
func (o *Observer) readCert(path, use string) judged {
	j := judged{Certificate: diagnose.Certificate{Path: path, Use: use}}
	cert, err := parsed(o.Host, path, pki.ParseCert)
	if j.by(err); err == nil && cert != nil {
		j.cert, j.NotBefore, j.NotAfter = cert, cert.NotBefore, cert.NotAfter
	}
	return j
}

// readKey reads the key that belongs to a certificate: what is wrong with it is said
// under its own path.
func (o *Observer) readKey(j *judged, path string) {
	key, err := parsed(o.Host, path, pki.ParseKey)
	if err != nil {
		j.Path = path
		j.by(err)
		return
	}
	j.key = key
}

// judgeAuthority judges a CA, and the key by which it signs. Of the key only a problem is worth a line
// of its own.
func (o *Observer) judgeAuthority(a spec.Authority) (ca, signing judged) {
	ca = o.readCert(o.PKIFile(a.File, ".crt"), a.User)
	if ca.cert == nil {
		return ca, signing
	}
	if ca.by(pki.CheckTime(ca.cert)); ca.Problem != "" {
		return ca, signing
	}
	signing.Certificate = diagnose.Certificate{Path: ca.Path, Use: diagnose.Signing, NotAfter: ca.NotAfter}
	o.readKey(&signing, o.PKIFile(a.File, ".key"))
	if signing.key != nil && !pki.SameKey(ca.cert, signing.key) {
		signing.bad(pki.WrongKey, "its key is another CA's")
	}
	return ca, signing
}

// judgeSigningCert judges the copy of ca.crt that the controller manager signs with. Only a
// problem is worth a line of its own.
func (o *Observer) judgeSigningCert(ca *x509.Certificate) judged {
	j := o.readCert(o.PKIFile(spec.SigningCert, ".crt"), "kube-controller-manager")
	if j.cert != nil && ca != nil && !j.cert.Equal(ca) {
		j.bad(pki.WrongCA, "it is not this cluster's CA")
	}
	j.cert = nil
	return j
}

// judgeLeaf judges a certificate and its key. Without its CA all that matters is that they can be read.
func (o *Observer) judgeLeaf(ca *x509.Certificate, leaf pki.Leaf, use, certFile, keyFile string) judged {
	j := o.readCert(certFile, use)
	if j.cert != nil {
		o.readKey(&j, keyFile)
	}
	if ca != nil && j.key != nil {
		j.by((&pki.CA{Cert: ca}).Check(leaf, j.cert, j.key))
	}
	return j
}

func (o *Observer) judgeKubeconfigs(ca *x509.Certificate) []judged {
	var all []judged
	for _, id := range spec.Identities(o.Config) {
		j := o.judgeKubeconfig(ca, id)
		if id.Path == spec.KubeletConf && j.cert != nil && (j.Problem == "" || j.Problem == pki.Expired) {
			j = o.judgeRotated(j, ca, id)
		}
		all = append(all, j)
	}
	return all
}

// judgeKubeconfig finds nothing wrong with a file that somebody has given another shape: it may do.
func (o *Observer) judgeKubeconfig(ca *x509.Certificate, id spec.Identity) judged {
	j := judged{Certificate: diagnose.Certificate{Path: id.Path, Use: id.User}}
	k, err := parsed(o.Host, id.Path, pki.ParseKubeconfig)
	if errors.Is(err, pki.ErrShape) || err == nil && len(k.Cert) == 0 {
		return j
	}
	if err == nil {
		j.cert, err = pki.ParseCert(k.Cert)
	}
	if err == nil {
		j.NotBefore, j.NotAfter = j.cert.NotBefore, j.cert.NotAfter
		j.key, err = pki.ParseKey(k.Key)
	}
	switch {
	case err != nil:
		j.by(err)
	case ca == nil:
	case k.CAFile != o.PKIFile("ca", ".crt") && !bytes.Equal(k.CA, pki.EncodeCert(ca)):
		j.bad(pki.WrongCA, "its CA is not this cluster's")
	default:
		j.by((&pki.CA{Cert: ca}).Check(id.Leaf, j.cert, j.key))
	}
	return j
}

// judgeRotated judges the certificate that the kubelet got itself in place of the one in its
// kubeconfig, as long as it holds.
func (o *Observer) judgeRotated(embedded judged, ca *x509.Certificate, id spec.Identity) judged {
	j := o.judgeLeaf(ca, id.Leaf, "kubelet", spec.RotatedCert, spec.RotatedCert)
	isThere := j.cert != nil || j.Problem != ""
	if !isThere || j.cert != nil && time.Now().After(j.NotAfter) {
		return embedded
	}
	return j
}

// judgeExternalEtcd does not judge who signed the certificate: there may be CAs between it and the
// one in the config.
func (o *Observer) judgeExternalEtcd() []judged {
	external := o.Config.Etcd.External
	if external == nil || external.CertFile == "" {
		return nil
	}
	all := []judged{
		o.readCert(external.CAFile, "kube-apiserver"),
		o.judgeLeaf(nil, pki.Leaf{}, "kube-apiserver", external.CertFile, external.KeyFile),
	}
	for i := range all {
		switch j := &all[i]; {
		case j.Problem != "":
		case j.cert == nil:
			j.by(pki.ErrMissing)
		case j.key != nil && !pki.SameKey(j.cert, j.key):
			j.bad(pki.WrongKey, "the key does not belong to the certificate")
		default:
			j.by(pki.CheckTime(j.cert))
		}
	}
	return all
}

// ReadPair reads NAME.crt and NAME.key; what is missing is nil. One that can't be read, or
// that the control plane's pods may not read, is an error: it may be all that is left of a
// CA, and must not be overwritten.
func (o *Observer) ReadPair(name string) (cert *x509.Certificate, key crypto.Signer, err error) {
	cert, err = readPEM(o.Host, o.PKIFile(name, ".crt"), pki.ParseCert)
	if err != nil {
		return nil, nil, err
	}
	keyFile := o.PKIFile(name, ".key")
	key, err = readPEM(o.Host, keyFile, pki.ParseKey)
	if err == nil && key != nil && !slices.Contains(spec.NotInPods, name) {
		err = readableInPods(o.Host, keyFile)
	}
	return cert, key, err
}

// readPEM reads and parses a file. It gives the zero value for one that is not there.
func readPEM[T any](h *host.Host, file string, parse func([]byte) (T, error)) (T, error) {
	var none T
	data, err := readIfThere(h, file)
	if err != nil || data == nil {
		return none, err
	}
	parsed, err := parse(data)
	if err != nil {
		return none, plan.Hint(fmt.Errorf("%s: %w", file, err), "restore it from a backup, or move it away to have a new one made: mv %s %s.old", file, file)
	}
	return parsed, nil
}

// readableInPods refuses a key that belongs to another user: root in a pod of the control plane has
// no capability to read it nevertheless.
func readableInPods(h *host.Host, file string) error {
	by := h.ClosedToRoot(file)
	if by == "" {
		return nil
	}
	return plan.Hint(fmt.Errorf("%s belongs to %s, and the control plane's pods may not read it", file, by), "chown root: %s", file)
}

// readIfThere gives nil for a file that is not there.
func readIfThere(h *host.Host, file string) ([]byte, error) {
	data, err := h.ReadFile(file)
	return data, ignoring(err, fs.ErrNotExist)
}
