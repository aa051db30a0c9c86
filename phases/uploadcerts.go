package phases

import (
	"context"
	"errors"
	"io/fs"

	"bootstrap/manifests"
	"bootstrap/phases/cluster"
	"bootstrap/phases/config"
)

var uploadCerts = Phase{
	Name:  "upload-certs",
	Short: "store the certificates that control plane nodes share, encrypted (with uploadCerts)",
	Run:   runUploadCerts,
}

func runUploadCerts(ctx context.Context, env *Env) error {
	if !env.Config.UploadCerts {
		return nil
	}
	c, err := env.api()
	if err != nil {
		return err
	}
	key, random, err := env.certificateKey(ctx, c)
	if err != nil || key == nil {
		return err
	}
	files, err := env.sharedCerts()
	if err != nil {
		return err
	}
	if err := env.applyAll(ctx, c, manifests.UploadCerts); err != nil {
		return err
	}
	applied, err := c.UploadCerts(ctx, files, *key)
	env.changedObjects(applied)
	if err != nil {
		return err
	}
	if random && !env.Host.Plans() {
		env.note("to join a control plane node within 2 hours, add to kubeadm join: --control-plane --certificate-key %s", key.Hex())
	}
	return nil
}

// certificateKey is the config's, or else a random one. It is nil where certificates
// are there under a random key, which nobody but the reader of that run's note knows.
func (e *Env) certificateKey(ctx context.Context, c *cluster.Cluster) (key *cluster.CertificateKey, random bool, err error) {
	if e.Config.CertificateKey != "" {
		given, err := cluster.ParseCertificateKey(e.Config.CertificateKey)
		return &given, false, err
	}
	found, err := c.HasCerts(ctx)
	if err != nil {
		return nil, true, err
	}
	if found {
		e.note("the certificates are uploaded already; for another key: kubectl -n kube-system delete secret kubeadm-certs, and run this phase again")
		return nil, true, nil
	}
	made, err := cluster.NewCertificateKey()
	return &made, true, err
}

// sharedCerts are the files that a joining control plane needs, by kubeadm's names. One
// that is not here, as the key of an external CA, is empty.
func (e *Env) sharedCerts() (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, file := range sharedCertFiles(e.Config) {
		if file == "" { // an etcd that asks for none
			files[name] = nil
			continue
		}
		data, err := e.Host.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		files[name] = data
	}
	return files, nil
}

func sharedCertFiles(c *config.Config) map[string]string {
	files := map[string]string{}
	for _, name := range []string{"ca.crt", "ca.key", "front-proxy-ca.crt", "front-proxy-ca.key", "sa.key", "sa.pub"} {
		files[name] = c.CertificatesDir + "/" + name
	}
	if external := c.Etcd.External; external != nil {
		files["external-etcd-ca.crt"] = external.CAFile
		files["external-etcd.crt"] = external.CertFile
		files["external-etcd.key"] = external.KeyFile
		return files
	}
	files["etcd-ca.crt"] = c.CertificatesDir + "/etcd/ca.crt"
	files["etcd-ca.key"] = c.CertificatesDir + "/etcd/ca.key"
	return files
}
