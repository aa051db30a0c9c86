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

// adminUser is the name of who may do everything, as kubeadm has it.
const adminUser = "kubernetes-admin"

// identity is who a kubeconfig is for.
type identity struct {
	path          string
	commonName    string
	organizations []string
	server        string
	caFile        string // named in it; empty where the CA itself is in it
}

// identities: the kubelet reads a CA file again every few minutes, and so needs no restart
// when the CA is replaced. In the others kubeadm's certs and upgrade refuse one.
func identities(c *config.Config) []identity {
	return []identity{
		{adminConf, adminUser, []string{"kubeadm:cluster-admins"}, c.EndpointURL(), ""},
		{superAdminConf, "kubernetes-super-admin", []string{"system:masters"}, c.EndpointURL(), ""},
		{kubeletConf, "system:node:" + c.NodeName, []string{"system:nodes"}, c.APIServerURL(), c.CertificatesDir + "/ca.crt"},
		{controllerConf, "system:kube-controller-manager", nil, c.APIServerURL(), ""},
		{schedulerConf, "system:kube-scheduler", nil, c.APIServerURL(), ""},
	}
}

func runKubeconfigs(_ context.Context, env *Env) error {
	ca, err := env.readCA()
	if err != nil {
		return err
	}
	for _, id := range identities(env.Config) {
		if err := env.ensureKubeconfig(ca, id); err != nil {
			return err
		}
	}
	return nil
}

// readCA reads the CA that signs clients.
func (e *Env) readCA() (*pki.CA, error) {
	cert, key, err := e.readPair("ca")
	if err != nil {
		return nil, err
	}
	if cert == nil || key == nil {
		return nil, withHint(fmt.Errorf("no CA in %s", e.Config.CertificatesDir), "run first: bootstrap init phase certs")
	}
	return &pki.CA{Cert: cert, Key: key}, nil
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
	return ca.Check(e.clientLeaf(id), cert, key)
}

// checkKubeconfigCA leaves a kubeconfig of others alone where the CA itself is in it.
func (e *Env) checkKubeconfigCA(ca *pki.CA, id identity, k pki.Kubeconfig) error {
	switch {
	case id.caFile != "" && k.CAFile == id.caFile:
		return nil
	case !bytes.Equal(k.CA, pki.EncodeCert(ca.Cert)):
		return errors.New("its CA is not this cluster's")
	case id.caFile != "" && e.made(id.path):
		return fmt.Errorf("the CA is in it, in place of the name of its file, %s", id.caFile)
	}
	return nil
}

func (e *Env) writeKubeconfig(ca *pki.CA, id identity) error {
	data, err := e.issueKubeconfig(ca, e.clientLeaf(id), id)
	if err != nil {
		return err
	}
	_, err = e.Host.WriteOpaque(id.path, data, 0o600)
	return err
}

func (e *Env) issueKubeconfig(ca *pki.CA, leaf pki.Leaf, id identity) ([]byte, error) {
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
		Server: id.server, Cluster: e.Config.ClusterName, User: leaf.CommonName,
		CAFile: id.caFile, Cert: pki.EncodeCert(cert), Key: keyPEM,
	}
	if k.CAFile == "" {
		k.CA = pki.EncodeCert(ca.Cert)
	}
	return pki.EncodeKubeconfig(k)
}

func (e *Env) clientLeaf(id identity) pki.Leaf {
	return pki.Leaf{
		CommonName: id.commonName, Organizations: id.organizations, Client: true, Validity: e.Config.CertificateValidity,
	}
}
