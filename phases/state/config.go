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

// Commands that are given no config use the one that this machine was made with. It is kept in
// files: from when etcd begins, or, of a standalone kubelet, from when that ran. A note in the
// ledger names the folder of these files. Older versions of bootstrap wrote no files: the note
// itself held a part of the config, as JSON, and a second note the name of the config file.

// The folders of these files, of a cluster and of a standalone kubelet.
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

// records are the config with what is for this run alone, such as a bootstrap token, and without.
func (s *State) records() (whole, lasting record, err error) {
	whole, err = recordOf(s.Config, s.Patches)
	if err == nil {
		lasting, err = recordOf(s.Config.Lasting(), s.Patches)
	}
	return whole, lasting, err
}

// Remember keeps the config in a folder, and the folder's name in a note of the ledger. What is for
// this run alone is kept with it, for a later run that has to go on with this one. Nothing is
// written where an earlier run has come to its end with the same config.
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

// RememberDone takes what was for this run alone out of what is kept. It is called once all is made.
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
		return nil // another run has written it
	}
	return s.writeRecord(dir, lasting)
}

func (s *State) configNote() string { return s.besideSettled("config") }

// besideSettled is the name of a note that ends with the settings.
func (s *State) besideSettled(what string) string {
	return strings.Replace(s.SettledNote(), "settled", what, 1)
}

// RememberedConfig is what this machine's cluster was made with, with the runtime that init chose;
// nil if init has not got as far as etcd.
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

// noted is the config that a note keeps; nil without one, and after a reset that has not come to its
// end: it removes the files before the ledger.
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
// is given none; m has the flags of the command line, which go before it. It is nil where the
// defaults will do: nothing was made, or an older version of bootstrap made it without a config file.
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
		if name == "" {
			return nil, patch.Set{}, nil
		}
		return nil, patch.Set{}, plan.Hint(
			fmt.Errorf("what is on this machine was made with a config file, %s, by a bootstrap that did not keep what it says", name),
			"give it again: --config %s; or, if you want the defaults: --config ''", name)
	}
	c, patches, err := s.parseRecord(kept, m)
	if err != nil {
		return nil, patch.Set{}, plan.Hint(fmt.Errorf("what this machine was made with can't be used again: %w", err),
			"give its config file: --config FILE; or, if you want the defaults: --config ''")
	}
	return c, patches, nil
}

func (s *State) parseRecord(dir string, m config.Machine) (*config.Config, patch.Set, error) {
	r, err := s.readRecord(dir)
	if err != nil {
		return nil, patch.Set{}, err
	}
	c, patches, err := r.parse(m)
	if err != nil { // all findings in one line, as one hint is for them all
		err = fmt.Errorf("%s: %s", dir, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return c, patches, err
}

// ParseDocuments reads what another machine's cluster was made by, and its patches.
func ParseDocuments(documents, patches []byte, m config.Machine) (*config.Config, patch.Set, error) {
	r := record{patches: patches}
	r.Documents = documents
	return r.parse(m)
}

func (r record) parse(m config.Machine) (*config.Config, patch.Set, error) {
	c, err := r.Parse(m)
	if err != nil {
		return nil, patch.Set{}, err
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
