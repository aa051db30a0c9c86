package phases

import (
	"context"
	"path/filepath"

	"bootstrap/phases/bundle"
	"bootstrap/templates"
)

// bridgeName is not cni0: other tools use that, and leave it behind with an address
// that stops every pod.
const bridgeName = "bootstrap0"

// installNetwork gives the node the bridge network, unless it has a network already.
func (e *Env) installNetwork(ctx context.Context) error {
	if foreign := e.foreignNetwork(); foreign != "" {
		e.note("pod network: left to %s, which is there already", foreign)
		return nil
	}
	if e.Bundle == nil {
		e.warn("pod network: none in %s; the node stays NotReady until you install one", cniConfigDir)
		return nil
	}
	for _, plugin := range e.Bundle.Entries(bundle.CNI) {
		if err := e.installProgram(ctx, plugin, cniPluginDir); err != nil {
			return err
		}
	}
	var subnets []string
	for _, s := range e.Config.NodePodSubnets() {
		subnets = append(subnets, s.String())
	}
	data, err := templates.BridgeNetwork{Bridge: bridgeName, Subnets: subnets}.Render()
	if err != nil {
		return err
	}
	_, err = e.Host.WriteFile(networkFile, data, 0o600)
	return err
}

func (e *Env) foreignNetwork() string {
	files, _ := filepath.Glob(e.Host.Path(cniConfigDir) + "/*.conf*")
	for _, file := range files {
		if path := cniConfigDir + "/" + filepath.Base(file); path != networkFile {
			return path
		}
	}
	return ""
}
