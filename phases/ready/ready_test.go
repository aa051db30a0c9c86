package ready

import (
	"testing"

	"bootstrap/phases/config/configtest"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/observe"
	"bootstrap/phases/spec"
)

// testWaiter is one on a Host of its own, with the config valid-NAME.yaml.
func testWaiter(t *testing.T, name string) *Waiter {
	t.Helper()
	h, _ := hosttest.New(t)
	return &Waiter{Observer: observe.Open(observe.Observer{Spec: spec.Spec{Config: configtest.Valid(t, name)}, Host: h})}
}
