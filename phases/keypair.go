package phases

import (
	"crypto"
	"crypto/x509"
	"fmt"

	"bootstrap/phases/pki"
	"bootstrap/phases/plan"
)

// pair reads this node's NAME.crt and NAME.key, and closes the key to others. What is missing
// is nil.
func (e *Env) pair(name string) (cert *x509.Certificate, key crypto.Signer, err error) {
	cert, key, err = e.ReadPair(name)
	if err != nil || key == nil {
		return cert, key, err
	}
	return cert, key, e.closeToOthers(e.PKIFile(name, ".key"))
}

// closeToOthers mends the mode of a file that holds a key, if bootstrap made it. One that was
// here before is refused: who has read it since is not known.
func (e *Env) closeToOthers(file string) error {
	mode, err := e.Host.Mode(file)
	if err != nil || mode&0o077 == 0 {
		return err
	}
	if !e.Host.Made(file) {
		return plan.Hint(fmt.Errorf("%s holds a key, and others may read it (mode %04o)", file, mode),
			"if nobody has: chmod 600 %s; else make a new one", file)
	}
	data, err := e.Host.ReadFile(file)
	if err != nil {
		return err
	}
	e.Tell.Warn("%s was open to others (mode %04o): closed", file, mode)
	_, err = e.Host.WriteOpaque(file, data, 0o600)
	return err
}

// readCA reads the CA that signs clients.
func (e *Env) readCA() (*pki.CA, error) {
	cert, key, err := e.pair("ca")
	if err != nil {
		return nil, err
	}
	if cert == nil || key == nil {
		return nil, plan.Hint(fmt.Errorf("no CA in %s", e.Config.CertificatesDir), "run first: bootstrap init phase certs")
	}
	return &pki.CA{Cert: cert, Key: key}, nil
}
