package snapshot

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
)

var contents = map[string]string{
	Database: strings.Repeat("page", 4096), Documents + "/documents.yaml": "kind: ClusterConfiguration\n",
	PKI + "/ca.key": "key", PKI + "/etcd/ca.key": "etcd's key", Encryption: "keys",
}

// folder has these files.
func folder(t testing.TB, files map[string]string) *os.Root {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := errors.Join(os.MkdirAll(path.Dir(dir+"/"+name), 0o700), os.WriteFile(dir+"/"+name, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func archive(t testing.TB) []byte {
	t.Helper()
	m := Meta{Time: time.Unix(1, 0).UTC(), Node: "node-1", Cluster: "c", Revision: 7, PKI: true, Encryption: "/etc/kubernetes/encryption/config.yaml"}
	var out bytes.Buffer
	if err := Write(&out, m, folder(t, contents)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func fits(int64) error { return nil }

// readAll reads an archive, and gives what it holds.
func readAll(t testing.TB, data []byte) (Meta, map[string]string, error) {
	into := folder(t, nil)
	m, err := Read(bytes.NewReader(data), into, fits)
	files := map[string]string{}
	walk := func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			content, readErr := into.ReadFile(name)
			files[name], err = string(content), readErr
		}
		return err
	}
	return m, files, errors.Join(err, fs.WalkDir(into.FS(), ".", walk))
}

func TestArchive(t *testing.T) {
	m, files, err := readAll(t, archive(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(contents, files); diff != "" || !m.PKI || m.Revision != 7 {
		t.Errorf("%+v (-want +got):\n%s", m, diff)
	}
}

// packed makes an archive of members as they are given, whatever they are.
func packed(t testing.TB, members ...*tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for _, h := range members {
		content := h.PAXRecords["content"]
		h.PAXRecords = nil
		if h.Typeflag == 0 {
			h.Typeflag, h.Size = tar.TypeReg, int64(len(content))
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			_, err = io.WriteString(w, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func file(name, content string) *tar.Header {
	return &tar.Header{Name: name, Mode: 0o600, PAXRecords: map[string]string{"content": content}}
}

// says is what an archive says of itself whose database is "db".
func says(t testing.TB, change func(*Meta)) *tar.Header {
	t.Helper()
	m := Meta{Format: format}
	change(&m)
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return file(metaName, string(data))
}

// TestDamagedArchives: each is refused, with its reason.
func TestDamagedArchives(t *testing.T) {
	good := archive(t)
	flipped := func(at int) []byte {
		data := bytes.Clone(good)
		data[at] ^= 0x10
		return data
	}
	with := func(more ...*tar.Header) []byte {
		return packed(t, append([]*tar.Header{says(t, func(*Meta) {}), file(Database, "db")}, more...)...)
	}
	other := func(change func(*Meta)) []byte { return packed(t, says(t, change), file(Database, "db")) }
	many := []*tar.Header{{Typeflag: tar.TypeDir, Name: Documents + "/", Mode: 0o700}}
	for i := range maxFiles + 1 {
		many = append(many, file(fmt.Sprintf("%s/a%d", Documents, i), ""))
	}
	cases := map[string]struct {
		data []byte
		want string
	}{
		"empty":              {nil, "cut short"},
		"no archive":         {[]byte("etcd snapshot, not packed at all"), "damaged"},
		"cut in the half":    {good[:len(good)/2], "cut short"},
		"last byte is gone":  {good[:len(good)-1], "damaged"},
		"flipped at begin":   {flipped(2), "damaged"},
		"flipped in midst":   {flipped(len(good) / 2), "damaged"},
		"flipped at the end": {flipped(len(good) - 2), "damaged"},
		"zeros":              {make([]byte, len(good)), "damaged"},
		"something behind":   {append(bytes.Clone(good), good...), "follows its end"},
		"not ours":           {packed(t, file(Database, "db")), "does not begin with"},
		"says no JSON":       {packed(t, file(metaName, "{")), "damaged"},
		"no database":        {packed(t, says(t, func(*Meta) {})), "database: no such file"},
		"other format":       {other(func(m *Meta) { m.Format = 99 }), "use that one, or a newer one"},
		"keys elsewhere":     {other(func(m *Meta) { m.Encryption = "keys.yaml" }), "which is no place"},
		"keys above":         {other(func(m *Meta) { m.Encryption = "/etc/../root/x" }), "which is no place"},
		"without its keys":   {other(func(m *Meta) { m.PKI = true }), "ca.key: no such file"},
		"too many files":     {with(many...), "too many files"},
		"parent folder":      {with(file(PKI+"/../../shadow", "x")), "has no place"},
		"absolute":           {with(file("/etc/shadow", "x")), "has no place"},
		"other folder":       {with(file("etc/shadow", "x")), "has no place"},
		"twice":              {with(file(Encryption, "a"), file(Encryption, "b")), "exists"},
		"link":               {with(&tar.Header{Typeflag: tar.TypeSymlink, Name: Encryption, Linkname: "/etc/shadow"}), "is no file"},
		"a second of itself": {with(says(t, func(*Meta) {})), "has no place"},
		"big":                {with(file(Encryption, strings.Repeat("x", maxFile+1))), "has no place"},
	}
	if len(cases) < 20 {
		t.Fatal("20 are wanted")
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, _, err := readAll(t, c.data)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("want %q, got %v", c.want, err)
			}
		})
	}
}

// TestRefusedBeforeRead: who refuses an archive by what it says is given nothing of it.
func TestRefusedBeforeRead(t *testing.T) {
	refused := errors.New("no room")
	into := folder(t, nil)
	_, err := Read(bytes.NewReader(archive(t)), into, func(int64) error { return refused })
	if _, statErr := into.Stat(Database); statErr == nil {
		t.Error("it was read")
	}
	if !errors.Is(err, refused) {
		t.Error(err)
	}
}

func TestSeal(t *testing.T) {
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := Seal(&out, key.Recipient().String())
	if err != nil {
		t.Fatal(err)
	}
	m := Meta{}
	if err := errors.Join(Write(w, m, folder(t, contents)), w.Close()); err != nil {
		t.Fatal(err)
	}
	open := func(data []byte, identity string) error {
		plain, err := Unseal(bytes.NewReader(data), []byte(identity))
		if err == nil {
			_, err = Read(plain, folder(t, nil), fits)
		}
		return err
	}
	if err := open(out.Bytes(), key.String()); err != nil {
		t.Error(err)
	}
	if bytes.Contains(out.Bytes(), []byte("ClusterConfiguration")) {
		t.Error("it is not encrypted")
	}
	flipped := bytes.Clone(out.Bytes())
	flipped[len(flipped)-9] ^= 1
	for want, err := range map[string]error{
		"is encrypted":      open(out.Bytes(), ""),
		"to another key":    open(out.Bytes(), other.String()),
		"none of age's":     open(out.Bytes(), "AGE-SECRET-KEY-1NONE"),
		"damaged":           open(flipped, key.String()),
		"it was cut short":  open(out.Bytes()[:len(out.Bytes())-20], key.String()),
		"damaged, or none ": open(out.Bytes()[:40], key.String()),
	} {
		isDamage := want == "it was cut short" && errors.Is(err, ErrDamaged)
		if err == nil || !isDamage && !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
		if err != nil && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("it tells a key: %v", err)
		}
	}
	if _, err := Seal(io.Discard, "age1nobody"); err == nil {
		t.Error("it takes a recipient that is none")
	}
}

// FuzzRead: whatever an archive is, reading it ends.
func FuzzRead(f *testing.F) {
	good := archive(f)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _, _ = readAll(t, data) // os.Root lets nothing be written elsewhere
	})
}
