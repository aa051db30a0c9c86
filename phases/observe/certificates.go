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
	"bootstrap/phases/host"
	"bootstrap/phases/pki"
	"bootstrap/phases/spec"
)

// CertificateEvidence judges each certificate that this node uses, by what init would
// have made it.
func (o *Observer) CertificateEvidence(stage Stage) []diagnose.Certificate {
	if stage < Certified {
		return nil
	}
	return certificates{&o.Spec, o.Host}.judge()
}

// certificates are those of this node, to be judged by what init would have made them.
type certificates struct {
	*spec.Spec
	host *host.Host
}

func (c certificates) judge() []diagnose.Certificate {
	var all []diagnose.Certificate
	for _, a := range spec.Authorities(c.Config) {
		ca, found := c.judgeAuthority(a)
		all = append(all, found...)
		if a.File == "ca" {
			all = append(all, c.judgeSigningCert(ca)...)
			all = append(all, c.judgeKubeconfigs(ca)...)
		}
	}
	return append(all, c.judgeExternalEtcd()...)
}

// judged is a certificate with what it was judged by, as far as that could be read.
type judged struct {
	diagnose.Certificate
	cert *x509.Certificate
	key  crypto.Signer
}

func (j *judged) bad(problem pki.Reason, detail string) {
	j.Problem, j.Detail = problem, detail
}

// by takes over what a check says.
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

func (c certificates) judgeAuthority(a spec.Authority) (*x509.Certificate, []diagnose.Certificate) {
	ca := c.readJudged(c.PKIFile(a.File, ".crt"), a.User)
	if ca.cert != nil {
		ca.by(pki.CheckTime(ca.cert))
	}
	var all []diagnose.Certificate
	if ca.cert != nil || ca.Problem != "" {
		all = append(all, ca.Certificate)
	}
	if key, ok := c.judgeSigning(ca, a); ok {
		all = append(all, key)
	}
	for _, l := range a.Leaves {
		if found, ok := c.judgeLeaf(ca.cert, l); ok {
			all = append(all, found)
		}
	}
	return ca.cert, all
}

// judgeSigning is not ok if there is nothing to say of a CA's key.
func (c certificates) judgeSigning(ca judged, a spec.Authority) (diagnose.Certificate, bool) {
	if ca.cert == nil || ca.Problem != "" {
		return diagnose.Certificate{}, false
	}
	key := judged{Certificate: diagnose.Certificate{Path: ca.Path, Use: diagnose.Signing, NotAfter: ca.NotAfter}}
	c.readKey(&key, c.PKIFile(a.File, ".key"))
	if key.key != nil && !pki.SameKey(ca.cert, key.key) {
		key.bad(pki.WrongKey, "its key is another CA's")
	}
	return key.Certificate, key.Problem != ""
}

// judgeSigningCert says nothing of a file that is as it should be: it has all in common with
// ca.crt.
func (c certificates) judgeSigningCert(ca *x509.Certificate) []diagnose.Certificate {
	j := c.readJudged(c.PKIFile(spec.SigningCert, ".crt"), "kube-controller-manager")
	if j.cert != nil && ca != nil && !j.cert.Equal(ca) {
		j.bad(pki.WrongCA, "it is not this cluster's CA")
	}
	if j.Problem == "" {
		return nil
	}
	return []diagnose.Certificate{j.Certificate}
}

// judgeLeaf is not ok if there is no such certificate, and bootstrap made none.
func (c certificates) judgeLeaf(ca *x509.Certificate, l spec.Leaf) (diagnose.Certificate, bool) {
	j := c.readJudged(c.PKIFile(l.File, ".crt"), l.User)
	if j.cert != nil {
		c.readKey(&j, c.PKIFile(l.File, ".key"))
	}
	if ca != nil && j.key != nil {
		j.by((&pki.CA{Cert: ca}).Check(l.Leaf, j.cert, j.key))
	}
	return j.Certificate, j.cert != nil || j.Problem != ""
}

