package host

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const ledgerDir = "/var/lib/bootstrap"

// key names a target; effects on the same one share a record.
type key struct {
	op     Op
	target string
}

// ledger is the journal of effects.
type ledger struct {
	mu   sync.Mutex
	root string
	dry  bool     // a plan's: nothing is written to the disk
	file *os.File // nil until the first event
	size int64    // of the part without damage; 0: there is no header yet
	knowledge
}

// knowledge is what the events tell, be they read or written. So a run that goes on
// where another one was killed knows all that that one knew.
type knowledge struct {
	records []*Record
	open    map[key]*Record // not undone
	made    []string        // directories that were made for the ledger
	reload  bool            // unit files changed since systemd read them
	changed map[string]int  // per path, at which event it was last changed
	started map[string]int  // per unit or pod, at which event it was last started
	notes   map[string]string
	last    *Record // the last effect; nil when the run came to its end after it
	events  int
}

func newKnowledge() knowledge {
	return knowledge{open: map[key]*Record{}, changed: map[string]int{}, started: map[string]int{}, notes: map[string]string{}}
}

func readLedger(root string) (*ledger, error) {
	l := &ledger{root: root, knowledge: newKnowledge()}
	data, err := os.ReadFile(l.path("ledger"))
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	events, valid, err := parseJournal(data)
	if err != nil {
		return nil, fmt.Errorf("ledger %s: %w", l.path("ledger"), err)
	}
	l.size = int64(valid)
	for _, ev := range events {
		l.apply(ev)
	}
	return l, nil
}

func (l *ledger) path(name string) string { return filepath.Join(l.root, ledgerDir, name) }

// apply is the one place where the ledger's knowledge changes.
func (l *ledger) apply(ev event) {
	l.events++
	switch ev.Event {
	case evHeader:
		l.made = ev.Made
	case evIntent:
		l.add(ev)
	case evReload:
		l.reload = false
	case evStarted:
		l.started[ev.Target] = l.events
	case evNote:
		l.notes[ev.Target] = ev.Value
	case evEnd:
		l.last = nil
	case evChange, evDone, evUndone:
		if ev.ID > 0 && ev.ID <= len(l.records) { // ids count from 1
			l.update(l.records[ev.ID-1], ev)
		}
	}
}

func (l *ledger) add(ev event) {
	r := &Record{
		ID: ev.ID, By: ev.By, Purpose: cmp.Or(ev.Purpose, purposesBefore[ev.By], Other), Time: ev.Time, Op: ev.Op, Target: ev.Target,
		Before: *ev.Before, On: ev.On, Keep: ev.Keep, Shared: ev.Shared,
	}
	l.records = append(l.records, r)
	k := key{r.Op, r.Target}
	if first := l.open[k]; first != nil {
		r.Undone, r.first = true, first
		l.update(r, event{Event: evChange, After: ev.After})
		return
	}
	l.open[k] = r
	l.want(r, *ev.After)
}

func (l *ledger) want(r *Record, after State) {
	r.After, r.Done = after, false
	if r.Purpose != Mended { // else no run goes on with it
		l.last = r
	}
	l.reload = l.reload || r.changesUnits()
	if r.Op != OpFile {
		return
	}
	l.changed[r.Target] = l.events
	if !slices.Contains(r.wrote, after.SHA256) {
		r.wrote = append(r.wrote, after.SHA256)
	}
}

// update makes what happens to a second record of the same target happen to the first one.
// The programs before this one wrote two where a control plane was made upon a standalone
// kubelet, so that the control plane could be removed alone: that was to go back to what the
// first record had made.
func (l *ledger) update(r *Record, ev event) {
	if r.first != nil && r.Op == OpRules {
		return // the first one names all that the second does, and more
	}
	if r.first != nil && ev.Event == evUndone {
		ev = event{Event: evChange, After: &r.Before}
	}
	if r.first != nil {
		r = r.first
	}
	switch ev.Event {
	case evChange:
		l.want(r, *ev.After)
	case evDone:
		r.Done, r.landed = true, true
	case evUndone:
		r.Undone, l.last = true, r
		delete(l.open, key{r.Op, r.Target})
		l.reload = l.reload || r.changesUnits()
	}
}

