package cluster

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"

	certutil "k8s.io/client-go/util/cert"
)

// JoinCommand is how another machine joins this cluster by kubeadm, as a worker; with
// the key that its certificates were uploaded under, as a control plane.
func (c *Cluster) JoinCommand(t Token, certificateKey string) (string, error) {
	server, err := url.Parse(c.named)
	if err != nil || server.Host == "" {
		return "", errors.New("the kubeconfig has no server with a host")
	}
	hashes, err := publicKeyHashes(c.ca)
	if err != nil {
		return "", err
	}
	words := []string{"kubeadm join", server.Host, "--token", t.Value()}
	for _, hash := range hashes {
		words = append(words, "--discovery-token-ca-cert-hash", hash)
	}
	if certificateKey != "" {
		words = append(words, "--control-plane", "--certificate-key", certificateKey)
	}
	return strings.Join(words, " "), nil
}

// publicKeyHashes are what kubeadm join holds the cluster's CA against: the key alone,
// so that they outlive a renewed certificate.
func publicKeyHashes(ca []byte) ([]string, error) {
	certs, err := certutil.ParseCertsPEM(ca)
	if err != nil {
		return nil, errors.New("the kubeconfig has no CA certificate")
	}
	var hashes []string
	for _, cert := range certs {
		sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
		hashes = append(hashes, "sha256:"+hex.EncodeToString(sum[:]))
	}
	return hashes, nil
}
