package phases

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"io/fs"
	"path"

	"bootstrap/phases/host"
	"bootstrap/phases/pki"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

var certs = Phase{
	Name:  "certs",
	Short: "make the CAs, certificates and the service account key; keep those that are there and right",
	Run:   runCerts,
}

func runCerts(ctx context.Context, env *Env) error {
	err := ensureCerts(ctx, env.forPurpose(host.Certificates))
	if err != nil && plan.HintOf(err) == "" {
		err = plan.Hint(err, "see what is there: ls -la %[1]s %[1]s/etcd; then run it again", env.Config.CertificatesDir)
	}
	return err
}

func ensureCerts(ctx context.Context, env *Env) error {
	for _, a := range spec.Authorities(env.Config) {
		ca, err := env.ensureCA(a)
		if err != nil {
			return err
		}
		if a.File == "ca" {
			if err := env.writePKI(spec.SigningCert, ".crt", pki.EncodeCert(ca.Cert)); err != nil {
				return err
			}
		}
		for _, l := range a.Leaves {
			if err := env.ensureLeaf(ca, l); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return env.ensureServiceAccountKey()
}

// unusableCA is the hint about a CA that can't sign. What it has signed is worth nothing with another one, so
// that none is made in its place by itself.
const unusableCA = "if it is not valid yet, or any more, see whether this machine's clock is right (timedatectl), or wait; " +
	"else put a certificate there with the key that belongs to it, or start over: bootstrap reset, then bootstrap init"

// ensureCA keeps the CA that is there. A key alone, left by a kill between the
// two writes, is signed again; a certificate alone is somebody's own CA. One that a cluster
// relies on is not replaced where both were removed.
func (e *Env) ensureCA(a spec.Authority) (*pki.CA, error) {
	cert, key, err := e.pair(a.File)
	if err != nil {
		return nil, err
	}
	if cert != nil && key == nil {
		err := fmt.Errorf("%s has no key beside it: signing by an external CA is not supported yet", e.PKIFile(a.File, ".crt"))
		mend := "put %[1]s.key there; or have a new CA made: mv %[1]s.crt %[1]s.crt.old"
		if e.hasServed() {
			mend = "put %[1]s.key back there; if it is lost, start over: bootstrap reset, then bootstrap init"
		}
		return nil, plan.Hint(err, mend, e.PKIFile(a.File, ""))
	}
	if cert != nil {
		ca := &pki.CA{Cert: cert, Key: key}
		if err := ca.CheckSelf(); err != nil {
			return nil, plan.Hint(fmt.Errorf("%s: %w", e.PKIFile(a.File, ".crt"), err), unusableCA)
		}
		return ca, nil
	}
	if file := e.PKIFile(a.File, ".crt"); key == nil && a.File == "ca" && e.hasServed() && e.Host.Made(file) {
		err := fmt.Errorf("%s and its key are gone, by which all kubeconfigs and pods of this cluster trust it", file)
		return nil, plan.Hint(err, "put both back from a backup; if there is none, start over: bootstrap reset, then bootstrap init")
	}
	if key, err = e.ensureKey(a.File, key); err != nil {
		return nil, err
	}
	ca, err := pki.NewCA(a.CommonName, key, e.Config.CAValidity)
	if err != nil {
		return nil, err
	}
	return ca, e.writePKI(a.File, ".crt", pki.EncodeCert(ca.Cert))
}

// hasServed tells whether this cluster's API server has answered once: from then on pods rely on its keys.
func (e *Env) hasServed() bool {
	_, begun := e.Host.Recall(e.State().MemberNote())
	return begun
}

// ensureLeaf keeps a certificate that serves its purpose and signs a new one,
// for the same key, where it does not: a name was added, or it has expired.
func (e *Env) ensureLeaf(ca *pki.CA, l spec.Leaf) error {
	cert, key, err := e.pair(l.File)
	if err != nil {
		return err
	}
	if cert != nil && key != nil {
		reason := ca.Check(l.Leaf, cert, key)
		if reason == nil {
			return nil
		}
		e.Tell.Say("%s is signed again: %v", e.PKIFile(l.File, ".crt"), reason)
	}
	if key, err = e.ensureKey(l.File, key); err != nil {
		return err
	}
	if cert, err = ca.Issue(l.Leaf, key); err != nil {
		return err
	}
	return e.writePKI(l.File, ".crt", pki.EncodeCert(cert))
}

func (e *Env) ensureKey(file string, key crypto.Signer) (crypto.Signer, error) {
	if key != nil {
		return key, nil
	}
	key, err := pki.NewKey(e.Config.KeyAlgorithm)
	if err != nil {
		return nil, err
	}
	data, err := pki.EncodeKey(key)
	if err != nil {
		return nil, err
	}
	return key, e.writePKI(file, ".key", data)
}

// ensureServiceAccountKey makes sa.key, and sa.pub from it whatever sa.pub was.
func (e *Env) ensureServiceAccountKey() error {
	_, key, err := e.pair(spec.ServiceAccountKey)
	if err != nil {
		return err
	}
	if key == nil && e.hasServed() {
		e.Tell.Warn("%s is gone, and made anew: no service account's token of before is valid; when init has ended, start all pods anew: "+
			"kubectl delete pods -A --all", e.PKIFile(spec.ServiceAccountKey, ".key"))
	}
	if key, err = e.ensureKey(spec.ServiceAccountKey, key); err != nil {
		return err
	}
	public, err := pki.EncodePublicKey(key)
	if err != nil {
		return err
	}
	return e.writePKI(spec.ServiceAccountKey, ".pub", public)
}

func (e *Env) writePKI(file, suffix string, data []byte) error {
	mode := fs.FileMode(0o600)
	if suffix == ".crt" {
		mode = 0o644
	}
	_, err := e.Host.WriteOpaque(e.PKIFile(file, suffix), data, mode)
	return err
}

// pair reads this node's NAME.crt and NAME.key, and closes the key to others. What is missing
// is nil.
func (e *Env) pair(name string) (cert *x509.Certificate, key crypto.Signer, err error) {
	cert, key, err = e.ReadPair(name)
	if err != nil || key == nil {
		return cert, key, err
	}
	return cert, key, e.closeToOthers(e.PKIFile(name, ".key"))
}

// closeToOthers mends the mode of a file that holds a key, if bootstrap made it. One that was
// here before is refused: who has read it since is not known.
func (e *Env) closeToOthers(file string) error {
	mode, err := e.Host.Mode(file)
	if err != nil || mode&0o077 == 0 {
		return err
	}
	if !e.Host.Made(file) {
		return plan.Hint(fmt.Errorf("%s holds a key, and others may read it (mode %04o)", file, mode),
			"if nobody has: chmod 600 %s; else make a new one", file)
	}
	data, err := e.Host.ReadFile(file)
	if err != nil {
		return err
	}
	e.Tell.Warn("%s was open to others (mode %04o): closed", file, mode)
	_, err = e.Host.WriteOpaque(file, data, 0o600)
	return err
}

// readCA reads the CA that signs clients.
func (e *Env) readCA() (*pki.CA, error) {
	cert, key, err := e.pair("ca")
	if err != nil {
		return nil, err
	}
	if cert == nil || key == nil {
		return nil, plan.Hint(fmt.Errorf("no CA in %s", e.Config.CertificatesDir), "run first: bootstrap init phase certs")
	}
	return &pki.CA{Cert: cert, Key: key}, nil
}

// ensureServingCert makes the kubelet's serving certificate, signed by the cluster's CA. The
// kubelet would sign one by itself, and make two RSA keys for it before it starts a pod. What the
// kubelet or others have made stays.
func (e *Env) ensureServingCert() error {
	ca, err := e.readCA()
	if err != nil {
		return err
	}
	there := e.Host.Exists(spec.ServingCert+".crt") && e.Host.Exists(spec.ServingCert+".key")
	if there && !e.signedBy(ca, spec.ServingCert+".crt") {
		return nil
	}
	if err := e.Host.MakeDir(path.Dir(spec.ServingCert), 0o755); err != nil {
		return err
	}
	return e.ensureLeaf(ca, spec.ServingLeaf(e.Config))
}

// signedBy is false also of what is no certificate.
func (e *Env) signedBy(ca *pki.CA, file string) bool {
	data, _ := e.Host.ReadFile(file) // none, where it can't be read
	cert, err := pki.ParseCert(data)
	return err == nil && cert.CheckSignatureFrom(ca.Cert) == nil
}
