package host_test

import (
	"fmt"
	"hash/crc32"
	"os"
	"strings"
	"testing"

	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const ledgerFile = "/var/lib/bootstrap/ledger"

func readLedger(t *testing.T, h *host.Host) string {
	t.Helper()
	data, err := os.ReadFile(h.Path(ledgerFile))
	must(t, err)
	return string(data)
}

// cut shortens the ledger, as a kill or a crash at that byte would.
func cut(t *testing.T, h *host.Host, size int) {
	t.Helper()
	must(t, os.Truncate(h.Path(ledgerFile), int64(size)))
}

func TestLedgerSurvivesReopening(t *testing.T) {
	h, _ := hosttest.New(t)
	put(t, h, "/etc/old", "old", 0o644)
	changed(t, true)(h.WriteFile("/etc/old", []byte("new"), 0o600))
	must(t, h.MakeDir("/opt/cni/bin", 0o755))
	changed(t, true)(h.Remove("/etc/old"))
	want := h.Entries()
	h, _ = reopen(t, h)
	if diff := cmp.Diff(want, h.Entries(), cmpopts.IgnoreUnexported(host.Record{})); diff != "" {
		t.Fatal(diff)
	}
	var got []string
	for _, r := range want {
		got = append(got, string(r.Op)+" "+r.Target)
	}
	if diff := cmp.Diff([]string{"file /etc/old", "dir /opt", "dir /opt/cni", "dir /opt/cni/bin"}, got); diff != "" {
		t.Fatal(diff)
	}
	looks, err := host.OpenPlan(h.Path("/"), host.Offline{})
	must(t, err)
	defer looks.Close()
	if diff := cmp.Diff(want, looks.Entries(), cmpopts.IgnoreUnexported(host.Record{})); diff != "" {
		t.Fatal(diff)
	}
}

// A crash may leave any beginning of the ledger. Whatever it is, the same work done
// again ends in the same files, and undo in the files before.
func TestLedgerCutAnywhere(t *testing.T) {
	work := func(t *testing.T, h *host.Host) {
		_, err := h.WriteFile("/etc/old", []byte("new"), 0o600)
		must(t, err)
		_, err = h.WriteFile("/etc/kubernetes/pki/ca.key", []byte("key"), 0o600)
		must(t, err)
	}
	prepare := func(t *testing.T) *host.Host {
		h, _ := hosttest.New(t)
		put(t, h, "/etc/old", "old", 0o644)
		return h
	}
	h := prepare(t)
	before := snapshot(t, h.Path("/"))
	work(t, h)
	after, ledger := snapshot(t, h.Path("/")), readLedger(t, h)
	// Before the first intent is whole, no effect has been made: see the kill matrix
	// for what can be on the disk then.
	first := strings.Index(ledger, `"target":"/etc/kubernetes/pki/ca.key"`)
	first += strings.Index(ledger[first:], "\n") + 1

	for size := first; size <= len(ledger); size++ {
		h := prepare(t)
		work(t, h)
		must(t, h.Close())
		cut(t, h, size)
		h, _ = hosttest.Open(t, h.Path("/"))
		work(t, h)
		if got := snapshot(t, h.Path("/")); got != after {
			t.Fatalf("cut at %d, again:\n%s\nwant:\n%s", size, got, after)
		}
		must(t, h.UndoAll(t.Context(), nil))
		if got := snapshot(t, h.Path("/")); got != before {
			t.Fatalf("cut at %d, undone:\n%s\nwant:\n%s", size, got, before)
		}
		must(t, h.Close())
	}
}

func TestTornLastRecordIsDropped(t *testing.T) {
	h, _ := hosttest.New(t)
	changed(t, true)(h.WriteFile("/etc/a", []byte("a"), 0o600))
	good := readLedger(t, h)
	for name, tail := range map[string]string{
		"no newline":     `{"sum":"00000000","event":{"event":"done","id":1}}`,
		"half a line":    `{"sum":"12`,
		"wrong checksum": `{"sum":"00000000","event":{"event":"done","id":1}}` + "\n",
		"zeros":          strings.Repeat("\x00", 5000),
		"several lines":  "x\ny\nz\n",
	} {
		t.Run(name, func(t *testing.T) {
			must(t, h.Close())
			must(t, os.WriteFile(h.Path(ledgerFile), []byte(good+tail), 0o600))
			h, _ = hosttest.Open(t, h.Path("/"))
			changed(t, true)(h.WriteFile("/etc/"+strings.ReplaceAll(name, " ", ""), nil, 0o600))
			after := readLedger(t, h)
			if !strings.HasPrefix(after, good+`{"sum":`) || strings.Contains(after[len(good):], tail) {
				t.Fatalf("ledger is now %q", after[len(good):])
			}
			good = after
		})
	}
}

func TestDamagedLedgerIsRefused(t *testing.T) {
	h, _ := hosttest.New(t)
	changed(t, true)(h.WriteFile("/etc/a", []byte("a"), 0o600))
	good := readLedger(t, h)
	must(t, h.Close())
	for name, c := range map[string]struct{ data, want string }{
		"damage in the middle": {strings.Replace(good, `"/etc"`, `"/etx"`, 1), "line 2 is damaged"},
		"damaged header":       {"x" + good, "line 1 is damaged"},
		"something else":       {strings.SplitAfterN(good, "\n", 2)[1], "not a ledger"},
	} {
		must(t, os.WriteFile(h.Path(ledgerFile), []byte(c.data), 0o600))
		_, err := host.Open(h.Path("/"), &hosttest.Units{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every kind of interruption between the intent and done: the first state wins.
func TestFirstTouchWins(t *testing.T) {
	h, _ := hosttest.New(t)
	put(t, h, "/etc/x", "theirs", 0o644)
	before := snapshot(t, h.Path("/"))
	for _, content := range []string{"one", "two", "three"} {
		changed(t, true)(h.WriteFile("/etc/x", []byte(content), 0o600))
		h, _ = reopen(t, h)
	}
	changed(t, true)(h.Remove("/etc/x"))
	changed(t, true)(h.WriteFile("/etc/x", []byte("four"), 0o600))
	if n := len(h.Entries()); n != 1 {
		t.Fatalf("%d records for one file", n)
	}
	must(t, h.UndoAll(t.Context(), nil))
	if after := snapshot(t, h.Path("/")); after != before {
		t.Fatalf("before:\n%s\nafter:\n%s", before, after)
	}
}

// An intent whose effect never came does not make somebody else's file ours.
func TestIntentWithoutEffectIsNotOurs(t *testing.T) {
	h, _ := hosttest.New(t)
	must(t, os.Mkdir(h.Path("/etc"), 0o755))
	changed(t, true)(h.WriteFile("/etc/x", []byte("ours"), 0o600))
	ledger := readLedger(t, h)
	must(t, h.Close())
	cut(t, h, strings.LastIndex(ledger[:len(ledger)-1], "\n")+1) // without done
	put(t, h, "/etc/x", "theirs", 0o644)

	h, _ = hosttest.Open(t, h.Path("/"))
	if err := h.UndoAll(t.Context(), nil); err == nil {
		t.Fatal("undone over somebody's file")
	}
	wantFile(t, h, "/etc/x", "theirs", 0o644)
	changed(t, true)(h.WriteFile("/etc/x", []byte("ours"), 0o600))
	must(t, h.UndoAll(t.Context(), nil))
	wantFile(t, h, "/etc/x", "theirs", 0o644)
}

// TestPurposeOfOldRecords: ledgers of an earlier bootstrap tell a purpose by the name of
// the phase alone.
func TestPurposeOfOldRecords(t *testing.T) {
	h, _ := hosttest.New(t)
	changed(t, true)(h.Under("certs", nil).For(host.Certificates).WriteFile("/a", nil, 0o600))
	changed(t, true)(h.Under("certs", nil).WriteFile("/b", nil, 0o600))
	h, _ = reopen(t, h)
	purposes := map[string]host.Purpose{}
	for _, r := range h.Entries() {
		purposes[r.Target] = r.Purpose
	}
	if diff := cmp.Diff(map[string]host.Purpose{"/a": host.Certificates, "/b": host.Other}, purposes); diff != "" {
		t.Error(diff)
	}
	must(t, h.Close())
	const old = `{"event":"intent","id":%d,"by":%q,"op":"file","target":"/x/%d","before":{"kind":"absent"},"after":{"kind":"file"}}`
	text := line(`{"event":"header","format":"bootstrap-ledger","version":1}`)
	want := []host.Purpose{host.Certificates, host.Etcd, host.Runtime, host.Adopted, host.Mended, host.Other}
	for i, by := range []string{"certs", "etcd", "runtime", "adopt", "preflight", "kubelet"} {
		text += line(fmt.Sprintf(old, i+1, by, i))
	}
	must(t, os.WriteFile(h.Path(ledgerFile), []byte(text), 0o600))
	looks, err := host.OpenPlan(h.Path("/"), host.Offline{})
	must(t, err)
	defer looks.Close()
	var got []host.Purpose
	for _, r := range looks.Entries() {
		got = append(got, r.Purpose)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// line is an event as the ledger has it on disk.
func line(event string) string {
	sum := crc32.Checksum([]byte(event), crc32.MakeTable(crc32.Castagnoli))
	return fmt.Sprintf("{\"sum\":\"%08x\",\"event\":%s}\n", sum, event)
}
