package observe

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"bootstrap/phases/pki"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

// readHereAlone are keys that no pod has a use for.
var readHereAlone = []string{"etcd/ca", "front-proxy-ca", spec.ServingCert}

// readableInPods refuses a key of another user: root in a pod may not read it, as it has no
// capability to override what files say.
func (o *Observer) readableInPods(file string) error {
	by := o.Host.ClosedToRoot(file)
	if by == "" {
		return nil
	}
	return plan.Hint(fmt.Errorf("%s belongs to %s, and the control plane's pods may not read it", file, by), "chown root: %s", file)
}

// CloseToOthers mends the mode of a file of ours with a key in it. One that was here
// before bootstrap is refused: who has read it since is not known.
func (o *Observer) CloseToOthers(file string, data []byte) error {
	mode, err := o.Host.Mode(file)
	if err != nil || mode&0o077 == 0 {
		return err
	}
	if !o.Host.Made(file) {
		return plan.Hint(fmt.Errorf("%s holds a key, and others may read it (mode %04o)", file, mode),
			"if nobody has: chmod 600 %s; else make a new one", file)
	}
	o.Tell.Warn("%s was open to others (mode %04o): closed", file, mode)
	_, err = o.Host.WriteOpaque(file, data, 0o600)
	return err
}

// ReadPair reads NAME.crt and NAME.key, and closes the key to others; what is
// missing is nil. A file that is there but can't be read is never overwritten: it
// may be all that is left of a CA.
func (o *Observer) ReadPair(file string) (cert *x509.Certificate, key crypto.Signer, err error) {
	data, err := o.readPKI(file, ".crt")
	if err == nil && data != nil {
		cert, err = pki.ParseCert(data)
		err = o.damaged(file, ".crt", err)
	}
	if err != nil {
		return nil, nil, err
	}
	data, err = o.readPKI(file, ".key")
	if err == nil && data != nil {
		key, err = pki.ParseKey(data)
		err = o.damaged(file, ".key", err)
	}
	if err != nil || data == nil {
		return cert, key, err
	}
	if !slices.Contains(readHereAlone, file) {
		err = o.readableInPods(o.PKIFile(file, ".key"))
	}
	if err != nil {
		return nil, nil, err
	}
	return cert, key, o.CloseToOthers(o.PKIFile(file, ".key"), data)
}

func (o *Observer) damaged(file, suffix string, err error) error {
	if err == nil {
		return nil
	}
	p := o.PKIFile(file, suffix)
	return plan.Hint(fmt.Errorf("%s: %w", p, err), "restore it from a backup, or move it away to have a new one made: mv %s %s.old", p, p)
}

func (o *Observer) Named(file string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", o.PKIFile(file, ".crt"), err)
}

func (o *Observer) readPKI(file, suffix string) ([]byte, error) {
	data, err := o.Host.ReadFile(o.PKIFile(file, suffix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// ReadCA reads the CA that signs clients.
func (o *Observer) ReadCA() (*pki.CA, error) {
	cert, key, err := o.ReadPair("ca")
	if err != nil {
		return nil, err
	}
	if cert == nil || key == nil {
		return nil, plan.Hint(fmt.Errorf("no CA in %s", o.Config.CertificatesDir), "run first: bootstrap init phase certs")
	}
	return &pki.CA{Cert: cert, Key: key}, nil
}
