package phases

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/config"
	"bootstrap/phases/config/configtest"
	"bootstrap/phases/plan"
)

func TestInitOrder(t *testing.T) {
	want := [][]string{
		{"preflight"}, {"runtime", "certs", "kubelet"}, {"images", "kubeconfig"}, {"etcd"}, {"kubelet-start"},
		{"control-plane", "addon-images"}, {"restart-static-pods"}, {"grant-admin"}, {"restart-kubelet"}, {"wait-control-plane"},
		{"mark-control-plane", "upload-config", "upload-certs", "addons"},
		{"bootstrap-token", "write-kubeconfig"}, {"wait-addons", "watch-control-plane", "tools"},
	}
	if diff := cmp.Diff(want, stepNames(Init())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestSkipPhases: config knows the names of all phases, to refuse others.
func TestSkipPhases(t *testing.T) {
	for _, name := range append(Init().Names(), Standalone().Names()...) {
		file := "apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nskipPhases: [" + name + "]\n"
		if _, err := config.Parse("config.yaml", []byte(file), configtest.Machine); err != nil {
			t.Error(err)
		}
	}
}

func stepNames(p Plan) [][]string {
	var names [][]string
	for _, step := range p {
		names = append(names, Plan{step}.Names())
	}
	return names
}

func TestPlansAreWhole(t *testing.T) {
	for _, plan := range []Plan{Init(), Standalone(), Reset()} {
		seen := map[string]bool{}
		for _, p := range plan.Phases() {
			if p.Name == "" || p.Short == "" || p.Run == nil || strings.HasSuffix(p.Short, ".") {
				t.Errorf("%+v is not whole", p)
			}
			if seen[p.Name] {
				t.Errorf("%s is there twice", p.Name)
			}
			seen[p.Name] = true
		}
	}
}

// TestDeadline wants one deadline for a whole run, told once.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := &plan.Events{}
		env := testEnv(t, "custom")
		env.Tell.To = seen.Take
		var deadlines []string
		ask := func(name string) Phase {
			return Phase{Name: name, Run: func(_ context.Context, env *Env) error {
				deadlines = append(deadlines, env.Ready().ControlPlaneDeadline().String())
				return nil
			}}
		}
		if err := (Plan{{ask("a")}, {ask("b")}}).Run(t.Context(), env); err != nil {
			t.Fatal(err)
		}
		if len(deadlines) != 2 || deadlines[0] != deadlines[1] {
			t.Errorf("deadlines %v", deadlines)
		}
		if said := seen.Texts(plan.Said); len(said) != 1 || !strings.Contains(said[0], "within 1m30s (--timeout)") {
			t.Errorf("it says %q", said)
		}
	})
}

// TestWithoutWaits: nothing waits for what is not made, or not to be waited for.
func TestWithoutWaits(t *testing.T) {
	for name, follows := range map[string]string{"addons": "wait-addons", "wait-control-plane": "watch-control-plane"} {
		plan, err := Init().Without([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{name, follows} {
			if _, ok := plan.Find(name); ok {
				t.Errorf("%s is still there", name)
			}
		}
	}
}
