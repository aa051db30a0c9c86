package phases

import (
	"path"

	"bootstrap/phases/pki"
	"bootstrap/phases/spec"
)

// ensureServingCert saves the kubelet from making two RSA keys before it starts a pod, and
// is signed by the cluster's CA, where the kubelet can only sign for itself. What the
// kubelet or others have made stays.
func (e *Env) ensureServingCert() error {
	there := e.Host.Exists(spec.ServingCert+".crt") && e.Host.Exists(spec.ServingCert+".key")
	if there && !e.Host.Made(spec.ServingCert+".crt") {
		return nil
	}
	ca, err := e.readCA()
	if err != nil {
		return err
	}
	if there && !e.signedBy(ca, spec.ServingCert+".crt") {
		return nil
	}
	if _, err := e.Host.MakeDir(path.Dir(spec.ServingCert), 0o755); err != nil {
		return err
	}
	return e.ensureLeaf(ca, spec.Leaf{File: spec.ServingCert, Leaf: pki.Leaf{
		CommonName: e.Config.NodeName, Names: []string{e.Config.NodeName, e.Config.AdvertiseAddress.String()},
		Server: true, Validity: e.Config.CertificateValidity,
	}})
}

// signedBy is false of what somebody else has put in the place of ours.
func (e *Env) signedBy(ca *pki.CA, file string) bool {
	data, err := e.Host.ReadFile(file)
	if err != nil {
		return false
	}
	cert, err := pki.ParseCert(data)
	return err == nil && cert.CheckSignatureFrom(ca.Cert) == nil
}
