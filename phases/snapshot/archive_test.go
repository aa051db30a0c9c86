package snapshot

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := errors.Join(os.MkdirAll(path.Dir(dir+"/"+name), 0o700), os.WriteFile(dir+"/"+name, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func archive(t testing.TB) []byte {
	t.Helper()
	m := Meta{Time: time.Unix(1, 0).UTC(), Node: "node-1", Cluster: "c", Revision: 7, Encryption: "/etc/kubernetes/encryption/config.yaml"}
	var out bytes.Buffer
	if err := Write(&out, &m, folder(t, contents)); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func fits(Meta) error { return nil }

// readAll reads an archive, and gives what it holds.
func readAll(t testing.TB, data []byte) (Meta, map[string]string, error) {
	into := folder(t, nil)
	m, err := Read(bytes.NewReader(data), into, fits)
	files := map[string]string{}
	for _, f := range m.Files {
		content, _ := os.ReadFile(into + "/" + f.Name) // what is missing is missed
		files[f.Name] = string(content)
	}
	return m, files, err
}

func TestArchive(t *testing.T) {
	m, files, err := readAll(t, archive(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(contents, files); diff != "" || !m.HasPKI() || m.Revision != 7 || m.Files[0].Name != Database {
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

// list is snapshot.json for these files.
func list(t testing.TB, files ...File) *tar.Header {
	t.Helper()
	data, err := json.Marshal(Meta{Format: format, Files: files})
	if err != nil {
		t.Fatal(err)
	}
	return file(metaName, string(data))
}

func fileOf(name, content string) File {
	return File{name, int64(len(content)), fmt.Sprintf("%x", sha256.Sum256([]byte(content)))}
}

// TestDamagedArchives: each is refused, with its reason; nobody is given what it wants to be written elsewhere.
func TestDamagedArchives(t *testing.T) {
	good := archive(t)
	db, ca := fileOf(Database, "db"), fileOf(PKI+"/ca.key", "key")
	flipped := func(at int) []byte {
		data := bytes.Clone(good)
		data[at] ^= 0x10
		return data
	}
	big := db
	big.Size = 1 << 50
	manyFiles := []File{db}
	for i := range maxFiles {
		manyFiles = append(manyFiles, fileOf(PKI+"/"+strings.Repeat("a", i+1), ""))
	}
	link := &tar.Header{Typeflag: tar.TypeSymlink, Name: PKI + "/ca.key", Linkname: "/etc/shadow"}
	cases := map[string]struct {
		data []byte
		want string
	}{
		"empty":                                 {nil, "cut short"},
		"no archive":                            {[]byte("etcd snapshot, not packed at all"), "damaged"},
		"cut in the half":                       {good[:len(good)/2], "cut short"},
		"last byte is gone":                     {good[:len(good)-1], "damaged"},
		"flipped at begin":                      {flipped(2), "damaged"},
		"flipped in midst":                      {flipped(len(good) / 2), "damaged"},
		"flipped at the end":                    {flipped(len(good) - 2), "damaged"},
		"zeros":                                 {make([]byte, len(good)), "damaged"},
		"something behind":                      {append(bytes.Clone(good), good...), "follows its end"},
		"not ours":                              {packed(t, file("database", "db")), "belongs"},
		"list is no JSON":                       {packed(t, file(metaName, "{")), "damaged"},
		"list lists nothing":                    {packed(t, list(t)), "no database as the first"},
		"other format":                          {packed(t, file(metaName, `{"format":99}`)), "use that one, or a newer one"},
		"too many files":                        {packed(t, list(t, manyFiles...)), "files"},
		"huge by its list":                      {packed(t, list(t, big)), "it lists a file"},
		"parent folder":                         {packed(t, list(t, db, fileOf(PKI+"/../../shadow", "x"))), "it lists a file"},
		"absolute":                              {packed(t, list(t, db, fileOf("/etc/shadow", "x"))), "it lists a file"},
		"other folder":                          {packed(t, list(t, db, fileOf("etc/shadow", "x"))), "it lists a file"},
		"twice":                                 {packed(t, list(t, db, ca, ca), file(Database, "db"), file(PKI+"/ca.key", "key"), file(PKI+"/ca.key", "key")), "exists"},
		"link":                                  {packed(t, list(t, db, ca), file(Database, "db"), link), "belongs"},
		"other name":                            {packed(t, list(t, db, ca), file(Database, "db"), file(PKI+"/sa.key", "key")), "belongs"},
		"other content":                         {packed(t, list(t, db, ca), file(Database, "db"), file(PKI+"/ca.key", "kex")), "sha256"},
		"missing":                               {packed(t, list(t, db, ca), file(Database, "db")), "cut short"},
		"not in the list":                       {packed(t, list(t, db), file(Database, "db"), file(PKI+"/ca.key", "key")), "not in its list"},
		"keys of Secrets' encryption elsewhere": {packed(t, file(metaName, `{"format":1,"encryption":"/root/.ssh/authorized_keys","files":[{"name":"database","size":2,"sha256":"`+db.SHA256+`"}]}`)), "not below /etc"},
		"unpacks without an end":                {bomb(t), "belongs"},
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

// bomb is a small archive, whose database would be gigabytes.
func bomb(t testing.TB) []byte {
	t.Helper()
	return packed(t, list(t, fileOf(Database, "db")), file(Database, strings.Repeat("\x00", 64<<20)))
}

// TestRefusedBeforeRead: who refuses an archive by its list is given nothing of it.
func TestRefusedBeforeRead(t *testing.T) {
	refused := errors.New("of another cluster")
	into := folder(t, nil)
	_, err := Read(bytes.NewReader(archive(t)), into, func(Meta) error { return refused })
	if _, statErr := os.Stat(into + "/" + Database); statErr == nil {
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
	if err := errors.Join(Write(w, &m, folder(t, contents)), w.Close()); err != nil {
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
