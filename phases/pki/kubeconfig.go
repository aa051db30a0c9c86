package pki

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"
)

// KubeconfigFile is any kubeconfig, as its YAML has it.
type KubeconfigFile = clientcmdv1.Config

// Kubeconfig is a kubeconfig with one cluster, one user and one context.
type Kubeconfig struct {
	Server  string // https://host:port
	Cluster string
	User    string
	CAFile  string // either this, or CA
	CA      []byte // PEM, as are the next two
	Cert    []byte
	Key     []byte
}

func (k Kubeconfig) context() string { return k.User + "@" + k.Cluster }

// EncodeKubeconfig gives the file's bytes.
func EncodeKubeconfig(k Kubeconfig) ([]byte, error) { return MergeKubeconfig(nil, k) }

// EncodeClusterInfo gives a kubeconfig that only says where the API server is and by
// which CA (PEM) to know it. kubeadm join looks for a cluster without a name.
func EncodeClusterInfo(server string, ca []byte) ([]byte, error) {
	return clientcmd.Write(clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{"": {Server: server, CertificateAuthorityData: ca}},
	})
}

// ErrShape is of a kubeconfig that may be good, and is not of the shape that is made here.
var ErrShape = errors.New("it does not have exactly one cluster, user and context")

// ParseKubeconfig reads a file of the shape that EncodeKubeconfig writes.
func ParseKubeconfig(data []byte) (Kubeconfig, error) {
	file, err := clientcmd.Load(data)
	if err != nil {
		return Kubeconfig{}, fmt.Errorf("parse: %w", err)
	}
	if len(file.Clusters) != 1 || len(file.AuthInfos) != 1 || len(file.Contexts) != 1 {
		return Kubeconfig{}, ErrShape
	}
	var k Kubeconfig
	for name, cluster := range file.Clusters {
		k.Cluster, k.Server = name, cluster.Server
		k.CAFile, k.CA = cluster.CertificateAuthority, cluster.CertificateAuthorityData
	}
	for name, user := range file.AuthInfos {
		k.User, k.Cert, k.Key = name, user.ClientCertificateData, user.ClientKeyData
	}
	return k, nil
}

// ConflictError says that a kubeconfig has an entry of that name which belongs to
// another cluster.
type ConflictError struct {
	List string // clusters, users, contexts
	Name string
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("its entry %q of %s belongs to another cluster", e.Name, e.List)
}

// MergeKubeconfig adds k to a kubeconfig, or brings up to date what the file has of k. All
// other entries stay, and the current context if there is one. The file is written anew,
// without its comments, only if something must change, else its bytes are returned. An
// entry of that name which belongs to another cluster is a *ConflictError.
func MergeKubeconfig(old []byte, k Kubeconfig) ([]byte, error) {
	file, err := clientcmd.Load(old)
	if err != nil {
		return nil, fmt.Errorf("parse: %w", err)
	}
	if err := k.conflict(file); err != nil {
		return nil, err
	}
	before, err := clientcmd.Write(*file)
	if err != nil {
		return nil, err
	}
	k.mergeInto(file)
	merged, err := clientcmd.Write(*file)
	if bytes.Equal(merged, before) {
		return old, err
	}
	return merged, err
}

func (k Kubeconfig) conflict(file *clientcmdapi.Config) error {
	if cluster, found := file.Clusters[k.Cluster]; found && !bytes.Equal(cluster.CertificateAuthorityData, k.CA) {
		return &ConflictError{List: "clusters", Name: k.Cluster}
	}
	if user, found := file.AuthInfos[k.User]; found && !k.signed(user.ClientCertificateData) {
		return &ConflictError{List: "users", Name: k.User}
	}
	if context, found := file.Contexts[k.context()]; found && (context.Cluster != k.Cluster || context.AuthInfo != k.User) {
		return &ConflictError{List: "contexts", Name: k.context()}
	}
	return nil
}

// mergeInto keeps what users add to the three entries, such as a namespace.
func (k Kubeconfig) mergeInto(file *clientcmdapi.Config) {
	cluster := cmp.Or(file.Clusters[k.Cluster], &clientcmdapi.Cluster{})
	cluster.Server, cluster.CertificateAuthority, cluster.CertificateAuthorityData = k.Server, k.CAFile, k.CA
	file.Clusters[k.Cluster] = cluster

	user := cmp.Or(file.AuthInfos[k.User], &clientcmdapi.AuthInfo{})
	user.ClientCertificateData, user.ClientKeyData = k.Cert, k.Key
	file.AuthInfos[k.User] = user

	context := cmp.Or(file.Contexts[k.context()], &clientcmdapi.Context{})
	context.Cluster, context.AuthInfo = k.Cluster, k.User
	file.Contexts[k.context()] = context

	file.CurrentContext = cmp.Or(file.CurrentContext, k.context())
}

// signed tells whether the certificate, PEM, is of this cluster's CA.
func (k Kubeconfig) signed(certificate []byte) bool {
	cert, err := ParseCert(certificate)
	if err != nil {
		return false
	}
	ca, err := ParseCert(k.CA)
	return err == nil && cert.CheckSignatureFrom(ca) == nil
}
