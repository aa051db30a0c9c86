package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ClusterConfiguration is what kubeadm-config holds: all that is the cluster's and not
// this node's, in kubeadm's words, with the defaults filled in. Reading it gives the same.
func (c *Cluster) ClusterConfiguration() ([]byte, error) { return yaml.Marshal(c.clusterFile()) }

func (c *Cluster) clusterFile() any {
	return clusterConfiguration{
		typeMeta:                    typeMeta{kubeadmV1beta4, clusterKind},
		KubernetesVersion:           c.KubernetesVersion,
		ClusterName:                 c.ClusterName,
		ControlPlaneEndpoint:        c.ControlPlaneEndpoint,
		CertificatesDir:             c.CertificatesDir,
		ImageRepository:             c.Images.Repository,
		EncryptionAlgorithm:         c.KeyAlgorithm,
		CertificateValidityPeriod:   &c.CertificateValidity,
		CACertificateValidityPeriod: &c.CAValidity,
		Networking: networkingFile{
			ServiceSubnet: Joined(c.Networking.ServiceSubnets),
			PodSubnet:     Joined(c.Networking.PodSubnets),
			DNSDomain:     c.Networking.DNSDomain,
		},
		Etcd:              c.etcdFile(),
		APIServer:         apiServer{Component: c.APIServer, CertSANs: c.CertSANs},
		ControllerManager: c.ControllerManager,
		Scheduler:         c.Scheduler,
		DNS:               dns{imageMeta: replacement(c.Images.CoreDNS, c.defaultImages().CoreDNS), Disabled: c.DNSDisabled},
		Proxy:             proxy{c.ProxyDisabled},
	}
}

// BoxConfiguration is our own part of it, without what is meant for one run.
func (c *Cluster) BoxConfiguration() ([]byte, error) {
	return yaml.Marshal(c.boxFile(Flags{SingleNode: &c.Box.SingleNode}))
}

func (c *Cluster) boxFile(flags Flags) any {
	return boxConfiguration{typeMeta: typeMeta{boxVersion, boxKind}, Flags: flags, Network: c.Box.Network}
}

func (c *Cluster) defaultImages() Images { return NewImages(c.Images.Repository, c.KubernetesVersion) }

func (c *Cluster) etcdFile() etcdFile {
	if c.Etcd.External != nil {
		return etcdFile{External: c.Etcd.External}
	}
	return etcdFile{Local: &localEtcd{replacement(c.Images.Etcd, c.defaultImages().Etcd), c.Etcd}}
}

// Joined are subnets, taints and the like as flags and fields name them, with commas between.
func Joined[T fmt.Stringer](list []T) string {
	texts := make([]string, len(list))
	for i, s := range list {
		texts[i] = s.String()
	}
	return strings.Join(texts, ",")
}
