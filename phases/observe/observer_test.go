package observe

import (
	"testing"

	"bootstrap/phases/config/configtest"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/spec"
)

// testObserver looks at an empty machine, with the config valid-NAME.yaml.
func testObserver(t *testing.T, name string) *Observer {
	t.Helper()
	h, _ := hosttest.New(t)
	return Open(Observer{Spec: spec.Spec{Config: configtest.Valid(t, name)}, Host: h, Catalogue: diagnose.ReadCatalogue()})
}

// reopen is o, opened again: what is decided once may have changed.
func reopen(o *Observer) *Observer { return Open(*o) }
