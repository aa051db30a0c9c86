package pki

import (
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

// backdate makes certificates valid a little before now, for machines whose clocks differ.
const backdate = 5 * time.Minute

// CA is a certificate authority.
type CA struct {
	Cert *x509.Certificate
	Key  crypto.Signer
}

// Leaf describes a certificate that a CA signs.
type Leaf struct {
	CommonName    string
	Organizations []string // the groups of a client
	Names         []string // SANs, IP addresses and DNS names mixed
	Server        bool     // may serve TLS
	Client        bool     // may be a TLS client
	Validity      time.Duration
}

// NewCA self-signs a CA certificate. Its only SAN is its common name, as kubeadm has it.
func NewCA(commonName string, key crypto.Signer, validity time.Duration) (*CA, error) {
	template := newTemplate(pkix.Name{CommonName: commonName}, validity)
	template.DNSNames = []string{commonName}
	template.KeyUsage |= x509.KeyUsageCertSign
	template.IsCA = true
	cert, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &CA{Cert: cert, Key: key}, nil
}

// Issue signs a leaf for the public half of key. It is never valid before the CA, nor after it.
func (ca *CA) Issue(leaf Leaf, key crypto.Signer) (*x509.Certificate, error) {
	template := newTemplate(pkix.Name{CommonName: leaf.CommonName, Organization: leaf.Organizations}, leaf.Validity)
	template.NotBefore = slices.MaxFunc([]time.Time{template.NotBefore, ca.Cert.NotBefore}, time.Time.Compare)
	template.NotAfter = slices.MinFunc([]time.Time{template.NotAfter, ca.Cert.NotAfter}, time.Time.Compare)
	template.ExtKeyUsage = leaf.usages()
	template.DNSNames, template.IPAddresses = leaf.sans()
	return sign(template, ca.Cert, key.Public(), ca.Key)
}

// newTemplate leaves the serial number to the library: it is a random one.
func newTemplate(subject pkix.Name, validity time.Duration) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		Subject:               subject,
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(validity),
		KeyUsage:              x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
}

// Reason is why a certificate does not serve.
type Reason string

// The reasons.
const (
	Missing     Reason = "missing"
	Empty       Reason = "empty"
	Damaged     Reason = "damaged"
	WrongKey    Reason = "wrong-key"
	WrongCA     Reason = "wrong-ca"
	Expired     Reason = "expired"
	NotYetValid Reason = "not-yet-valid"
	WrongName   Reason = "wrong-name"  // it is somebody else's
	OtherNames  Reason = "other-names" // its SANs are not those wanted: see Lacks
	WrongUsage  Reason = "wrong-usage"
)

// CheckError says why a certificate can't serve.
type CheckError struct {
	Reason Reason
	Lacks  []string // the SANs that are wanted and not in it
	text   string
}

func (e *CheckError) Error() string { return e.text }

// Problems of a file, before there is a certificate to check.
var (
	ErrMissing = because(Missing, "it is not there")
	ErrEmpty   = because(Empty, "it is empty")
)

func because(reason Reason, format string, args ...any) *CheckError {
	return &CheckError{Reason: reason, text: fmt.Sprintf(format, args...)}
}

// Check says why a certificate and its key cannot serve as this leaf, as a *CheckError,
// or nil.
func (ca *CA) Check(leaf Leaf, cert *x509.Certificate, key crypto.Signer) error {
	switch {
	case !SameKey(cert, key):
		return because(WrongKey, "the key does not belong to the certificate")
	case cert.CheckSignatureFrom(ca.Cert) != nil:
		return because(WrongCA, "it is not signed by this cluster's %s", ca.Cert.Subject.CommonName)
	}
	if err := CheckTime(cert); err != nil {
		return err
	}
	return leaf.check(cert)
}

// CheckTime says why a certificate is not valid now, as a *CheckError, or nil.
func CheckTime(cert *x509.Certificate) error {
	now := time.Now()
	switch {
	case now.After(cert.NotAfter):
		return because(Expired, "it expired at %s", cert.NotAfter.Format(time.RFC3339))
	case now.Before(cert.NotBefore):
		return because(NotYetValid, "it is not valid before %s", cert.NotBefore.Format(time.RFC3339))
	}
	return nil
}

// check compares what is written in a certificate.
func (l Leaf) check(cert *x509.Certificate) error {
	names, addresses := l.sans()
	switch {
	case cert.Subject.CommonName != l.CommonName:
		return because(WrongName, "its common name is %q, want %q", cert.Subject.CommonName, l.CommonName)
	case !sameSet(cert.Subject.Organization, l.Organizations): // in DER they are a set, and sorted
		return because(WrongName, "its organization is %q, want %q", cert.Subject.Organization, l.Organizations)
	case !sameSet(cert.DNSNames, names) || !sameSet(ipStrings(cert.IPAddresses), ipStrings(addresses)):
		err := because(OtherNames, "its names differ from those wanted")
		has := slices.Concat(cert.DNSNames, ipStrings(cert.IPAddresses))
		err.Lacks = slices.DeleteFunc(slices.Concat(names, ipStrings(addresses)), func(name string) bool { return slices.Contains(has, name) })
		return err
	case !sameSet(cert.ExtKeyUsage, l.usages()):
		return because(WrongUsage, "its key usage differs from that wanted")
	}
	return nil
}

// SameKey tells whether the certificate is for this key.
func SameKey(cert *x509.Certificate, key crypto.Signer) bool {
	public, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(key.Public())
}

func (l Leaf) usages() []x509.ExtKeyUsage {
	var usages []x509.ExtKeyUsage
	if l.Server {
		usages = append(usages, x509.ExtKeyUsageServerAuth)
	}
	if l.Client {
		usages = append(usages, x509.ExtKeyUsageClientAuth)
	}
	return usages
}

// sans splits the names by kind, each once, in the order given.
func (l Leaf) sans() (names []string, addresses []net.IP) {
	seen := map[string]bool{}
	for _, n := range l.Names {
		a, err := netip.ParseAddr(n)
		if err == nil {
			n = a.String()
		}
		switch {
		case seen[n]:
		case err == nil:
			addresses = append(addresses, a.AsSlice())
		default:
			names = append(names, n)
		}
		seen[n] = true
	}
	return names, addresses
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey, key crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func ipStrings(ips []net.IP) []string {
	s := make([]string, len(ips))
	for i, ip := range ips {
		s[i] = ip.String()
	}
	return s
}

func sameSet[T cmp.Ordered](a, b []T) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// CheckSelf says why a CA that was found cannot sign, or nil.
func (ca *CA) CheckSelf() error {
	switch {
	case !ca.Cert.IsCA:
		return errors.New("it is no CA certificate")
	case !SameKey(ca.Cert, ca.Key):
		return because(WrongKey, "the key beside it does not belong to it")
	}
	return CheckTime(ca.Cert)
}
