package phases

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"bootstrap/phases/config"
	"bootstrap/phases/host"
	"bootstrap/phases/pki"
)

var certs = Phase{
	Name:  "certs",
	Short: "make the CAs, certificates and the service account key; keep those that are there and right",
	Run:   runCerts,
}

// authority is a CA and what it signs. Files lie in the certificates folder, as
// NAME.crt and NAME.key.
type authority struct {
	file       string
	commonName string
	leaves     []leaf
}

type leaf struct {
	file string
	pki.Leaf
}

// authorities is the whole PKI, under kubeadm's names.
func authorities(c *config.Config) []authority {
	client := func(file, commonName string) leaf {
		return leaf{file, pki.Leaf{CommonName: commonName, Client: true, Validity: c.CertificateValidity}}
	}
	member := func(file string, sans []string) leaf {
		return leaf{file, pki.Leaf{
			CommonName: c.NodeName, Names: etcdNames(c, sans), Server: true, Client: true, Validity: c.CertificateValidity,
		}}
	}
	apiServer := leaf{"apiserver", pki.Leaf{
		CommonName: "kube-apiserver", Names: apiServerNames(c), Server: true, Validity: c.CertificateValidity,
	}}
	all := []authority{
		{"ca", "kubernetes", []leaf{apiServer, client("apiserver-kubelet-client", "kube-apiserver-kubelet-client")}},
		{"front-proxy-ca", "front-proxy-ca", []leaf{client("front-proxy-client", "front-proxy-client")}},
	}
	if c.Etcd.External != nil {
		return all
	}
	return append(all, authority{"etcd/ca", "etcd-ca", []leaf{
		member("etcd/server", c.Etcd.ServerCertSANs),
		member("etcd/peer", c.Etcd.PeerCertSANs),
		client("etcd/healthcheck-client", "kube-etcd-healthcheck-client"),
		client("apiserver-etcd-client", "kube-apiserver-etcd-client"),
	}})
}

// signingCert is the certificate of ca.key alone. The controller manager takes only one to
// sign with, while ca.crt, by which all others know whom to trust, holds two while the CA is
// replaced.
const signingCert = "ca-signing"

