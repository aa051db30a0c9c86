package observe

import (
	"os"
	"slices"

	"bootstrap/phases/config"
	"bootstrap/phases/host"
)

// TrustedCAs are the folders of trusted CAs that this machine has: distributions differ.
func TrustedCAs(h *host.Host) []string {
	return slices.DeleteFunc(slices.Clone(config.TrustedCAs), func(dir string) bool {
		info, err := os.Stat(h.Path(dir))
		return err != nil || !info.IsDir()
	})
}
