package phases

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

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
	w := kubeconfigWriter{env, ca}
	for _, id := range spec.Identities(env.Config) {
		if err := w.ensure(id); err != nil {
			return err
		}
	}
	return nil
}

// kubeconfigWriter writes kubeconfigs with certificates that the cluster's CA has signed.
type kubeconfigWriter struct {
	*Env
	ca *pki.CA
}

func (w kubeconfigWriter) ensure(id spec.Identity) error {
	data, err := w.Host.ReadFile(id.Path)
	if err == nil {
		reason := w.check(id, data)
		if reason == nil {
			return w.closeToOthers(id.Path)
		}
		w.Tell.Say("%s is written again: %v", id.Path, reason)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if data, err = w.issue(id); err != nil {
		return err
	}
	_, err = w.Host.WriteOpaque(id.Path, data, 0o600)
	return err
}

// check says why the file that is there does not serve, or nil.
func (w kubeconfigWriter) check(id spec.Identity, data []byte) error {
	k, err := pki.ParseKubeconfig(data)
	if err != nil {
		return err
	}
	if k.Server != id.Server {
		return fmt.Errorf("its server is %s, want %s", k.Server, id.Server)
	}
	if err := w.checkCA(id, k); err != nil {
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
	return w.ca.Check(id.Leaf, cert, key)
}

// checkCA leaves a kubeconfig of others alone where the CA itself is in it.
func (w kubeconfigWriter) checkCA(id spec.Identity, k pki.Kubeconfig) error {
	switch {
	case id.CAFile != "" && k.CAFile == id.CAFile:
		return nil
	case !bytes.Equal(k.CA, pki.EncodeCert(w.ca.Cert)):
		return errors.New("its CA is not this cluster's")
	case id.CAFile != "" && w.Host.Made(id.Path):
		return fmt.Errorf("the CA is in it, in place of the name of its file, %s", id.CAFile)
	}
	return nil
}

func (w kubeconfigWriter) issue(id spec.Identity) ([]byte, error) {
	key, err := pki.NewKey(w.Config.KeyAlgorithm)
	if err != nil {
		return nil, err
	}
	cert, err := w.ca.Issue(id.Leaf, key)
	if err != nil {
		return nil, err
	}
	keyPEM, err := pki.EncodeKey(key)
	if err != nil {
		return nil, err
	}
	k := pki.Kubeconfig{
		Server: id.Server, Cluster: w.Config.ClusterName, User: id.CommonName,
		CAFile: id.CAFile, Cert: pki.EncodeCert(cert), Key: keyPEM,
	}
	if k.CAFile == "" {
		k.CA = pki.EncodeCert(w.ca.Cert)
	}
	return pki.EncodeKubeconfig(k)
}

// KubeconfigUser is somebody who is to have a kubeconfig.
type KubeconfigUser struct {
	Name     string
	Groups   []string
	Validity time.Duration // zero: as the cluster's certificates
}

// UserKubeconfig gives a new kubeconfig, signed by the cluster's CA. It needs no API
// server, and takes nothing back: no rights come with it but the groups'.
func (e *Env) UserKubeconfig(u KubeconfigUser) ([]byte, error) {
	ca, err := e.readCA()
	if err != nil {
		return nil, err
	}
	id := spec.Identity{Server: e.Config.EndpointURL(), Leaf: spec.ClientLeaf(e.Config, u.Name, u.Groups...)}
	id.Validity = cmp.Or(u.Validity, id.Validity)
	return kubeconfigWriter{e, ca}.issue(id)
}
