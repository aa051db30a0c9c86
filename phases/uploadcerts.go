package phases

import (
	"context"
	"errors"
	"io/fs"

	"bootstrap/manifests"
	"bootstrap/phases/cluster"
	"bootstrap/phases/spec"
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
		env.Tell.Note("to join a control plane node within 2 hours, add to kubeadm join: --control-plane --certificate-key %s", key.Hex())
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
		e.Tell.Note("the certificates are uploaded already; for another key: kubectl -n kube-system delete secret kubeadm-certs, and run this phase again")
		return nil, true, nil
	}
	made, err := cluster.NewCertificateKey()
	return &made, true, err
}

// sharedCerts are the files that a joining control plane needs, by kubeadm's names. One
// that is not here, as the key of an external CA, is empty.
func (e *Env) sharedCerts() (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, file := range spec.SharedCertFiles(e.Config) {
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
