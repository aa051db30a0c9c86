package phases

import (
	"testing"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/host/hosttest"
)

// TestFix raises what is low, leaves what is high, and reset gives back what was.
func TestFix(t *testing.T) {
	env := testEnv(t, "default")
	const instances, watches = "/proc/sys/fs/inotify/max_user_instances", "/proc/sys/fs/inotify/max_user_watches"
	hosttest.Put(t, env.Host, instances, "8192\n", 0o644)
	hosttest.Put(t, env.Host, watches, "100\n", 0o644)
	if fixed, err := Fix(env, []diagnose.Finding{{ID: "swap-on"}}); err != nil || fixed != nil || len(env.Host.Entries()) > 0 {
		t.Fatalf("fixed %q for nothing: %v", fixed, err)
	}
	fixed, err := Fix(env, []diagnose.Finding{{ID: "inotify-low"}})
	if err != nil || len(fixed) != 2 {
		t.Fatalf("fixed %q: %v", fixed, err)
	}
	for path, want := range map[string]string{instances: "8192\n", watches: "524288\n"} {
		if data, err := env.Host.ReadFile(path); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", path, data, err)
		}
	}
	if _, open := env.Host.Unfinished(); open {
		t.Error("the next init would go on with what is done")
	}
	if err := env.Host.UndoAll(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if data, err := env.Host.ReadFile(watches); err != nil || string(data) != "100\n" || env.Host.Exists(inotifyFile) {
		t.Errorf("after reset: %q, %v", data, err)
	}
}

// TestFixAfterInterruptedInit: the next init still knows where the one before stopped.
func TestFixAfterInterruptedInit(t *testing.T) {
	env := testEnv(t, "default")
	hosttest.Put(t, env.Host, "/proc/sys/fs/inotify/max_user_instances", "100\n", 0o644)
	hosttest.Put(t, env.Host, "/proc/sys/fs/inotify/max_user_watches", "100\n", 0o644)
	if err := env.forPhase("certs").Host.MakeDir("/etc/kubernetes", 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Fix(env, []diagnose.Finding{{ID: "inotify-low"}}); err != nil {
		t.Fatal(err)
	}
	if r, open := env.Host.Unfinished(); !open || r.By != "certs" || r.Target != "/etc/kubernetes" {
		t.Errorf("init would not say where the run before stopped: %+v, %t", r, open)
	}
}
