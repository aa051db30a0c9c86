package phases

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"bootstrap/phases/config"
	"bootstrap/phases/pki"
)

var kubeconfigs = Phase{
	Name:  "kubeconfig",
	Short: "write the kubeconfigs of admin, super-admin, kubelet, controller manager and scheduler",
	Run:   runKubeconfigs,
}

// identity is who a kubeconfig is for.
type identity struct {
	path         string
	commonName   string
	organization string
	server       string
}

func identities(c *config.Config) []identity {
	return []identity{
		{adminConf, "kubernetes-admin", "kubeadm:cluster-admins", c.EndpointURL()},
		{superAdminConf, "kubernetes-super-admin", "system:masters", c.EndpointURL()},
		{kubeletConf, "system:node:" + c.NodeName, "system:nodes", c.APIServerURL()},
		{controllerConf, "system:kube-controller-manager", "", c.APIServerURL()},
		{schedulerConf, "system:kube-scheduler", "", c.APIServerURL()},
	}
}

func runKubeconfigs(_ context.Context, env *Env) error {
	cert, key, err := env.readPair("ca")
	if err != nil {
		return err
	}
	if cert == nil || key == nil {
		return withHint(fmt.Errorf("no CA in %s", env.Config.CertificatesDir), "run first: bootstrap init phase certs")
	}
	ca := &pki.CA{Cert: cert, Key: key}
	for _, id := range identities(env.Config) {
		if err := env.ensureKubeconfig(ca, id); err != nil {
			return err
		}
	}
	return nil
}

func (e *Env) ensureKubeconfig(ca *pki.CA, id identity) error {
	data, err := e.Host.ReadFile(id.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return e.writeKubeconfig(ca, id)
	case err != nil:
		return err
	}
	if reason := e.checkKubeconfig(ca, id, data); reason != nil {
		e.note("%s is written again: %v", id.path, reason)
		return e.writeKubeconfig(ca, id)
	}
	return e.closeToOthers(id.path, data)
}

// checkKubeconfig says why the file that is there does not serve, or nil.
func (e *Env) checkKubeconfig(ca *pki.CA, id identity, data []byte) error {
	k, err := pki.ParseKubeconfig(data)
	if err != nil {
		return err
	}
	if k.Server != id.server {
		return fmt.Errorf("its server is %s, want %s", k.Server, id.server)
	}
	if !bytes.Equal(k.CA, pki.EncodeCert(ca.Cert)) {
		return errors.New("its CA is not this cluster's")
	}
	cert, err := pki.ParseCert(k.Cert)
	if err != nil {
		return err
	}
	key, err := pki.ParseKey(k.Key)
	if err != nil {
		return err
	}
	return ca.Check(e.clientLeaf(id), cert, key)
}

func (e *Env) writeKubeconfig(ca *pki.CA, id identity) error {
	key, err := pki.NewKey(e.Config.KeyAlgorithm)
	if err != nil {
		return err
	}
	cert, err := ca.Issue(e.clientLeaf(id), key)
	if err != nil {
		return err
	}
	keyPEM, err := pki.EncodeKey(key)
	if err != nil {
		return err
	}
	data, err := pki.EncodeKubeconfig(pki.Kubeconfig{
		Server: id.server, Cluster: e.Config.ClusterName, User: id.commonName,
		CA: pki.EncodeCert(ca.Cert), Cert: pki.EncodeCert(cert), Key: keyPEM,
	})
	if err != nil {
		return err
	}
	_, err = e.Host.WriteOpaque(id.path, data, 0o600)
	return err
}

func (e *Env) clientLeaf(id identity) pki.Leaf {
	return pki.Leaf{
		CommonName: id.commonName, Organization: id.organization, Client: true, Validity: e.Config.CertificateValidity,
	}
}