// readJudged reads a file that is a certificate. One that is not there is a problem
// only if bootstrap made it.
func (c certificates) readJudged(path, use string) judged {
	j := judged{Certificate: diagnose.Certificate{Path: path, Use: use}}
	data := c.content(&j, path)
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
func (c certificates) readKey(j *judged, path string) {
	found := judged{Certificate: diagnose.Certificate{Path: path, Use: j.Use, NotAfter: j.NotAfter}}
	data := c.content(&found, path)
	if data != nil {
		key, err := pki.ParseKey(data)
		if err == nil {
			j.key = key
			return
		}
		found.bad(pki.Damaged, err.Error())
	}
	if found.Problem != "" {
		j.Certificate = found.Certificate
	}
}

// content is nil if there is nothing to judge.
func (c certificates) content(j *judged, path string) []byte {
	data, err := c.host.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if c.host.Made(path) {
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

func (c certificates) judgeKubeconfigs(ca *x509.Certificate) []diagnose.Certificate {
	var all []diagnose.Certificate
	for _, id := range spec.Identities(c.Config) {
		j := judged{Certificate: diagnose.Certificate{Path: id.Path, Use: id.User}}
		c.judgeKubeconfig(&j, ca, id)
		if id.Path == spec.KubeletConf && j.cert != nil {
			c.judgeRotated(&j, ca, id)
		}
		if j.cert != nil || j.Problem != "" {
			all = append(all, j.Certificate)
		}
	}
	return all
}

// judgeKubeconfig leaves alone a file that somebody has given another shape: it may serve.
func (c certificates) judgeKubeconfig(j *judged, ca *x509.Certificate, id spec.Identity) {
	data := c.content(j, id.Path)
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
	case k.CAFile != c.PKIFile("ca", ".crt") && !bytes.Equal(k.CA, pki.EncodeCert(ca)):
		j.bad(pki.WrongCA, "its CA is not this cluster's")
	default:
		j.by((&pki.CA{Cert: ca}).Check(id.Leaf, j.cert, j.key))
	}
}

// judgeRotated puts the certificate that the kubelet got itself in the place of the one
// in its kubeconfig, unless something else is wrong with that file.
func (c certificates) judgeRotated(j *judged, ca *x509.Certificate, id spec.Identity) {
	if j.Problem != "" && j.Problem != pki.Expired {
		return
	}
	r := c.readJudged(spec.RotatedCert, "kubelet")
	if r.cert == nil && r.Problem == "" || r.cert != nil && time.Now().After(r.NotAfter) {
		return
	}
	if r.cert != nil && ca != nil {
		data, _ := c.host.ReadFile(spec.RotatedCert)
		key, err := pki.ParseKey(data)
		if err == nil {
			err = (&pki.CA{Cert: ca}).Check(id.Leaf, r.cert, key)
		}
		r.by(err)
	}
	*j = r
}

// judgeExternalEtcd can't tell by whom the certificate should be signed: there may be
// other CAs in between.
func (c certificates) judgeExternalEtcd() []diagnose.Certificate {
	external := c.Config.Etcd.External
	if external == nil || external.CertFile == "" {
		return nil
	}
	var all []diagnose.Certificate
	for _, path := range []string{external.CAFile, external.CertFile} {
		j := c.readJudged(path, "kube-apiserver")
		if j.cert == nil && j.Problem == "" {
			j.bad(pki.Missing, "it is not there")
		}
		if j.cert != nil {
			j.by(pki.CheckTime(j.cert))
		}
		if j.cert != nil && path == external.CertFile {
			c.judgeExternalKey(&j, external.KeyFile)
		}
		all = append(all, j.Certificate)
	}
	return all
}

func (c certificates) judgeExternalKey(j *judged, path string) {
	c.readKey(j, path)
	if j.key != nil && j.Problem == "" && !pki.SameKey(j.cert, j.key) {
		j.bad(pki.WrongKey, "the key does not belong to the certificate")
	}
}
