package phases

import (
	"path"

	"bootstrap/phases/pki"
	"bootstrap/phases/spec"
)

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
	if _, err := e.Host.MakeDir(path.Dir(spec.ServingCert), 0o755); err != nil {
		return err
	}
	return e.ensureLeaf(ca, spec.ServingLeaf(e.Config))
}

// signedBy is false also of what is no certificate.
func (e *Env) signedBy(ca *pki.CA, file string) bool {
	data, err := e.Host.ReadFile(file)
	if err != nil {
		return false
	}
	cert, err := pki.ParseCert(data)
	return err == nil && cert.CheckSignatureFrom(ca.Cert) == nil
}
