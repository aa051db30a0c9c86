package pki

import (
	"errors"
	"fmt"

	"sigs.k8s.io/yaml"
)

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

// The file's own shape; only the fields that are written here.
type kubeconfigFile struct {
	APIVersion     string         `json:"apiVersion"`
	Kind           string         `json:"kind"`
	Clusters       []namedCluster `json:"clusters"`
	Users          []namedUser    `json:"users"`
	Contexts       []namedContext `json:"contexts"`
	CurrentContext string         `json:"current-context"`
}

type namedCluster struct {
	Name    string `json:"name"`
	Cluster struct {
		CA     []byte `json:"certificate-authority-data,omitempty"`
		CAFile string `json:"certificate-authority,omitempty"`
		Server string `json:"server"`
	} `json:"cluster"`
}

type namedUser struct {
	Name string `json:"name"`
	User struct {
		Cert []byte `json:"client-certificate-data"`
		Key  []byte `json:"client-key-data"`
	} `json:"user"`
}

type namedContext struct {
	Name    string `json:"name"`
	Context struct {
		Cluster string `json:"cluster"`
		User    string `json:"user"`
	} `json:"context"`
}

// EncodeKubeconfig gives the file's bytes.
func EncodeKubeconfig(k Kubeconfig) ([]byte, error) {
	name := k.context()
	f := kubeconfigFile{APIVersion: "v1", Kind: "Config", CurrentContext: name}
	f.Clusters = []namedCluster{{Name: k.Cluster}}
	f.Clusters[0].Cluster.CA, f.Clusters[0].Cluster.CAFile = k.CA, k.CAFile
	f.Clusters[0].Cluster.Server = k.Server
	f.Users = []namedUser{{Name: k.User}}
	f.Users[0].User.Cert = k.Cert
	f.Users[0].User.Key = k.Key
	f.Contexts = []namedContext{{Name: name}}
	f.Contexts[0].Context.Cluster = k.Cluster
	f.Contexts[0].Context.User = k.User
	return yaml.Marshal(f)
}

// EncodeClusterInfo gives a kubeconfig that only says where the API server is and by
// which CA (PEM) to know it. kubeadm join looks for a cluster without a name.
func EncodeClusterInfo(server string, ca []byte) ([]byte, error) {
	f := kubeconfigFile{APIVersion: "v1", Kind: "Config", Clusters: []namedCluster{{}}}
	f.Clusters[0].Cluster.CA = ca
	f.Clusters[0].Cluster.Server = server
	return yaml.Marshal(f)
}

// ErrShape is of a kubeconfig that may be good, and is not of the shape that is made here.
var ErrShape = errors.New("it does not have exactly one cluster, user and context")

// ParseKubeconfig reads a file of the shape that EncodeKubeconfig writes.
func ParseKubeconfig(data []byte) (Kubeconfig, error) {
	var f kubeconfigFile
	if err := yaml.Unmarshal(data, &f); err != nil {
		return Kubeconfig{}, fmt.Errorf("parse: %w", err)
	}
	if len(f.Clusters) != 1 || len(f.Users) != 1 || len(f.Contexts) != 1 {
		return Kubeconfig{}, ErrShape
	}
	return Kubeconfig{
		Server:  f.Clusters[0].Cluster.Server,
		Cluster: f.Clusters[0].Name,
		User:    f.Users[0].Name,
		CA:      f.Clusters[0].Cluster.CA,
		CAFile:  f.Clusters[0].Cluster.CAFile,
		Cert:    f.Users[0].User.Cert,
		Key:     f.Users[0].User.Key,
	}, nil
}
