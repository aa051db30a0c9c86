package host_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
)

const kubeFile = "/home/alice/.kube/config"

var alice = host.Owner{UID: 1234, GID: 1235}

// homeOfAlice is a Host with a home that is hers.
func homeOfAlice(t *testing.T) *host.Host {
	t.Helper()
	h, _ := hosttest.New(t)
	must(t, os.MkdirAll(h.Path("/var/lib"), 0o755))
	must(t, os.MkdirAll(h.Path("/home/alice"), 0o755))
	must(t, os.Chown(h.Path("/home/alice"), alice.UID, alice.GID))
	return h
}

func putHers(t *testing.T, h *host.Host, content string) {
	t.Helper()
	put(t, h, kubeFile, content, 0o644)
	must(t, os.Chown(h.Path(kubeFile), alice.UID, alice.GID))
	must(t, os.Chown(h.Path("/home/alice/.kube"), alice.UID, alice.GID))
}

func wantHers(t *testing.T, h *host.Host, path string) {
	t.Helper()
	info, err := os.Lstat(h.Path(path))
	must(t, err)
	if st := info.Sys().(*syscall.Stat_t); int(st.Uid) != alice.UID || int(st.Gid) != alice.GID {
		t.Errorf("%s belongs to %d:%d", path, st.Uid, st.Gid)
	}
}

func TestWriteOwned(t *testing.T) {
	h := homeOfAlice(t)
	before := snapshot(t, h.Path("/"))
	changed(t, true)(h.WriteOwned(kubeFile, []byte("one"), alice))
	wantFile(t, h, kubeFile, "one", 0o600)
	wantHers(t, h, kubeFile)
	wantHers(t, h, "/home/alice/.kube")
	changed(t, false)(h.WriteOwned(kubeFile, []byte("one"), alice))
	data, err := h.ReadOwned(kubeFile, alice)
	if err != nil || string(data) != "one" {
		t.Errorf("%q, %v", data, err)
	}
	h, _ = reopen(t, h)
	must(t, h.UndoAll(t.Context(), nil))
	if after := snapshot(t, h.Path("/")); after != before {
		t.Fatalf("before:\n%s\nafter:\n%s", before, after)
	}
}

// TestUndoOwned: what she did since stays, and so does what was hers before.
func TestUndoOwned(t *testing.T) {
	cases := []struct {
		name, before string
		since        func(*testing.T, *host.Host)
		want         string // content in the end; empty: no file
		err          string
	}{
		{"unchanged", "hers", func(*testing.T, *host.Host) {}, "hers", ""},
		{"edited", "", func(t *testing.T, h *host.Host) { putHers(t, h, "edited") }, "edited", "was changed since bootstrap wrote it, and stays"},
		{"merged, then edited", "hers", func(t *testing.T, h *host.Host) { putHers(t, h, "edited") }, "edited", "was changed since bootstrap wrote it, and stays"},
		{"edited, then merged again", "", func(t *testing.T, h *host.Host) {
			putHers(t, h, "edited")
			changed(t, true)(h.WriteOwned(kubeFile, []byte("edited and ours"), alice))
		}, "edited", ""},
		{"put back", "hers", func(t *testing.T, h *host.Host) { putHers(t, h, "hers") }, "hers", ""},
		{"removed", "hers", func(t *testing.T, h *host.Host) { must(t, os.Remove(h.Path(kubeFile))) }, "", ""},
		{"removed with its directory", "hers", func(t *testing.T, h *host.Host) { must(t, os.RemoveAll(h.Path("/home/alice/.kube"))) }, "", ""},
		{"a cache beside it", "", func(t *testing.T, h *host.Host) { put(t, h, "/home/alice/.kube/cache/x", "", 0o600) }, "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := homeOfAlice(t)
			if c.before != "" {
				putHers(t, h, c.before)
			}
			changed(t, true)(h.WriteOwned(kubeFile, []byte("ours"), alice))
			c.since(t, h)
			h, _ = reopen(t, h)
			err := h.UndoAll(t.Context(), nil)
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%v, want %q", err, c.err)
			}
			data, err := os.ReadFile(h.Path(kubeFile))
			if string(data) != c.want || (err == nil) != (c.want != "") {
				t.Errorf("%q, %v, want %q", data, err, c.want)
			}
		})
	}
}

// TestUndoOwnedAgain: a directory whose file could not go is not forgotten.
func TestUndoOwnedAgain(t *testing.T) {
	h := homeOfAlice(t)
	before := snapshot(t, h.Path("/"))
	changed(t, true)(h.WriteOwned(kubeFile, []byte("ours"), alice))
	putHers(t, h, "edited")
	if err := h.UndoAll(t.Context(), nil); err == nil {
		t.Fatal("what she has edited went")
	}
	must(t, os.Remove(h.Path(kubeFile)))
	must(t, h.UndoAll(t.Context(), nil))
	if h.HasLedger() {
		t.Error("the ledger is not forgotten")
	}
	if after := snapshot(t, h.Path("/")); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// TestOwnedRefuses: nothing of others is read or given to her.
func TestOwnedRefuses(t *testing.T) {
	cases := []struct {
		name string
		make func(*testing.T, *host.Host)
	}{
		{"a file of root's", func(t *testing.T, h *host.Host) {
			putHers(t, h, "secret")
			must(t, os.Chown(h.Path(kubeFile), 0, 0))
		}},
		{"a link", func(t *testing.T, h *host.Host) {
			putHers(t, h, "")
			put(t, h, "/etc/shadow", "secret", 0o600)
			must(t, os.Remove(h.Path(kubeFile)))
			must(t, os.Symlink("/etc/shadow", h.Path(kubeFile)))
		}},
		{"a directory that is a link", func(t *testing.T, h *host.Host) {
			put(t, h, "/etc/secret/config", "secret", 0o600)
			must(t, os.Symlink("/etc/secret", h.Path("/home/alice/.kube")))
			must(t, os.Lchown(h.Path("/home/alice/.kube"), alice.UID, alice.GID))
		}},
		{"a directory of root's", func(t *testing.T, h *host.Host) { put(t, h, kubeFile, "secret", 0o600) }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := homeOfAlice(t)
			c.make(t, h)
			before := snapshot(t, h.Path("/"))
			if data, err := h.ReadOwned(kubeFile, alice); err == nil || errors.Is(err, fs.ErrNotExist) {
				t.Errorf("it read %q, %v", data, err)
			}
			if _, err := h.WriteOwned(kubeFile, []byte("ours"), alice); err == nil {
				t.Error("it wrote")
			}
			if after := snapshot(t, h.Path("/")); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

func TestOwnedPlan(t *testing.T) {
	h := homeOfAlice(t)
	before := snapshot(t, h.Path("/"))
	plan, err := host.OpenPlan(h.Path("/"), &hosttest.Units{})
	must(t, err)
	defer plan.Close()
	var told []string
	plan = plan.Under("test", func(c host.Change) { told = append(told, string(c.Verb)+" "+c.Target+c.Diff) })
	changed(t, true)(plan.WriteOwned(kubeFile, []byte("secret"), alice))
	changed(t, false)(plan.WriteOwned(kubeFile, []byte("secret"), alice))
	if want := "create /home/alice/.kube, create " + kubeFile; strings.Join(told, ", ") != want {
		t.Errorf("%v, want %s", told, want)
	}
	if after := snapshot(t, h.Path("/")); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}
