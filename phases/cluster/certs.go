package cluster

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	certsSecret = "kubeadm-certs"
	certsTTL    = 2 * time.Hour // as kubeadm's
	keySize     = 32            // AES-256
)

// CertificateKey encrypts the certificates that control plane nodes share.
type CertificateKey [keySize]byte

// NewCertificateKey is a random one.
func NewCertificateKey() (key CertificateKey) {
	_, _ = rand.Read(key[:]) // it never fails
	return key
}

// ParseCertificateKey reads 64 hex digits, and repeats none of them in its error.
func ParseCertificateKey(text string) (CertificateKey, error) {
	var key CertificateKey
	data, err := hex.DecodeString(text)
	if err != nil || len(data) != keySize {
		return key, errors.New("a certificate key is 64 hex digits")
	}
	copy(key[:], data)
	return key, nil
}

// Hex is the key as kubeadm join takes it.
func (k CertificateKey) Hex() string { return hex.EncodeToString(k[:]) }

// String hides the key.
func (CertificateKey) String() string { return "(certificate key)" }

// gcm has kubeadm's form: a random nonce, then the encrypted text with its tag.
func (k CertificateKey) gcm() cipher.AEAD {
	block, _ := aes.NewCipher(k[:]) // the key has the length of an AES key
	gcm, _ := cipher.NewGCMWithRandomNonce(block)
	return gcm
}

// sealAll leaves an empty file empty: kubeadm wants its name, and skips it.
func (k CertificateKey) sealAll(files map[string][]byte) map[string][]byte {
	gcm, sealed := k.gcm(), map[string][]byte{}
	for name, text := range files {
		sealed[name] = []byte{}
		if len(text) > 0 {
			sealed[name] = gcm.Seal(nil, nil, text, nil)
		}
	}
	return sealed
}

// opensTo tells whether sealed holds just these files under this key.
func (k CertificateKey) opensTo(files, sealed map[string][]byte) bool {
	gcm := k.gcm()
	return maps.EqualFunc(files, sealed, func(want, data []byte) bool {
		if len(want) == 0 || len(data) == 0 {
			return len(want) == len(data)
		}
		got, err := gcm.Open(nil, nil, data, nil)
		return err == nil && bytes.Equal(got, want)
	})
}

// HasCerts tells whether uploaded certificates are there, under whatever key.
func (c *Cluster) HasCerts(ctx context.Context) (bool, error) {
	_, found, err := c.secret(ctx, certsSecret)
	return found, err
}

// UploadCerts stores files under kubeadm's names for 2 hours, for control plane nodes
// that join. If they are there under this key already, nothing changes.
func (c *Cluster) UploadCerts(ctx context.Context, files map[string][]byte, key CertificateKey) error {
	now, found, err := c.secret(ctx, certsSecret)
	if err != nil || found && key.opensTo(files, now.Data) {
		return err
	}
	owner, err := NewToken()
	if err != nil {
		return err
	}
	// No usages and no groups: all it can do is expire, and take the Secret with it.
	owner.Usages, owner.Groups = nil, nil
	owner.Description, owner.Expires = "its end removes the Secret kubeadm-certs", time.Now().Add(certsTTL)
	made, err := c.applySecret(ctx, owner.object())
	if err != nil {
		return err
	}
	secret := newSecret(certsSecret, key.sealAll(files))
	if made != nil {
		secret.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(made, made.GroupVersionKind())}
	}
	_, err = c.applySecret(ctx, secret)
	return err
}
