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
	cert, err = readPEM(o.Host, o.PKIFile(name, ".crt"), pki.ParseCert)
	if err != nil {
		return nil, nil, err
	}
	keyFile := o.PKIFile(name, ".key")
	key, err = readPEM(o.Host, keyFile, pki.ParseKey)
	if err == nil && key != nil && !slices.Contains(spec.NotInPods, name) {
		err = readableInPods(o.Host, keyFile)
	}
	if err != nil {
		return nil, nil, err
	}
	return cert, key, nil
}

// readPEM reads and parses a file. It gives the zero value for one that is not there.
func readPEM[T any](h *host.Host, file string, parse func([]byte) (T, error)) (T, error) {
	var none T
	data, err := readIfThere(h, file)
	if err != nil || data == nil {
		return none, err
	}
	parsed, err := parse(data)
	if err != nil {
		return none, plan.Hint(fmt.Errorf("%s: %w", file, err), "restore it from a backup, or move it away to have a new one made: mv %s %s.old", file, file)
	}
	return parsed, nil
}

// readableInPods refuses a key that belongs to another user: root in a pod of the control plane has
// no capability to read it nevertheless.
func readableInPods(h *host.Host, file string) error {
	by := h.ClosedToRoot(file)
	if by == "" {
		return nil
	}
	return plan.Hint(fmt.Errorf("%s belongs to %s, and the control plane's pods may not read it", file, by), "chown root: %s", file)
}

// readIfThere gives nil for a file that is not there.
func readIfThere(h *host.Host, file string) ([]byte, error) {
	data, err := h.ReadFile(file)
	return data, ignoring(err, fs.ErrNotExist)
}
