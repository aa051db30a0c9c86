package phases

import (
	"encoding/json"
	"fmt"
	"strings"

	"bootstrap/phases/config"
)

// The config as it was when etcd began, for commands that are given none. It is kept
// with the ledger, without secrets and without what only makes manifests.

func (e *Env) configNote() string { return e.besideSettled("config") }

// besideSettled is the name of a note that ends with the settings.
func (e *Env) besideSettled(what string) string {
	return strings.Replace(e.settledNote(), "settled", what, 1)
}

func (e *Env) rememberConfig() error {
	data, err := json.Marshal(toRemember(*e.Config))
	if err != nil {
		return err
	}
	return e.Host.Remember(e.configNote(), string(data))
}

// toRemember leaves out tokens, keys, and environments, which may hold passwords.
func toRemember(c config.Config) config.Config {
	c.BootstrapTokens, c.CertificateKey = nil, ""
	c.APIServer, c.ControllerManager, c.Scheduler = config.Component{}, config.Component{}, config.Component{}
	c.Etcd.ExtraEnvs, c.KubeProxy = nil, nil
	c.SkipPhases, c.IgnorePreflight, c.PatchesDir = nil, nil, ""
	c.File = "" // see RememberFile
	kept := map[string]any{}
	for _, name := range []string{"registerWithTaints", "resolvConf"} {
		if value, ok := c.Kubelet[name]; ok {
			kept[name] = value
		}
	}
	c.Kubelet = nil
	if len(kept) > 0 {
		c.Kubelet = kept
	}
	return c
}

// RememberedConfig is nil if init has not got as far as to etcd.
func (e *Env) RememberedConfig() (*config.Config, error) {
	c, err := e.recallConfig(e.configNote())
	if c == nil || err != nil {
		return nil, err
	}
	if socket, ok := e.Host.Recall(runtimeNote); ok && c.CRISocket == "" && !e.made(containerdUnit) {
		c.CRISocket = socket
	}
	return c, nil
}

// recallConfig is nil where there is no such note.
func (e *Env) recallConfig(name string) (*config.Config, error) {
	note, _ := e.Host.Recall(name)
	if note == "" {
		return nil, nil
	}
	c := &config.Config{}
	if err := json.Unmarshal([]byte(note), c); err != nil {
		return nil, fmt.Errorf("ledger: note %s: %w", name, err)
	}
	return c, nil
}

// RememberFile keeps which config file it was that led to what is there now.
func (e *Env) RememberFile() error { return e.Host.Remember(e.fileNote(), e.Config.File) }

func (e *Env) fileNote() string {
	if e.Config.Box.Standalone {
		return "file of " + standaloneNote
	}
	return e.besideSettled("file")
}

// CheckFileLeftOut refuses to take what is there back to the defaults because somebody runs
// init again, as a remedy may say, and leaves out its config file.
func (e *Env) CheckFileLeftOut() error {
	file, _ := e.Host.Recall(e.fileNote())
	if file == "" || e.Config.Box.Standalone && !e.made(kubeletDropIn) { // gone, by a reset that kept the runtime
		return nil
	}
	return withHint(fmt.Errorf("what is on this machine was made with a config file, %s, and would lose what that says", file),
		"give it again: --config %s; or, if you want the defaults: --config ''", file)
}
