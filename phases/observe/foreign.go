package observe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/machine"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

// foreignManifests are what the kubelet would run beside ours.
func (o *Observer) foreignManifests() []diagnose.Manifest {
	files, _ := o.ForeignPodFiles()
	var all []diagnose.Manifest
	for _, f := range files {
		all = append(all, manifestOf(f))
	}
	return all
}

// missingPlugins are CNI plugins that somebody else's CNI configuration names and that are in no
// directory of plugins.
func (o *Observer) missingPlugins() []string {
	file := o.Choices.Network.Foreign
	if file == "" || o.Host.Made(spec.NetworkFile) {
		return nil
	}
	var network struct {
		Type    string
		Plugins []struct{ Type string }
	}
	data, err := o.Host.ReadFile(file)
	if err != nil || json.Unmarshal(data, &network) != nil {
		return nil
	}
	if network.Type != "" {
		network.Plugins = append(network.Plugins, struct{ Type string }{network.Type})
	}
	var missing []string
	for _, plugin := range network.Plugins {
		if !slices.ContainsFunc(spec.PluginDirs, func(dir string) bool { return o.Host.Exists(dir + "/" + plugin.Type) }) {
			missing = append(missing, fmt.Sprintf("%s, in %s", plugin.Type, file))
		}
	}
	return missing
}

// externalClient asks the external etcd with the certificates that the API server will use.
func (o *Observer) externalClient() (*http.Client, error) {
	external := o.Config.Etcd.External
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if external.CAFile != "" {
		data, err := o.Host.ReadFile(external.CAFile)
		if err != nil {
			return nil, err
		}
		secure.RootCAs = x509.NewCertPool()
		secure.RootCAs.AppendCertsFromPEM(data)
	}
	if external.CertFile != "" {
		if err := readableInPods(o.Host, external.KeyFile); err != nil {
			return nil, fmt.Errorf("%w: %s", err, plan.HintOf(err))
		}
		pair, err := tls.LoadX509KeyPair(o.Host.Path(external.CertFile), o.Host.Path(external.KeyFile))
		if err != nil {
			return nil, err
		}
		secure.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: secure}}, nil
}

func askEtcd(ctx context.Context, client *http.Client, url string) diagnose.ExternalEtcd {
	member := diagnose.ExternalEtcd{URL: url}
	ctx, cancel := EvidenceTimeout.Bound(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/version", nil)
	if err != nil {
		member.Error = err.Error()
		return member
	}
	answer, err := client.Do(request)
	if err != nil {
		member.Error, member.Slow = err.Error(), ctx.Err() != nil || machine.IsUnreachable(err)
		return member
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		member.Error, member.Slow = "it answers /version with "+answer.Status, answer.StatusCode >= 500
		return member
	}
	var version struct {
		Server string `json:"etcdserver"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, answer.Body, 1<<10)).Decode(&version); err != nil {
		member.Error = "its answer to /version can't be read: " + err.Error()
	}
	member.Version = version.Server
	return member
}
