package phases

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"bootstrap/phases/config"
	"bootstrap/phases/patch"
)

// What this machine was made with is kept in files, for commands that are given no config:
// from when etcd begins, or, of a standalone kubelet, from when it ran. A note in the ledger
// names their folder. Before there were files, the note itself held a part of the config, as
// JSON, and a second note the name of the config file.

const (
	clusterRecord    = "/var/lib/bootstrap/cluster"
	standaloneRecord = "/var/lib/bootstrap/standalone"
)

// record is a config with the contents of its patches directory.
type record struct {
	config.Record
	patches []byte // JSON: the files' contents by their names; empty without
}

func recordOf(c *config.Config, patches patch.Set) (record, error) {
	kept, err := c.Record()
	if err != nil || len(patches.Files) == 0 {
		return record{Record: kept}, err
	}
	files, err := json.Marshal(patches.Files)
	return record{kept, files}, err
}

func (r record) equals(other record) bool {
	return bytes.Equal(r.Documents, other.Documents) && bytes.Equal(r.Secrets, other.Secrets) && bytes.Equal(r.patches, other.patches)
}

type recordFile struct {
	path string
	data *[]byte
}

// files end with the documents: whoever finds those has all.
func (r *record) files(dir string) []recordFile {
	return []recordFile{{dir + "/secrets.yaml", &r.Secrets}, {dir + "/patches.json", &r.patches}, {documentsIn(dir), &r.Documents}}
}

func documentsIn(dir string) string { return dir + "/documents.yaml" }

func (e *Env) readRecord(dir string) (record, error) {
	var r record
	for _, file := range r.files(dir) {
		data, err := e.Host.ReadFile(file.path)
		if err != nil && (file.data == &r.Documents || !errors.Is(err, fs.ErrNotExist)) {
			return r, err
		}
		*file.data = data
	}
	return r, nil
}

// writeRecord leaves out files that would be empty.
func (e *Env) writeRecord(dir string, r record) error {
	for _, file := range r.files(dir) {
		var err error
		if len(*file.data) > 0 {
			_, err = e.Host.WriteOpaque(file.path, *file.data, 0o600)
		} else {
			_, err = e.Host.Remove(file.path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// records are the config with what is for this run, and without.
func (e *Env) records() (whole, lasting record, err error) {
	whole, err = recordOf(e.Config, e.Patches)
	if err == nil {
		lasting, err = recordOf(e.Config.Lasting(), e.Patches)
	}
	return whole, lasting, err
}

// remember keeps the config in a folder, with what is for this run: until that has come to
// its end, a run that goes on has to do it. What a run before did to its end stays as it is.
func (e *Env) remember(note, dir string) error {
	whole, lasting, err := e.records()
	if err != nil {
		return err
	}
	if now, err := e.readRecord(dir); err != nil || !now.equals(lasting) {
		if err := e.writeRecord(dir, whole); err != nil {
			return err
		}
	}
	return e.Host.Remember(note, dir)
}

// RememberDone takes what was for this run out of what is kept, once all is made.
func (e *Env) RememberDone() error {
	dir := clusterRecord
	if e.Config.Box.Standalone {
		dir = standaloneRecord
	}
	whole, lasting, err := e.records()
	if err != nil {
		return err
	}
	if now, err := e.readRecord(dir); err != nil || !now.equals(whole) {
		return nil // it is of another run
	}
	return e.writeRecord(dir, lasting)
}

func (e *Env) configNote() string { return e.besideSettled("config") }

// besideSettled is the name of a note that ends with the settings.
func (e *Env) besideSettled(what string) string {
	return strings.Replace(e.settledNote(), "settled", what, 1)
}

// RememberedConfig is nil if init has not got as far as to etcd.
func (e *Env) RememberedConfig() (*config.Config, error) {
	c, err := e.noted(e.configNote())
	if c == nil || err != nil {
		return nil, err
	}
	if socket, ok := e.Host.Recall(runtimeNote); ok && c.CRISocket == "" && !e.made(containerdUnit) {
		c.CRISocket = socket
	}
	return c, nil
}

// noted is the config of a note, nil without. Where a reset has begun, its files are gone first.
func (e *Env) noted(note string) (*config.Config, error) {
	kept, _ := e.Host.Recall(note)
	if kept == "" {
		return nil, nil
	}
	if isJSON(kept) {
		c := &config.Config{}
		if err := json.Unmarshal([]byte(kept), c); err != nil {
			return nil, fmt.Errorf("ledger: note %s: %w", note, err)
		}
		return c, nil
	}
	r, err := e.readRecord(kept)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := r.Restore()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", kept, err)
	}
	return c, nil
}

func isJSON(note string) bool { return !strings.HasPrefix(note, "/") }

// Remembered is the config that this machine was made with, and its patches, for a run that
// is given none; m is for the flags of the command line. It is nil where nothing was made,
// and where it was made without a config file and before what it was made with was kept:
// then the defaults are what it was made with.
func (e *Env) Remembered(m config.Machine) (*config.Config, patch.Set, error) {
	note, file := e.configNote(), e.besideSettled("file")
	if m.Flags.Standalone != nil && *m.Flags.Standalone {
		note, file = standaloneNote, "file of "+standaloneNote
	}
	kept, _ := e.Host.Recall(note)
	if kept == "" || note == standaloneNote && !e.made(kubeletDropIn) { // gone, by a reset that kept the runtime
		return nil, patch.Set{}, nil
	}
	if isJSON(kept) {
		name, _ := e.Host.Recall(file)
		return nil, patch.Set{}, checkFileLeftOut(name)
	}
	c, patches, err := e.parseRecord(kept, m)
	if err != nil {
		return nil, patch.Set{}, withHint(fmt.Errorf("what this machine was made with can't be used again: %w", err),
			"give its config file: --config FILE; or, if you want the defaults: --config ''")
	}
	return c, patches, nil
}

// checkFileLeftOut refuses to take what is there back to the defaults where only the name of
// its config file was kept.
func checkFileLeftOut(file string) error {
	if file == "" {
		return nil
	}
	return withHint(fmt.Errorf("what is on this machine was made with a config file, %s, by a bootstrap that did not keep what it says", file),
		"give it again: --config %s; or, if you want the defaults: --config ''", file)
}

func (e *Env) parseRecord(dir string, m config.Machine) (*config.Config, patch.Set, error) {
	r, err := e.readRecord(dir)
	if err != nil {
		return nil, patch.Set{}, err
	}
	c, err := r.Parse(m)
	if err != nil { // all at once, under one hint
		return nil, patch.Set{}, fmt.Errorf("%s: %s", dir, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	files := map[string]string{}
	if len(r.patches) > 0 {
		err = json.Unmarshal(r.patches, &files)
	}
	if err != nil {
		return nil, patch.Set{}, err
	}
	patches, err := patch.Parse(c.PatchesDir, files)
	return c, patches, err
}
