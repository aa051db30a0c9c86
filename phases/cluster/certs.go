package cluster

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	certsSecret = "kubeadm-certs"
	certsTTL    = 2 * time.Hour // as kubeadm's
	keySize     = 32            // AES-256
)

// CertificateKey encrypts the certificates that control plane nodes share.
type CertificateKey [keySize]byte

// NewCertificateKey is a random one.
func NewCertificateKey() (CertificateKey, error) {
	var key CertificateKey
	_, err := rand.Read(key[:])
	return key, err
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

// seal encrypts as kubeadm reads it: the nonce, then the text with its tag.
func (k CertificateKey) seal(text []byte) ([]byte, error) {
	gcm, err := k.cipher()
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, gcm.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return gcm.Seal(nonce, nonce, text, nil), nil
}

func (k CertificateKey) open(sealed []byte) ([]byte, error) {
	gcm, err := k.cipher()
	if err != nil {
		return nil, err
	}
	if len(sealed) < gcm.NonceSize() {
		return nil, errors.New("too short for what is encrypted")
	}
	return gcm.Open(nil, sealed[:gcm.NonceSize()], sealed[gcm.NonceSize():], nil)
}

func (k CertificateKey) cipher() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// sealAll leaves an empty file empty: kubeadm wants its name, and skips it.
func (k CertificateKey) sealAll(files map[string][]byte) (map[string][]byte, error) {
	sealed := map[string][]byte{}
	for name, text := range files {
		sealed[name] = []byte{}
		if len(text) == 0 {
			continue
		}
		var err error
		if sealed[name], err = k.seal(text); err != nil {
			return nil, fmt.Errorf("encrypt %s: %w", name, err)
		}
	}
	return sealed, nil
}

// opensTo tells whether sealed holds just these files under this key.
func (k CertificateKey) opensTo(files, sealed map[string][]byte) bool {
	return maps.EqualFunc(files, sealed, func(want, data []byte) bool {
		if len(want) == 0 || len(data) == 0 {
			return len(want) == len(data)
		}
		got, err := k.open(data)
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
func (c *Cluster) UploadCerts(ctx context.Context, files map[string][]byte, key CertificateKey) ([]Applied, error) {
	now, found, err := c.secret(ctx, certsSecret)
	if err != nil || found && key.opensTo(files, now.Data) {
		return nil, err
	}
	sealed, err := key.sealAll(files)
	if err != nil {
		return nil, err
	}
	owner, err := NewToken()
	if err != nil {
		return nil, err
	}
	// No usages and no groups: all it can do is expire, and take the Secret with it.
	owner.Usages, owner.Groups = nil, nil
	owner.Description, owner.Expires = "its end removes the Secret kubeadm-certs", time.Now().Add(certsTTL)
	token, uid, err := c.applyToken(ctx, owner)
	if err != nil {
		return nil, err
	}
	manifest, err := certsManifest(sealed, owner, uid)
	if err != nil {
		return []Applied{token}, err
	}
	certs, err := c.ApplyAll(ctx, manifest)
	return append([]Applied{token}, certs...), err
}

// certsManifest has no owner in a plan, where the token has no UID yet.
func certsManifest(sealed map[string][]byte, owner Token, uid types.UID) ([]byte, error) {
	secret := corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: certsSecret},
		Data:       sealed,
	}
	if uid != "" {
		yes := true
		secret.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: "v1", Kind: "Secret", Name: "bootstrap-token-" + owner.ID, UID: uid, Controller: &yes, BlockOwnerDeletion: &yes,
		}}
	}
	return json.Marshal(secret)
}
