package cluster

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net/url"
	"strings"
)

// JoinCommand is how another machine joins this cluster by kubeadm, as a worker; with
// the key that its certificates were uploaded under, as a control plane.
func (c *Cluster) JoinCommand(t Token, certificateKey string) (string, error) {
	server, err := url.Parse(c.endpoint.server)
	if err != nil || server.Host == "" {
		return "", errors.New("the kubeconfig has no server with a host")
	}
	hashes, err := publicKeyHashes(c.endpoint.ca)
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
	var hashes []string
	for block, rest := pem.Decode(ca); block != nil; block, rest = pem.Decode(rest) {
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
		hashes = append(hashes, "sha256:"+hex.EncodeToString(sum[:]))
	}
	if len(hashes) == 0 {
		return nil, errors.New("the kubeconfig has no CA certificate")
	}
	return hashes, nil
}