func runCerts(ctx context.Context, env *Env) error {
	env = env.forPurpose(host.Certificates)
	for _, a := range authorities(env.Config) {
		ca, err := env.ensureCA(a)
		if err != nil {
			return err
		}
		if a.file == "ca" {
			if err := env.writeCert(signingCert, ca.Cert); err != nil {
				return err
			}
		}
		for _, l := range a.leaves {
			if err := env.ensureLeaf(ca, l); err != nil {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return env.ensureServiceAccountKey()
}

// ensureCA keeps the CA that is there. A key alone, left by a kill between the
// two writes, is signed again; a certificate alone is somebody's own CA.
func (e *Env) ensureCA(a authority) (*pki.CA, error) {
	cert, key, err := e.readPair(a.file)
	if err != nil {
		return nil, err
	}
	if cert != nil && key == nil {
		return nil, fmt.Errorf("%s has no key beside it: signing by an external CA is not supported yet", e.pkiFile(a.file, ".crt"))
	}
	if cert != nil {
		ca := &pki.CA{Cert: cert, Key: key}
		return ca, e.named(a.file, ca.CheckSelf())
	}
	if key, err = e.ensureKey(a.file, key); err != nil {
		return nil, err
	}
	ca, err := pki.NewCA(a.commonName, key, e.Config.CAValidity)
	if err != nil {
		return nil, err
	}
	return ca, e.writeCert(a.file, ca.Cert)
}

// ensureLeaf keeps a certificate that serves its purpose and signs a new one,
// for the same key, where it does not: a name was added, or it has expired.
func (e *Env) ensureLeaf(ca *pki.CA, l leaf) error {
	cert, key, err := e.readPair(l.file)
	if err != nil {
		return err
	}
	if cert != nil && key != nil {
		reason := ca.Check(l.Leaf, cert, key)
		if reason == nil {
			return nil
		}
		e.note("%s is signed again: %v", e.pkiFile(l.file, ".crt"), reason)
	}
	if key, err = e.ensureKey(l.file, key); err != nil {
		return err
	}
	if cert, err = ca.Issue(l.Leaf, key); err != nil {
		return err
	}
	return e.writeCert(l.file, cert)
}

func (e *Env) ensureKey(file string, key crypto.Signer) (crypto.Signer, error) {
	if key != nil {
		return key, nil
	}
	key, err := pki.NewKey(e.Config.KeyAlgorithm)
	if err != nil {
		return nil, err
	}
	data, err := pki.EncodeKey(key)
	if err != nil {
		return nil, err
	}
	return key, e.writePKI(file, ".key", data)
}

// ensureServiceAccountKey makes sa.key, and sa.pub from it whatever sa.pub was.
func (e *Env) ensureServiceAccountKey() error {
	_, key, err := e.readPair("sa")
	if err != nil {
		return err
	}
	if key, err = e.ensureKey("sa", key); err != nil {
		return err
	}
	public, err := pki.EncodePublicKey(key)
	if err != nil {
		return err
	}
	return e.writePKI("sa", ".pub", public)
}

// readHereAlone are keys that no pod has a use for.
var readHereAlone = []string{"etcd/ca", "front-proxy-ca", servingCert}

// readableInPods refuses a key of another user: root in a pod may not read it, as it has no
// capability to override what files say.
func (e *Env) readableInPods(file string) error {
	by := e.Host.ClosedToRoot(file)
	if by == "" {
		return nil
	}
	return withHint(fmt.Errorf("%s belongs to %s, and the control plane's pods may not read it", file, by), "chown root: %s", file)
}

// closeToOthers mends the mode of a file of ours with a key in it. One that was here
// before bootstrap is refused: who has read it since is not known.
func (e *Env) closeToOthers(file string, data []byte) error {
	mode, err := e.Host.Mode(file)
	if err != nil || mode&0o077 == 0 {
		return err
	}
	if !e.made(file) {
		return withHint(fmt.Errorf("%s holds a key, and others may read it (mode %04o)", file, mode),
			"if nobody has: chmod 600 %s; else make a new one", file)
	}
	e.warn("%s was open to others (mode %04o): closed", file, mode)
	_, err = e.Host.WriteOpaque(file, data, 0o600)
	return err
}

// readPair reads NAME.crt and NAME.key, and closes the key to others; what is
// missing is nil. A file that is there but can't be read is never overwritten: it
// may be all that is left of a CA.
func (e *Env) readPair(file string) (cert *x509.Certificate, key crypto.Signer, err error) {
	data, err := e.readPKI(file, ".crt")
	if err == nil && data != nil {
		cert, err = pki.ParseCert(data)
		err = e.damaged(file, ".crt", err)
	}
	if err != nil {
		return nil, nil, err
	}
	data, err = e.readPKI(file, ".key")
	if err == nil && data != nil {
		key, err = pki.ParseKey(data)
		err = e.damaged(file, ".key", err)
	}
	if err != nil || data == nil {
		return cert, key, err
	}
	if !slices.Contains(readHereAlone, file) {
		err = e.readableInPods(e.pkiFile(file, ".key"))
	}
	if err != nil {
		return nil, nil, err
	}
	return cert, key, e.closeToOthers(e.pkiFile(file, ".key"), data)
}

func (e *Env) damaged(file, suffix string, err error) error {
	if err == nil {
		return nil
	}
	p := e.pkiFile(file, suffix)
	return withHint(fmt.Errorf("%s: %w", p, err), "restore it from a backup, or move it away to have a new one made: mv %s %s.old", p, p)
}

func (e *Env) named(file string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", e.pkiFile(file, ".crt"), err)
}

func (e *Env) readPKI(file, suffix string) ([]byte, error) {
	data, err := e.Host.ReadFile(e.pkiFile(file, suffix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

func (e *Env) writeCert(file string, cert *x509.Certificate) error {
	return e.writePKI(file, ".crt", pki.EncodeCert(cert))
}

func (e *Env) writePKI(file, suffix string, data []byte) error {
	mode := fs.FileMode(0o600)
	if suffix == ".crt" {
		mode = 0o644
	}
	_, err := e.Host.WriteOpaque(e.pkiFile(file, suffix), data, mode)
	return err
}

// pkiFile is where a certificate or key lies: a name in the certificates folder, or a path.
func (e *Env) pkiFile(file, suffix string) string {
	if path.IsAbs(file) {
		return file + suffix
	}
	return e.Config.CertificatesDir + "/" + file + suffix
}

// apiServerNames are kubeadm's, and localhost, so that a tunnel or a command on
// the node itself finds a certificate that fits.
func apiServerNames(c *config.Config) []string {
	names := []string{
		c.NodeName, "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc." + c.Networking.DNSDomain, "localhost",
		c.KubernetesServiceIP().String(), c.AdvertiseAddress.String(), "127.0.0.1", "::1",
	}
	if host := c.EndpointHost(); host != "" {
		names = append(names, host)
	}
	return append(names, c.CertSANs...)
}

func etcdNames(c *config.Config, more []string) []string {
	return append([]string{c.NodeName, "localhost", c.AdvertiseAddress.String(), "127.0.0.1", "::1"}, more...)
}
