package kill

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

const (
	ledgerDir = "/var/lib/bootstrap"
	ledger    = ledgerDir + "/ledger"
	pkiDir    = "/etc/kubernetes/pki/"
)

// entry is one name in a tree.
type entry struct {
	mode     fs.FileMode
	uid, gid uint32
	data     []byte // a file's content, a link's target
}

// tree is everything below a root, by its path seen from there.
type tree map[string]entry

func readTree(root string) (tree, error) {
	t := tree{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		e, err := readEntry(path, d)
		t["/"+strings.TrimPrefix(strings.TrimPrefix(path, root), "/")] = e
		return err
	})
	return t, err
}

func readEntry(path string, d fs.DirEntry) (entry, error) {
	info, err := d.Info()
	if err != nil {
		return entry{}, err
	}
	stat := info.Sys().(*syscall.Stat_t)
	e := entry{mode: info.Mode(), uid: stat.Uid, gid: stat.Gid}
	switch {
	case info.Mode().IsRegular():
		e.data, err = os.ReadFile(path)
	case info.Mode()&fs.ModeSymlink != 0:
		var to string
		to, err = os.Readlink(path)
		e.data = []byte(to)
	}
	return e, err
}

func (t tree) paths() []string { return slices.Sorted(maps.Keys(t)) }

// write makes the tree at root, which must not exist. In order of their names, so that
// a directory is always read in the same order.
func (t tree) write(root string) error {
	for _, path := range t.paths() {
		if err := t[path].write(filepath.Join(root, path)); err != nil {
			return err
		}
	}
	return nil
}

func (e entry) write(path string) error {
	var err error
	switch {
	case e.mode.IsDir():
		err = os.Mkdir(path, 0o700)
	case e.mode.IsRegular():
		err = os.WriteFile(path, e.data, 0o600)
	default:
		err = fmt.Errorf("%s: cannot make a %s", path, e.mode)
	}
	if err == nil {
		err = os.Chown(path, int(e.uid), int(e.gid))
	}
	if err == nil {
		err = os.Chmod(path, e.mode)
	}
	return err
}

// sameMeta compares all but the content.
func (e entry) sameMeta(other entry) bool {
	return e.mode == other.mode && e.uid == other.uid && e.gid == other.gid
}

func (e entry) same(other entry) bool {
	return e.sameMeta(other) && bytes.Equal(e.data, other.data)
}

// exactly says where t is not the tree that is wanted, byte by byte.
func (t tree) exactly(want tree) []string {
	return t.differences(want, func(_ string, got, want entry) error {
		if !bytes.Equal(got.data, want.data) {
			return fmt.Errorf("other content, %d bytes for %d", len(got.data), len(want.data))
		}
		return nil
	})
}

// differences says where names, modes and owners are not those wanted, or what
// content finds.
func (t tree) differences(want tree, content func(path string, got, want entry) error) []string {
	var found []string
	for _, path := range want.paths() {
		if isSaved(path) {
			continue
		}
		got, ok := t[path]
		if !ok {
			found = append(found, path+" is missing")
			continue
		}
		w := want[path]
		if !got.sameMeta(w) {
			found = append(found, fmt.Sprintf("%s is %s %d:%d, want %s %d:%d", path, got.mode, got.uid, got.gid, w.mode, w.uid, w.gid))
		}
		if err := content(path, got, w); err != nil {
			found = append(found, fmt.Sprintf("%s: %v", path, err))
		}
	}
	for _, path := range t.paths() {
		if _, ok := want[path]; !ok && !isSaved(path) {
			found = append(found, path+" is there, and should not be")
		}
	}
	return found
}

// isSaved: a copy of what was there before is named after its record, which has
// another number after a torn ledger. Reset removes the folder.
func isSaved(path string) bool { return strings.HasPrefix(path, "/var/lib/bootstrap/saved/") }

// random tells whether two runs give a file other bytes: it holds a key or a
// certificate.
func random(path string) bool {
	return strings.HasPrefix(path, pkiDir) || strings.HasPrefix(path, "/etc/kubernetes/") && kindOf(path) == ".conf" || isUsers(path)
}

// kindOf is a file's extension, .conf for every kubeconfig.
func kindOf(path string) string {
	if isUsers(path) {
		return ".conf"
	}
	return filepath.Ext(path)
}

func isUsers(path string) bool { return strings.HasSuffix(path, "/.kube/config") }

var keyMaterial = regexp.MustCompile(`((certificate-authority|client-certificate|client-key)-data): .*`)

// converged says where t is not what an undisturbed run made of start. Keys and
// certificates that this run kept must be kept, others only be as good.
func (t tree) converged(start, undisturbed tree) []string {
	found := t.differences(undisturbed, func(path string, got, want entry) error {
		switch {
		case path == ledger || !got.mode.IsRegular():
			return nil
		case !random(path) || want.same(start[path]):
			if !bytes.Equal(got.data, want.data) {
				return fmt.Errorf("other content than after an undisturbed run, %d bytes for %d", len(got.data), len(want.data))
			}
			return nil
		}
		return sameShape(path, got.data, want.data)
	})
	return append(found, checkKeys(t)...)
}

// sameShape compares what two runs have in common in a file with key material.
func sameShape(path string, got, want []byte) error {
	switch kindOf(path) {
	case ".conf":
		if !bytes.Equal(keyMaterial.ReplaceAll(got, []byte("$1")), keyMaterial.ReplaceAll(want, []byte("$1"))) {
			return fmt.Errorf("not a kubeconfig as after an undisturbed run")
		}
	case ".crt":
		return sameCertificate(got, want)
	}
	return nil
}

// oldOrNew says which files that were there at the start hold neither what they held
// nor what they were to hold.
func (t tree) oldOrNew(start, undisturbed tree) []string {
	var found []string
	for _, path := range start.paths() {
		old, to := start[path], undisturbed[path]
		if path == ledger || !old.mode.IsRegular() {
			continue
		}
		if got := t[path]; !got.same(old) && !newContent(path, got, to) {
			found = append(found, fmt.Sprintf("%s holds neither old nor new content: %s, %d bytes", path, got.mode, len(got.data)))
		}
	}
	return found
}

// newContent tells whether a file is what it was to become; with key material, whether
// it is whole.
func newContent(path string, got, to entry) bool {
	if got.same(to) {
		return true
	}
	return got.sameMeta(to) && random(path) && len(got.data) > 0 && sameShape(path, got.data, to.data) == nil && whole(path, got.data) == nil
}
