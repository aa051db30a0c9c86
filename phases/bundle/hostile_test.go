package bundle

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// trick spoils a good bundle in one way.
type trick struct {
	name  string
	entry string // what the error must name, if the trick is on one entry
	want  string // part of the reason: refused for this, and not by luck
	do    func(*forgery)
}

// TestHostile: every trick is refused before anything is written, for its own reason.
func TestHostile(t *testing.T) {
	tricks := slices.Concat(headerTricks(), nameTricks(), indexTricks(), entryTricks(),
		frameTricks(), fileTricks(), boxTricks())
	good := newForgery().bytes()
	refused := 0
	for _, k := range tricks {
		t.Run(k.name, func(t *testing.T) {
			f := newForgery()
			k.do(f)
			bad := f.bytes()
			if bytes.Equal(bad, good) {
				t.Fatal("the trick changed nothing")
			}
			checkRefused(t, k, bad)
			if !t.Failed() {
				refused++
			}
		})
	}
	t.Logf("hostile bundles: %d of %d refused", refused, len(tricks))
	if len(tricks) < 100 {
		t.Errorf("only %d tricks", len(tricks))
	}
}

func checkRefused(t *testing.T, k trick, data []byte) {
	t.Helper()
	dir := t.TempDir()
	err := install(t, data, dir)
	if err == nil {
		t.Fatal("accepted")
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("wrote %v", left)
	}
	if k.want == "" || !strings.Contains(err.Error(), k.want) {
		t.Errorf("refused for another reason: %v", err)
	}
	if blamed(t, err) != k.entry {
		t.Errorf("error does not name %q: %v", k.entry, err)
	}
	if strings.ContainsFunc(err.Error(), func(r rune) bool { return r < ' ' }) {
		t.Errorf("control characters in %q", err)
	}
}

// blamed is the entry that an error names, if any.
func blamed(t *testing.T, err error) string {
	t.Helper()
	_, rest, named := strings.Cut(fmt.Sprint(err), `entry "`)
	if !named {
		return ""
	}
	quoted, err := strconv.QuotedPrefix(`"` + rest)
	if err != nil {
		t.Fatal(err)
	}
	path, err := strconv.Unquote(quoted)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestForgery: without a trick the forgery is installed, else the tricks prove nothing.
func TestForgery(t *testing.T) {
	dir := t.TempDir()
	f := newForgery()
	if err := install(t, f.bytes(), dir); err != nil {
		t.Fatal(err)
	}
	for i, e := range f.index.Entries {
		got, err := os.ReadFile(filepath.Join(dir, e.Path))
		if err != nil || !bytes.Equal(got, f.parts[i].content) {
			t.Errorf("%s: %d bytes, %v", e.Path, len(got), err)
		}
	}
}

// install is what callers do: open, verify, then write.
func install(t *testing.T, data []byte, dir string) error {
	t.Helper()
	b, err := Open(writeFile(t, fileName, data))
	if err != nil {
		return err
	}
	defer b.Close()
	if err := b.Verify(context.Background()); err != nil {
		return err
	}
	for _, e := range b.Index().Entries {
		if err := installOne(b, e, filepath.Join(dir, e.Path)); err != nil {
			return err
		}
	}
	return nil
}

func installOne(b *Bundle, e Entry, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return b.Read(context.Background(), e, func(r io.Reader) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		return os.WriteFile(path, data, 0o644)
	})
}

func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}
