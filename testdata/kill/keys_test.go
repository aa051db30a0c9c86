package kill

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// checkKeys says what is wrong with the certificates, keys and kubeconfigs of a tree.
func checkKeys(t tree) []string {
	var found []string
	for _, path := range t.paths() {
		if !random(path) || !t[path].mode.IsRegular() {
			continue
		}
		if err := t.checkFile(path); err != nil {
			found = append(found, fmt.Sprintf("%s: %v", path, err))
		}
	}
	return found
}

func (t tree) checkFile(path string) error {
	data := t[path].data
	switch kindOf(path) {
	case ".conf":
		if string(data) == annsKubeconfig {
			return nil // as it was
		}
		return t.checkKubeconfig(data)
	case ".crt":
		ca := t[signer(path)].data
		return checkPair(ca, data, t[keyOf(path)].data)
	case ".pub":
		return checkPublic(data, t[strings.TrimSuffix(path, ".pub")+".key"].data)
	}
	return whole(path, data)
}

// keyOf is the key file of a certificate file: the one that signs has a copy apart.
func keyOf(path string) string {
	if path == pkiDir+"ca-signing.crt" {
		return pkiDir + "ca.key"
	}
	return strings.TrimSuffix(path, ".crt") + ".key"
}

// signer is the CA file of a certificate file: kubeadm's layout.
func signer(path string) string {
	name := strings.TrimPrefix(path, pkiDir)
	switch {
	case strings.HasPrefix(name, "etcd/") || name == "apiserver-etcd-client.crt":
		return pkiDir + "etcd/ca.crt"
	case strings.HasPrefix(name, "front-proxy"):
		return pkiDir + "front-proxy-ca.crt"
	}
	return pkiDir + "ca.crt"
}

// whole tells whether a file can be read to its last byte.
func whole(path string, data []byte) error {
	var err error
	switch kindOf(path) {
	case ".conf":
		_, err = parseKubeconfig(data)
	case ".crt":
		_, err = parseCertificate(data)
	case ".key":
		_, err = parseKey(data)
	case ".pub":
		_, err = onlyBlock(data)
	}
	return err
}

func onlyBlock(data []byte) ([]byte, error) {
	block, rest := pem.Decode(data)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("not one whole PEM block")
	}
	return block.Bytes, nil
}

func parseCertificate(data []byte) (*x509.Certificate, error) {
	der, err := onlyBlock(data)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func parseKey(data []byte) (crypto.Signer, error) {
	der, err := onlyBlock(data)
	if err != nil {
		return nil, err
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	signs, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a %T signs nothing", key)
	}
	return signs, nil
}

// checkPair: the CA signed the certificate, which belongs to the key.
func checkPair(ca, cert, key []byte) error {
	leaf, err := parseCertificate(cert)
	if err != nil {
		return err
	}
	authority, err := parseCertificate(ca)
	if err != nil {
		return fmt.Errorf("its CA: %w", err)
	}
	private, err := parseKey(key)
	if err != nil {
		return fmt.Errorf("its key: %w", err)
	}
	if !samePublic(leaf.PublicKey, private) {
		return errors.New("the key beside it is another's")
	}
	return leaf.CheckSignatureFrom(authority)
}

func checkPublic(public, key []byte) error {
	der, err := onlyBlock(public)
	if err != nil {
		return err
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return err
	}
	private, err := parseKey(key)
	if err != nil {
		return err
	}
	if !samePublic(parsed, private) {
		return errors.New("not of the key beside it")
	}
	return nil
}

func samePublic(public any, private crypto.Signer) bool {
	comparable, ok := private.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && comparable.Equal(public)
}

// kubeconfig is what the check needs of one. Its data is base64, which yaml decodes.
type kubeconfig struct {
	Clusters []clusterEntry `json:"clusters"`
	Users    []userEntry    `json:"users"`
}

type clusterEntry struct {
	Cluster struct {
		CA     []byte `json:"certificate-authority-data"`
		CAFile string `json:"certificate-authority"`
	} `json:"cluster"`
}

type userEntry struct {
	User struct {
		Cert []byte `json:"client-certificate-data"`
		Key  []byte `json:"client-key-data"`
	} `json:"user"`
}

func parseKubeconfig(data []byte) (kubeconfig, error) {
	var k kubeconfig
	if err := yaml.Unmarshal(data, &k); err != nil {
		return k, err
	}
	// ann's own entries have no key material.
	k.Clusters = slices.DeleteFunc(k.Clusters, func(c clusterEntry) bool { return c.Cluster.CA == nil && c.Cluster.CAFile == "" })
	k.Users = slices.DeleteFunc(k.Users, func(u userEntry) bool { return u.User.Cert == nil })
	if len(k.Clusters) != 1 || len(k.Users) != 1 {
		return k, errors.New("not one cluster and one user")
	}
	return k, nil
}

func (t tree) checkKubeconfig(data []byte) error {
	k, err := parseKubeconfig(data)
	if err != nil {
		return err
	}
	ca := k.Clusters[0].Cluster.CA
	if file := k.Clusters[0].Cluster.CAFile; file != "" {
		ca = t[file].data
	}
	if !bytes.Equal(ca, t[pkiDir+"ca.crt"].data) {
		return errors.New("its CA is not " + pkiDir + "ca.crt")
	}
	return checkPair(ca, k.Users[0].User.Cert, k.Users[0].User.Key)
}

// sameCertificate compares what is not drawn anew for each certificate.
func sameCertificate(got, want []byte) error {
	g, err := parseCertificate(got)
	if err != nil {
		return err
	}
	w, err := parseCertificate(want)
	if err != nil {
		return err
	}
	if a, b := content(g), content(w); a != b {
		return fmt.Errorf("a certificate of %s, want %s", a, b)
	}
	return nil
}

func content(c *x509.Certificate) string {
	names := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	return fmt.Sprintf("%s by %s for %v, usage %d %v, CA %t, %s",
		c.Subject, c.Issuer, names, c.KeyUsage, c.ExtKeyUsage, c.IsCA, c.PublicKeyAlgorithm)
}
