package phases

import (
	"context"
	"errors"
	"io/fs"

	"bootstrap/manifests"
	"bootstrap/phases/cluster"
	"bootstrap/phases/config"
	"bootstrap/phases/host"
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
	return asAdmin(uploadSharedCerts)(ctx, env)
}

func uploadSharedCerts(ctx context.Context, env *Env, c *cluster.Cluster) error {
	key, err := certificateKey(ctx, env, c)
	if err != nil || key == nil {
		return err
	}
	files, err := sharedCerts(env.Host, env.Config)
	if err != nil {
		return err
	}
	if err := c.ApplyAll(ctx, manifests.UploadCerts); err != nil {
		return err
	}
	if err := c.UploadCerts(ctx, files, *key); err != nil {
		return err
	}
	if env.Config.CertificateKey == "" && !env.Host.Plans() {
		env.Tell.Say("to join a control plane node within 2 hours, add to kubeadm join: --control-plane --certificate-key %s", key.Hex())
	}
	return nil
}

// certificateKey is the config's, or else a random one. It is nil where certificates are
// uploaded already under a random key, which only that run has told.
func certificateKey(ctx context.Context, env *Env, c *cluster.Cluster) (*cluster.CertificateKey, error) {
	if given := env.Config.CertificateKey; given != "" {
		parsed, err := cluster.ParseCertificateKey(given)
		return &parsed, err
	}
	found, err := c.HasCerts(ctx)
	if err != nil {
		return nil, err
	}
	if found {
		env.Tell.Say("the certificates are uploaded already; for another key: kubectl -n kube-system delete secret kubeadm-certs, and run this phase again")
		return nil, nil
	}
	made := cluster.NewCertificateKey()
	return &made, nil
}

// sharedCerts are the files that a joining control plane needs, by kubeadm's names. One
// that is not here, as the key of an external CA, is empty.
func sharedCerts(h *host.Host, c *config.Config) (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, file := range spec.SharedCertFiles(c) {
		files[name] = nil
		if file == "" { // an etcd that asks for none
			continue
		}
		data, err := h.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		files[name] = data
	}
	return files, nil
}
