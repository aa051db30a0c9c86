package observe

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"errors"
	"io/fs"
	"strings"
	"time"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/pki"
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
		ca := o.judgeAuthority(a)
		all = append(all, ca, o.judgeSigning(ca, a))
		for _, l := range a.Leaves {
			all = append(all, o.judgeLeaf(ca.cert, l))
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

func (o *Observer) judgeAuthority(a spec.Authority) judged {
	ca := o.readJudged(o.PKIFile(a.File, ".crt"), a.User)
	if ca.cert != nil {
		ca.by(pki.CheckTime(ca.cert))
	}
	return ca
}

// judgeSigning judges the key of a CA, by which it signs. Only a problem is worth a line of its own.
func (o *Observer) judgeSigning(ca judged, a spec.Authority) judged {
	if ca.cert == nil || ca.Problem != "" {
		return judged{}
	}
	j := judged{Certificate: diagnose.Certificate{Path: ca.Path, Use: diagnose.Signing, NotAfter: ca.NotAfter}}
	o.readKey(&j, o.PKIFile(a.File, ".key"))
	if j.key != nil && !pki.SameKey(ca.cert, j.key) {
		j.bad(pki.WrongKey, "its key is another CA's")
	}
	return j
}

// judgeSigningCert judges the copy of ca.crt that the controller manager signs with. Only a
// problem is worth a line of its own.
func (o *Observer) judgeSigningCert(ca *x509.Certificate) judged {
	j := o.readJudged(o.PKIFile(spec.SigningCert, ".crt"), "kube-controller-manager")
	if j.cert != nil && ca != nil && !j.cert.Equal(ca) {
		j.bad(pki.WrongCA, "it is not this cluster's CA")
	}
	j.cert = nil
	return j
}

func (o *Observer) judgeLeaf(ca *x509.Certificate, l spec.Leaf) judged {
	j := o.readJudged(o.PKIFile(l.File, ".crt"), l.User)
	if j.cert != nil {
		o.readKey(&j, o.PKIFile(l.File, ".key"))
	}
	if ca != nil && j.key != nil {
		j.by((&pki.CA{Cert: ca}).Check(l.Leaf, j.cert, j.key))
	}
	return j
}

// readJudged reads a file that is a certificate. One that is not there is a problem
// only if bootstrap made it.
func (o *Observer) readJudged(path, use string) judged {
	j := judged{Certificate: diagnose.Certificate{Path: path, Use: use}}
	data := o.content(&j, path)
	if data == nil {
		return j
	}
	cert, err := pki.ParseCert(data)
	if err != nil {
		j.bad(pki.Damaged, err.Error())
		return j
	}
	j.cert, j.NotAfter = cert, cert.NotAfter
	return j
}

// readKey reads the key that belongs to a certificate: what is wrong with it is said
// under its own path.
func (o *Observer) readKey(j *judged, path string) {
	found := judged{Certificate: diagnose.Certificate{Path: path, Use: j.Use, NotAfter: j.NotAfter}}
	if data := o.content(&found, path); data != nil {
		var err error
		if j.key, err = pki.ParseKey(data); err != nil {
			found.bad(pki.Damaged, err.Error())
		}
	}
	if found.Problem != "" {
		j.Certificate = found.Certificate
	}
}

// content is what is in a file; nil if that is nothing to be judged, which is a problem or means that
// nobody made the file.
func (o *Observer) content(j *judged, path string) []byte {
	data, err := o.Host.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if o.Host.Made(path) {
			j.bad(pki.Missing, "it is not there")
		}
	case err != nil:
		j.bad(pki.Damaged, err.Error())
	case len(bytes.TrimSpace(data)) == 0:
		j.bad(pki.Empty, "it is empty")
	default:
		return data
	}
	return nil
}

func (o *Observer) judgeKubeconfigs(ca *x509.Certificate) []judged {
	var all []judged
	for _, id := range spec.Identities(o.Config) {
		j := judged{Certificate: diagnose.Certificate{Path: id.Path, Use: id.User}}
		o.judgeKubeconfig(&j, ca, id)
		if id.Path == spec.KubeletConf && j.cert != nil {
			o.judgeRotated(&j, ca, id)
		}
		all = append(all, j)
	}
	return all
}

// judgeKubeconfig finds nothing wrong with a file that somebody has given another shape: it may do.
func (o *Observer) judgeKubeconfig(j *judged, ca *x509.Certificate, id spec.Identity) {
	data := o.content(j, id.Path)
	if data == nil {
		return
	}
	k, err := pki.ParseKubeconfig(data)
	if errors.Is(err, pki.ErrShape) || err == nil && len(k.Cert) == 0 {
		return
	}
	if err == nil {
		j.cert, err = pki.ParseCert(k.Cert)
	}
	if err == nil {
		j.NotAfter = j.cert.NotAfter
		j.key, err = pki.ParseKey(k.Key)
	}
	switch {
	case err != nil:
		j.bad(pki.Damaged, err.Error())
	case ca == nil:
	case k.CAFile != o.PKIFile("ca", ".crt") && !bytes.Equal(k.CA, pki.EncodeCert(ca)):
		j.bad(pki.WrongCA, "its CA is not this cluster's")
	default:
		j.by((&pki.CA{Cert: ca}).Check(id.Leaf, j.cert, j.key))
	}
}

// judgeRotated judges the certificate that the kubelet got itself in place of the one in its
// kubeconfig, unless something else than its age is wrong with the kubeconfig.
func (o *Observer) judgeRotated(j *judged, ca *x509.Certificate, id spec.Identity) {
	if j.Problem != "" && j.Problem != pki.Expired {
		return
	}
	r := o.readJudged(spec.RotatedCert, "kubelet")
	if r.cert == nil && r.Problem == "" || r.cert != nil && time.Now().After(r.NotAfter) {
		return
	}
	if r.cert != nil {
		o.readKey(&r, spec.RotatedCert)
	}
	if r.key != nil && ca != nil {
		r.by((&pki.CA{Cert: ca}).Check(id.Leaf, r.cert, r.key))
	}
	*j = r
}

// judgeExternalEtcd does not judge who signed the certificate: there may be CAs between it and the
// one in the config.
func (o *Observer) judgeExternalEtcd() []judged {
	external := o.Config.Etcd.External
	if external == nil || external.CertFile == "" {
		return nil
	}
	var all []judged
	for _, path := range []string{external.CAFile, external.CertFile} {
		j := o.readJudged(path, "kube-apiserver")
		if j.cert == nil && j.Problem == "" {
			j.bad(pki.Missing, "it is not there")
		}
		if j.cert != nil {
			j.by(pki.CheckTime(j.cert))
		}
		if j.cert != nil && path == external.CertFile {
			o.readKey(&j, external.KeyFile)
		}
		if j.key != nil && j.Problem == "" && !pki.SameKey(j.cert, j.key) {
			j.bad(pki.WrongKey, "the key does not belong to the certificate")
		}
		all = append(all, j)
	}
	return all
}
