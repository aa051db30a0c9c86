package host

import (
	"bytes"
	"testing"
)

func FuzzParseJournal(f *testing.F) {
	header := encodeEvent(event{Event: evHeader, Format: ledgerFormat, Version: ledgerVersion})
	intent := encodeEvent(event{Event: evIntent, ID: 1, Op: OpFile, Target: "/<x>", Before: &State{}, After: &State{}})
	f.Add(append(header, intent...))
	f.Add(append(header, intent[:9]...))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		events, valid, err := parseJournal(data)
		if err != nil {
			return
		}
		again, size, err := parseJournal(data[:valid])
		if err != nil || size != valid || len(again) != len(events) {
			t.Fatalf("the good part reads differently: %d of %d events, %v", len(again), len(events), err)
		}
		if valid > 0 && !bytes.HasSuffix(data[:valid], []byte("\n")) {
			t.Fatal("the good part ends within a line")
		}
	})
}

func TestNewerLedgerIsRefused(t *testing.T) {
	line := encodeEvent(event{Event: evHeader, Format: ledgerFormat, Version: ledgerVersion + 1})
	_, _, err := parseJournal(line)
	if err == nil || err.Error() != "format version 2, this bootstrap knows version 1" {
		t.Fatal(err)
	}
}
