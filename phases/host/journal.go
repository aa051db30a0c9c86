package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
)

// The ledger on disk: a header, then one line per event, each with a checksum over
// the bytes of its event.
//
//	{"sum":"4a17bc0e","event":{"event":"header","format":"bootstrap-ledger","version":1}}
//	{"sum":"...","event":{"event":"intent","id":1,"by":"certs","purpose":"certificates","op":"file","target":"/etc/x","before":{...},"after":{...}}}
//	{"sum":"...","event":{"event":"done","id":1}}
const (
	ledgerFormat  = "bootstrap-ledger"
	ledgerVersion = 1
)

type eventKind string

const (
	evHeader  eventKind = "header"
	evIntent  eventKind = "intent"  // a new record: the effect comes next
	evChange  eventKind = "change"  // another effect on a record's target comes next
	evDone    eventKind = "done"    // the effect was made
	evUndone  eventKind = "undone"  // the record's target is as before
	evReload  eventKind = "reload"  // systemd has read its unit files
	evStarted eventKind = "started" // a unit or pod runs with the files as they are now
	evNote    eventKind = "note"    // a value that a later run needs to know
	evEnd     eventKind = "end"     // the run came to its end
)

type event struct {
	Event   eventKind `json:"event"`
	Format  string    `json:"format,omitempty"`
	Version int       `json:"version,omitempty"`
	Made    []string  `json:"made,omitempty"` // directories made for the ledger itself
	ID      int       `json:"id,omitempty"`
	By      string    `json:"by,omitempty"`
	Purpose Purpose   `json:"purpose,omitempty"` // missing in ledgers of an earlier bootstrap
	Time    string    `json:"time,omitempty"`    // RFC 3339, in UTC
	Op      Op        `json:"op,omitempty"`
	Target  string    `json:"target,omitempty"`
	Before  *State    `json:"before,omitempty"`
	After   *State    `json:"after,omitempty"`
	On      string    `json:"on,omitempty"`
	Keep    []string  `json:"keep,omitempty"`
	Shared  bool      `json:"shared,omitempty"`
	Value   string    `json:"value,omitempty"` // of a note
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func encodeEvent(ev event) []byte {
	body, _ := json.Marshal(ev) // all in it can be encoded
	return fmt.Appendf(nil, "{\"sum\":\"%08x\",\"event\":%s}\n", crc32.Checksum(body, castagnoli), body)
}

func decodeEvent(line []byte) (event, error) {
	var outer struct {
		Sum   string          `json:"sum"`
		Event json.RawMessage `json:"event"`
	}
	if err := json.Unmarshal(line, &outer); err != nil {
		return event{}, err
	}
	if sum := fmt.Sprintf("%08x", crc32.Checksum(outer.Event, castagnoli)); sum != outer.Sum {
		return event{}, errors.New("wrong checksum")
	}
	var ev event
	err := json.Unmarshal(outer.Event, &ev)
	return ev, err
}

// parseJournal reads events and how many bytes of data they take. Damage at the end
// is what a crash leaves, and is dropped; damage with good lines after it is not.
func parseJournal(data []byte) (events []event, valid int, err error) {
	for valid < len(data) {
		line, rest, whole := bytes.Cut(data[valid:], []byte("\n"))
		ev, err := decodeEvent(line)
		if !whole || err != nil {
			err = checkTail(rest, len(events)+1)
			// A part of the header is the same as no ledger: all of the header is on the
			// disk before the first effect is made.
			if err == nil && whole && len(events) == 0 {
				err = errors.New("not a ledger of bootstrap")
			}
			return events, valid, err
		}
		if len(events) == 0 {
			if err := checkHeader(ev); err != nil {
				return nil, 0, err
			}
		}
		events = append(events, ev)
		valid += len(line) + 1
	}
	return events, valid, nil
}

func checkTail(tail []byte, lineNumber int) error {
	for line := range bytes.SplitSeq(tail, []byte("\n")) {
		if _, err := decodeEvent(line); err == nil {
			return fmt.Errorf("line %d is damaged", lineNumber)
		}
	}
	return nil
}

func checkHeader(ev event) error {
	if ev.Event != evHeader || ev.Format != ledgerFormat {
		return errors.New("not a ledger of bootstrap")
	}
	if ev.Version != ledgerVersion {
		return fmt.Errorf("format version %d, this bootstrap knows version %d", ev.Version, ledgerVersion)
	}
	return nil
}

// makeDirs makes a directory for the ledger and those above it, and returns which
// it made. They stand in the header, as the ledger can't hold records of them before it
// is there.
func makeDirs(root, path string) ([]string, error) {
	var made []string
	for dir := range above(path) {
		if _, err := os.Lstat(filepath.Join(root, dir)); err == nil {
			break
		}
		made = append(made, dir)
	}
	for _, dir := range slices.Backward(made) {
		real, mode := filepath.Join(root, dir), os.FileMode(0o755)
		if dir == ledgerDir {
			mode = 0o700
		}
		if err := errors.Join(os.Mkdir(real, mode), os.Chmod(real, mode), syncDir(filepath.Dir(real))); err != nil {
			return nil, err
		}
	}
	return made, nil
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
