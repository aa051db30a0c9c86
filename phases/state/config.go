package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"bootstrap/phases/config"
	"bootstrap/phases/patch"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

// What this machine was made with is kept in files, for commands that are given no config:
// from when etcd begins, or, of a standalone kubelet, from when it ran. A note in the ledger
// names their folder. Before there were files, the note itself held a part of the config, as
// JSON, and a second note the name of the config file.

// The folders of these files: of a cluster, and of a standalone kubelet.
const (
	ClusterRecord    = "/var/lib/bootstrap/cluster"
	StandaloneRecord = "/var/lib/bootstrap/standalone"
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

func (s *State) readRecord(dir string) (record, error) {
	var r record
	for _, file := range r.files(dir) {
		data, err := s.Host.ReadFile(file.path)
		if err != nil && (file.data == &r.Documents || !errors.Is(err, fs.ErrNotExist)) {
			return r, err
		}
		*file.data = data
	}
	return r, nil
}

// writeRecord leaves out files that would be empty.
func (s *State) writeRecord(dir string, r record) error {
	for _, file := range r.files(dir) {
		var err error
		if len(*file.data) > 0 {
			_, err = s.Host.WriteOpaque(file.path, *file.data, 0o600)
		} else {
			_, err = s.Host.Remove(file.path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// records are the config with what is for this run, and without.
func (s *State) records() (whole, lasting record, err error) {
	whole, err = recordOf(s.Config, s.Patches)
	if err == nil {
		lasting, err = recordOf(s.Config.Lasting(), s.Patches)
	}
	return whole, lasting, err
}

// Remember keeps the config in a folder, with what is for this run: until that has come to
// its end, a run that goes on has to do it. What a run before did to its end stays as it is.
func (s *State) Remember(note, dir string) error {
	whole, lasting, err := s.records()
	if err != nil {
		return err
	}
	if now, err := s.readRecord(dir); err != nil || !now.equals(lasting) {
		if err := s.writeRecord(dir, whole); err != nil {
			return err
		}
	}
	return s.Host.Remember(note, dir)
}

// RememberDone takes what was for this run out of what is kept, once all is made.
func (s *State) RememberDone() error {
	dir := ClusterRecord
	if s.Config.Box.Standalone {
		dir = StandaloneRecord
	}
	whole, lasting, err := s.records()
	if err != nil {
		return err
	}
	if now, err := s.readRecord(dir); err != nil || !now.equals(whole) {
		return nil // it is of another run
	}
	return s.writeRecord(dir, lasting)
}

func (s *State) configNote() string { return s.besideSettled("config") }

// besideSettled is the name of a note that ends with the settings.
func (s *State) besideSettled(what string) string {
	return strings.Replace(s.SettledNote(), "settled", what, 1)
}

// RememberedConfig is nil if init has not got as far as to etcd.
func (s *State) RememberedConfig() (*config.Config, error) {
	c, err := s.noted(s.configNote())
	if c == nil || err != nil {
		return nil, err
	}
	if socket, ok := s.Host.Recall(RuntimeNote); ok && c.CRISocket == "" && !s.Host.Made(spec.ContainerdUnit) {
		c.CRISocket = socket
	}
	return c, nil
}

// KeptConfig is what the control plane on this machine was made with, else its standalone
// kubelet; nil without.
func (s *State) KeptConfig() (*config.Config, error) {
	c, err := s.RememberedConfig()
	if err != nil || c != nil {
		return c, err
	}
	return s.StandaloneConfig()
}

// noted is the config of a note, nil without. Where a reset has begun, its files are gone first.
func (s *State) noted(note string) (*config.Config, error) {
	kept, _ := s.Host.Recall(note)
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
	r, err := s.readRecord(kept)
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
func (s *State) Remembered(m config.Machine) (*config.Config, patch.Set, error) {
	note, file := s.configNote(), s.besideSettled("file")
	if m.Flags.Standalone != nil && *m.Flags.Standalone {
		note, file = StandaloneNote, "file of "+StandaloneNote
	}
	kept, _ := s.Host.Recall(note)
	if kept == "" || note == StandaloneNote && !s.Host.Made(spec.KubeletDropIn) { // gone, by a reset that kept the runtime
		return nil, patch.Set{}, nil
	}
	if isJSON(kept) {
		name, _ := s.Host.Recall(file)
		return nil, patch.Set{}, checkFileLeftOut(name)
	}
	c, patches, err := s.parseRecord(kept, m)
	if err != nil {
		return nil, patch.Set{}, plan.Hint(fmt.Errorf("what this machine was made with can't be used again: %w", err),
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
	return plan.Hint(fmt.Errorf("what is on this machine was made with a config file, %s, by a bootstrap that did not keep what it says", file),
		"give it again: --config %s; or, if you want the defaults: --config ''", file)
}

func (s *State) parseRecord(dir string, m config.Machine) (*config.Config, patch.Set, error) {
	r, err := s.readRecord(dir)
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
