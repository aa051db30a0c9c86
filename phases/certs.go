package phases

import (
	"context"
	"crypto"
	"fmt"
	"io/fs"

	"bootstrap/phases/host"
	"bootstrap/phases/pki"
	"bootstrap/phases/spec"
)

var certs = Phase{
	Name:  "certs",
	Short: "make the CAs, certificates and the service account key; keep those that are there and right",
	Run:   runCerts,
}

func runCerts(ctx context.Context, env *Env) error {
	p := env.forPurpose(host.Certificates).keyPairs()
	for _, a := range spec.Authorities(env.Config) {
		ca, err := p.ensureCA(a)
		if err != nil {
			return err
		}
		if a.File == "ca" {
			if err := p.write(spec.SigningCert, ".crt", pki.EncodeCert(ca.Cert)); err != nil {
				return err
			}
		}
		for _, l := range a.Leaves {
			if err := p.ensureLeaf(ca, l); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return p.ensureServiceAccountKey()
}

// ensureCA keeps the CA that is there. A key alone, left by a kill between the
// two writes, is signed again; a certificate alone is somebody's own CA.
func (p keyPairs) ensureCA(a spec.Authority) (*pki.CA, error) {
	cert, key, err := p.readPair(a.File)
	if err != nil {
		return nil, err
	}
	if cert != nil && key == nil {
		return nil, fmt.Errorf("%s has no key beside it: signing by an external CA is not supported yet", p.PKIFile(a.File, ".crt"))
	}
	if cert != nil {
		ca := &pki.CA{Cert: cert, Key: key}
		if err := ca.CheckSelf(); err != nil {
			return nil, fmt.Errorf("%s: %w", p.PKIFile(a.File, ".crt"), err)
		}
		return ca, nil
	}
	if key, err = p.ensureKey(a.File, key); err != nil {
		return nil, err
	}
	ca, err := pki.NewCA(a.CommonName, key, p.Config.CAValidity)
	if err != nil {
		return nil, err
	}
	return ca, p.write(a.File, ".crt", pki.EncodeCert(ca.Cert))
}

// ensureLeaf keeps a certificate that serves its purpose and signs a new one,
// for the same key, where it does not: a name was added, or it has expired.
func (p keyPairs) ensureLeaf(ca *pki.CA, l spec.Leaf) error {
	cert, key, err := p.readPair(l.File)
	if err != nil {
		return err
	}
	if cert != nil && key != nil {
		reason := ca.Check(l.Leaf, cert, key)
		if reason == nil {
			return nil
		}
		p.Tell.Note("%s is signed again: %v", p.PKIFile(l.File, ".crt"), reason)
	}
	if key, err = p.ensureKey(l.File, key); err != nil {
		return err
	}
	if cert, err = ca.Issue(l.Leaf, key); err != nil {
		return err
	}
	return p.write(l.File, ".crt", pki.EncodeCert(cert))
}

func (p keyPairs) ensureKey(file string, key crypto.Signer) (crypto.Signer, error) {
	if key != nil {
		return key, nil
	}
	key, err := pki.NewKey(p.Config.KeyAlgorithm)
	if err != nil {
		return nil, err
	}
	data, err := pki.EncodeKey(key)
	if err != nil {
		return nil, err
	}
	return key, p.write(file, ".key", data)
}

// ensureServiceAccountKey makes sa.key, and sa.pub from it whatever sa.pub was.
func (p keyPairs) ensureServiceAccountKey() error {
	_, key, err := p.readPair(spec.ServiceAccountKey)
	if err != nil {
		return err
	}
	if key, err = p.ensureKey(spec.ServiceAccountKey, key); err != nil {
		return err
	}
	public, err := pki.EncodePublicKey(key)
	if err != nil {
		return err
	}
	return p.write(spec.ServiceAccountKey, ".pub", public)
}

func (p keyPairs) write(file, suffix string, data []byte) error {
	mode := fs.FileMode(0o600)
	if suffix == ".crt" {
		mode = 0o644
	}
	_, err := p.Host.WriteOpaque(p.PKIFile(file, suffix), data, mode)
	return err
}