// effect is what is about to happen to a target.
type effect struct {
	key
	by            string
	purpose       Purpose
	verb          Verb
	diff          string   // see Change
	on            string   // see Record
	keep          []string // see Record
	shared        bool     // see Record
	before, after State
	save          func(file string) error // keeps the content that goes; may be nil
}

func (e effect) change() Change {
	return Change{Op: e.op, Verb: e.verb, Target: e.target, Diff: e.diff}
}

// begin records an effect and returns its record's id. When it returns, the record
// is on the disk.
func (l *ledger) begin(e effect) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.open[e.key]
	if r != nil && !r.superseded(e.before) {
		return r.ID, l.logLocked(event{Event: evChange, ID: r.ID, After: &e.after}, true)
	}
	if r != nil {
		if err := l.logLocked(event{Event: evUndone, ID: r.ID}, true); err != nil {
			return 0, err
		}
	}
	id := len(l.records) + 1
	if e.save != nil && e.before.Kind == File && !l.dry {
		if err := l.save(id, e.save); err != nil {
			return 0, fmt.Errorf("keep a copy of %s: %w", e.target, err)
		}
	}
	return id, l.logLocked(event{
		Event: evIntent, ID: id, By: e.by, Purpose: cmp.Or(e.purpose, Other), Time: time.Now().UTC().Format(time.RFC3339),
		Op: e.op, Target: e.target, Before: &e.before, After: &e.after, On: e.on, Keep: e.keep, Shared: e.shared,
	}, true)
}

func (l *ledger) save(id int, save func(file string) error) error {
	if err := l.create(); err != nil {
		return err
	}
	if err := os.MkdirAll(l.path("saved"), 0o700); err != nil {
		return err
	}
	if err := save(l.saved(id)); err != nil {
		return err
	}
	return syncDir(l.path("saved"))
}

func (l *ledger) copySaved(id int, w io.Writer) error {
	saved, err := os.Open(l.saved(id))
	if err != nil {
		return fmt.Errorf("saved copy: %w", err)
	}
	defer saved.Close()
	_, err = io.Copy(w, saved)
	return err
}

func (l *ledger) saved(id int) string { return l.path(fmt.Sprintf("saved/%d", id)) }

// done records that an effect was made. It isn't synced: should it be lost in a power
// cut, the next run only looks at the effect again.
func (l *ledger) done(id int) error { return l.log(event{Event: evDone, ID: id}, false) }

// undone records that an effect was undone. It is synced only where there is a saved
// copy, which is removed next. All else the next run finds to be undone already.
func (l *ledger) undone(id int) error {
	_, err := os.Lstat(l.saved(id))
	return l.log(event{Event: evUndone, ID: id}, err == nil)
}

func (l *ledger) log(ev event, sync bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.logLocked(ev, sync)
}

// logLocked writes one event, and takes it into the ledger's knowledge. After an error the
// file is as long as before.
func (l *ledger) logLocked(ev event, sync bool) error {
	if !l.dry {
		err := l.create()
		if err == nil {
			err = l.write(ev, sync)
		}
		if err != nil {
			return fmt.Errorf("ledger: %w", err)
		}
	}
	l.apply(ev)
	return nil
}

func (l *ledger) write(ev event, sync bool) error {
	line := encodeEvent(ev)
	_, err := l.file.WriteAt(line, l.size)
	if err == nil && sync {
		err = l.file.Sync()
	}
	if err != nil {
		// If truncating fails too, the next event overwrites the rest of this one,
		// and what sticks out behind it is dropped as a torn tail.
		return errors.Join(err, l.file.Truncate(l.size))
	}
	l.size += int64(len(line))
	return nil
}

// create opens the ledger for writing, cuts off a torn tail, and writes the header
// if there is none.
func (l *ledger) create() error {
	if l.file != nil {
		return nil
	}
	made, err := makeDirs(l.root, ledgerDir)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(l.path("ledger"), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	if err := l.begins(f, made); err != nil {
		f.Close()
		return err
	}
	return syncDir(l.path(""))
}

func (l *ledger) begins(f *os.File, made []string) error {
	if err := f.Truncate(l.size); err != nil {
		return err
	}
	l.file = f
	if l.size > 0 {
		return nil
	}
	header := event{Event: evHeader, Format: ledgerFormat, Version: ledgerVersion, Made: made}
	if err := l.write(header, true); err != nil {
		l.file = nil
		return err
	}
	l.apply(header)
	return nil
}
