package observe

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"io/fs"
	"slices"

	"bootstrap/phases/host"
	"bootstrap/phases/pki"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

// ReadPair reads NAME.crt and NAME.key; what is missing is nil. One that can't be read, or
// that the control plane's pods may not read, is an error: it may be all that is left of a
// CA, and must not be overwritten.
func (o *Observer) ReadPair(name string) (cert *x509.Certificate, key crypto.Signer, err error) {
	certFile, keyFile := o.PKIFile(name, ".crt"), o.PKIFile(name, ".key")
	data, err := readIfThere(o.Host, certFile)
	if err == nil && data != nil {
		cert, err = pki.ParseCert(data)
		err = damaged(certFile, err)
	}
	if err != nil {
		return nil, nil, err
	}
	data, err = readIfThere(o.Host, keyFile)
	if err == nil && data != nil {
		key, err = pki.ParseKey(data)
		err = damaged(keyFile, err)
	}
	if err != nil || data == nil {
		return cert, key, err
	}
	if !slices.Contains(spec.NotInPods, name) {
		err = readableInPods(o.Host, keyFile)
	}
	if err != nil {
		return nil, nil, err
	}
	return cert, key, nil
}

// readableInPods refuses a key of another user: root in a pod may not read it, as it has no
// capability to override what files say.
func readableInPods(h *host.Host, file string) error {
	by := h.ClosedToRoot(file)
	if by == "" {
		return nil
	}
	return plan.Hint(fmt.Errorf("%s belongs to %s, and the control plane's pods may not read it", file, by), "chown root: %s", file)
}

func damaged(file string, err error) error {
	if err == nil {
		return nil
	}
	return plan.Hint(fmt.Errorf("%s: %w", file, err), "restore it from a backup, or move it away to have a new one made: mv %s %s.old", file, file)
}

// readIfThere gives nil for a file that is not there.
func readIfThere(h *host.Host, file string) ([]byte, error) {
	data, err := h.ReadFile(file)
	return data, ignoring(err, fs.ErrNotExist)
}
