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
	certs, err := certutil.ParseCertsPEM(c.ca)
	if err != nil {
		return "", errors.New("the kubeconfig has no CA certificate")
	}
	words := []string{"kubeadm join", server.Host, "--token", t.Value()}
	for _, cert := range certs { // of the key alone: so the hash outlives a renewed certificate
		hash := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
		words = append(words, "--discovery-token-ca-cert-hash", "sha256:"+hex.EncodeToString(hash[:]))
	}
	if certificateKey != "" {
		words = append(words, "--control-plane", "--certificate-key", certificateKey)
	}
	return strings.Join(words, " "), nil
}
