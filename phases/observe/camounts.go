package observe

import (
	"os"
	"strings"

	"bootstrap/phases/config"
	"bootstrap/phases/spec"
	"bootstrap/templates"
)

// CAMounts are the folders of trusted CAs that this host has: distributions differ.
func CAMounts(onHost func(string) string) []templates.Mount {
	var mounts []templates.Mount
	for _, dir := range config.TrustedCAs {
		name := strings.ReplaceAll(strings.Trim(dir, "/"), "/", "-")
		if dir == "/etc/ssl/certs" {
			name = "ca-certs" // kubeadm's name
		}
		if info, err := os.Stat(onHost(dir)); err == nil && info.IsDir() {
			mounts = append(mounts, spec.HostFolder(name, dir))
		}
	}
	return mounts
}
