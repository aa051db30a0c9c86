package phases

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"bootstrap/phases/pki"
	"bootstrap/phases/spec"
)

var kubeconfigs = Phase{
	Name:  "kubeconfig",
	Short: "write the kubeconfigs of admin, super-admin, kubelet, controller manager and scheduler",
	Run:   runKubeconfigs,
}

func runKubeconfigs(_ context.Context, env *Env) error {
	ca, err := env.readCA()
	if err != nil {
		return err
	}
	for _, id := range spec.Identities(env.Config) {
		if err := env.ensureKubeconfig(ca, id); err != nil {
			return err
		}
	}
	return nil
}

func (e *Env) ensureKubeconfig(ca *pki.CA, id spec.Identity) error {
	data, err := e.Host.ReadFile(id.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return e.writeKubeconfig(ca, id)
	case err != nil:
		return err
	}
	if reason := e.checkKubeconfig(ca, id, data); reason != nil {
		e.Tell.Note("%s is written again: %v", id.Path, reason)
		return e.writeKubeconfig(ca, id)
	}
	return e.closeToOthers(id.Path)
}

// checkKubeconfig says why the file that is there does not serve, or nil.
func (e *Env) checkKubeconfig(ca *pki.CA, id spec.Identity, data []byte) error {
	k, err := pki.ParseKubeconfig(data)
	if err != nil {
		return err
	}
	if k.Server != id.Server {
		return fmt.Errorf("its server is %s, want %s", k.Server, id.Server)
	}
	if err := e.checkKubeconfigCA(ca, id, k); err != nil {
		return err
	}
	cert, err := pki.ParseCert(k.Cert)
	if err != nil {
		return err
	}
	key, err := pki.ParseKey(k.Key)
	if err != nil {
		return err
	}
	return ca.Check(e.ClientLeaf(id), cert, key)
}

// checkKubeconfigCA leaves a kubeconfig of others alone where the CA itself is in it.
func (e *Env) checkKubeconfigCA(ca *pki.CA, id spec.Identity, k pki.Kubeconfig) error {
	switch {
	case id.CAFile != "" && k.CAFile == id.CAFile:
		return nil
	case !bytes.Equal(k.CA, pki.EncodeCert(ca.Cert)):
		return errors.New("its CA is not this cluster's")
	case id.CAFile != "" && e.Host.Made(id.Path):
		return fmt.Errorf("the CA is in it, in place of the name of its file, %s", id.CAFile)
	}
	return nil
}

func (e *Env) writeKubeconfig(ca *pki.CA, id spec.Identity) error {
	data, err := e.issueKubeconfig(ca, e.ClientLeaf(id), id)
	if err != nil {
		return err
	}
	_, err = e.Host.WriteOpaque(id.Path, data, 0o600)
	return err
}

func (e *Env) issueKubeconfig(ca *pki.CA, leaf pki.Leaf, id spec.Identity) ([]byte, error) {
	key, err := pki.NewKey(e.Config.KeyAlgorithm)
	if err != nil {
		return nil, err
	}
	cert, err := ca.Issue(leaf, key)
	if err != nil {
		return nil, err
	}
	keyPEM, err := pki.EncodeKey(key)
	if err != nil {
		return nil, err
	}
	k := pki.Kubeconfig{
		Server: id.Server, Cluster: e.Config.ClusterName, User: leaf.CommonName,
		CAFile: id.CAFile, Cert: pki.EncodeCert(cert), Key: keyPEM,
	}
	if k.CAFile == "" {
		k.CA = pki.EncodeCert(ca.Cert)
	}
	return pki.EncodeKubeconfig(k)
}
