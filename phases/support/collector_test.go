package support

import (
	"testing"

	"bootstrap/phases/config/configtest"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/observe"
	"bootstrap/phases/spec"
)

// testCollector is one on a Host of its own, with the config valid-NAME.yaml.
func testCollector(t *testing.T, name string) *collector {
	t.Helper()
	h, _ := hosttest.New(t)
	return &collector{observe.Open(observe.Observer{Spec: spec.Spec{Config: configtest.Valid(t, name)}, Host: h})}
}
