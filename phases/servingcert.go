package phases

import (
	"path"

	"bootstrap/phases/pki"
	"bootstrap/phases/spec"
)

// ensureServingCert saves the kubelet from making two RSA keys before it starts a pod, and
// is signed by the cluster's CA, where the kubelet can only sign for itself. What the
// kubelet or others have made stays.
func (p keyPairs) ensureServingCert() error {
	there := p.Host.Exists(spec.ServingCert+".crt") && p.Host.Exists(spec.ServingCert+".key")
	if there && !p.Host.Made(spec.ServingCert+".crt") {
		return nil
	}
	ca, err := p.readCA()
	if err != nil {
		return err
	}
	if there && !p.signedBy(ca, spec.ServingCert+".crt") {
		return nil
	}
	if _, err := p.Host.MakeDir(path.Dir(spec.ServingCert), 0o755); err != nil {
		return err
	}
	return p.ensureLeaf(ca, spec.ServingLeaf(p.Config))
}

// signedBy is false of what somebody else has put in the place of ours.
func (p keyPairs) signedBy(ca *pki.CA, file string) bool {
	data, err := p.Host.ReadFile(file)
	if err != nil {
		return false
	}
	cert, err := pki.ParseCert(data)
	return err == nil && cert.CheckSignatureFrom(ca.Cert) == nil
}
