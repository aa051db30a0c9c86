package phases

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/machine"
	"bootstrap/phases/observe"
	"bootstrap/phases/pki"
	"bootstrap/phases/spec"
)

// hangingUnits never says how a unit is, as a read from a dead disk never ends.
type hangingUnits struct {
	*hosttest.Units
	release chan bool
	asked   atomic.Int32
}

func (u *hangingUnits) State(context.Context, string) (machine.UnitState, error) {
	u.asked.Add(1)
	<-u.release
	return machine.UnitState{}, nil
}

// hangingEnv has certificates and kubeconfigs, of which one was emptied, and units that hang.
func hangingEnv(t *testing.T) (*Env, *hangingUnits) {
	t.Helper()
	made := pkiDone(t)
	hosttest.Put(t, made.Host, spec.SchedulerConf, "", 0o600)
	root := made.Host.Path("/")
	made.Host.Close()
	units := &hangingUnits{Units: &hosttest.Units{Root: root}, release: make(chan bool)}
	t.Cleanup(func() { close(units.release) })
	h, err := host.Open(root, units)
	if err != nil {
		t.Fatal(err)
	}
	// It is not closed: what hung goes on with it.
	env := Open(Env{Observer: observe.Observer{Spec: spec.Spec{Config: made.Config}, Host: h}})
	return env.forPhase("test"), units
}

func soonEnough(t *testing.T, look func()) {
	t.Helper()
	ended := make(chan bool)
	go func() { look(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(8*time.Second + 2*time.Second):
		t.Fatal("it waits for what hangs")
	}
}

// TestEvidenceOfHang: what hangs is named, the rest is there, and the next look of the
// same wait does not hang in it again.
func TestEvidenceOfHang(t *testing.T) {
	env, units := hangingEnv(t)
	looks := &observe.Looks{}
	empty := func(c diagnose.Certificate) bool { return c.Path == spec.SchedulerConf && c.Problem == pki.Empty }
	for range 2 {
		soonEnough(t, func() {
			found := env.Evidence(t.Context(), observe.Query{Stage: observe.Written, Since: time.Now(), Looks: looks})
			if !slices.ContainsFunc(found.Certificates, empty) {
				t.Errorf("the rest is not there: %+v", found.Certificates)
			}
			if !slices.ContainsFunc(found.Unread, func(s string) bool { return strings.HasPrefix(s, "units: ") }) {
				t.Errorf("unread: %q", found.Unread)
			}
		})
	}
	if n := units.asked.Load(); n != 2 { // for each of the two daemons, by the first look
		t.Errorf("asked %d times", n)
	}
}

// TestEvidenceInterrupted: Ctrl-C does not wait for what hangs.
func TestEvidenceInterrupted(t *testing.T) {
	env, _ := hangingEnv(t)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	soonEnough(t, func() { env.Evidence(ctx, observe.Query{Stage: observe.Written, Since: time.Now()}) })
}
