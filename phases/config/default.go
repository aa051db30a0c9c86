package config

import (
	_ "embed" // of the file
	"strconv"
	"strings"
)

//go:embed default.yaml
var defaultFile string

// DefaultFile is the config file that says what a run without one does on this machine.
func DefaultFile(m Machine) ([]byte, error) {
	c, err := Parse("", nil, m)
	if err != nil {
		return nil, err
	}
	values := strings.NewReplacer(
		"{address}", strconv.Quote(c.AdvertiseAddress.String()),
		"{name}", strconv.Quote(c.NodeName),
		"{version}", c.KubernetesVersion,
		"{repository}", c.Images.Repository,
		"{services}", strconv.Quote(Joined(c.Networking.ServiceSubnets)),
		"{pods}", strconv.Quote(Joined(c.Networking.PodSubnets)),
	)
	return []byte(values.Replace(defaultFile)), nil
}
