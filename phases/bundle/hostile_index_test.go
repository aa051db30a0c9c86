package bundle

import (
	"math"
	"strings"
)

func onIndex(name, want string, do func(*Index)) trick {
	return trick{name, "", want, func(f *forgery) { f.late = do }}
}

func onText(name, want, old, new string) trick {
	return trick{name, "", want, func(f *forgery) { f.json = replace(old, new) }}
}

// indexTricks spoil the index as a whole.
func indexTricks() []trick {
	tricks := []trick{
		onIndex("schema of the future", "schema is 4", func(i *Index) { i.Schema = 4 }),
		onIndex("schema zero", "schema is 0", func(i *Index) { i.Schema = 0 }),
		onIndex("unknown architecture", "architecture", func(i *Index) { i.Arch = "mips" }),
		onIndex("no architecture", "architecture", func(i *Index) { i.Arch = "" }),
		onIndex("no Kubernetes version", "no Kubernetes version", func(i *Index) { i.Kubernetes = "" }),
		onIndex("terminal codes in the version", "no Kubernetes version", func(i *Index) { i.Kubernetes = "v1.36.3-\x1b[31m" }),
		onIndex("newline after the version", "no Kubernetes version", func(i *Index) { i.Kubernetes += "\n" }),
		onIndex("no entries", "no entries", func(i *Index) { i.Entries = []Entry{} }),
		onIndex("entries null", "no entries", func(i *Index) { i.Entries = nil }),
		onIndex("too many entries", "more than 1000", func(i *Index) {
			i.Entries = make([]Entry, maxEntries+1)
		}),
		onText("unknown field", misfit, `"arch"`, `"run": "rm", "arch"`),
		onText("unknown field in an entry", misfit, `"kind"`, `"mode": 1, "kind"`),
		onText("key twice", misfit, `"arch"`, `"arch": "arm64", "arch"`),
		onText("key twice in an entry", misfit, `"path"`, `"path": "bin/other", "path"`),
		onText("entries twice", misfit, `"entries"`, `"entries": [], "entries"`),
		onText("key in another case", misfit, `"sha256"`, `"SHA256"`),
		onText("key twice, in another case", misfit, `"arch"`, `"Arch": "arm64", "arch"`),
		onText("key missing", "schema is 0", `"schema": 3,`, ``),
		onText("escaped letter", misfit, `"bin/kubelet"`, `"bin\u002fkubelet"`),
		onText("other spacing", misfit, `"schema": 3`, `"schema":3`),
		onText("comment", "invalid character", `"schema": 3`, `/* */ "schema": 2`),
		onText("number with a fraction", "cannot unmarshal", `"schema": 3`, `"schema": 2.5`),
		onText("number with an exponent", "cannot unmarshal", `"schema": 3`, `"schema": 2e0`),
		onText("number as a string", "cannot unmarshal", `"schema": 3`, `"schema": "2"`),
		onText("number too large", "cannot unmarshal", `"size": 3000`, `"size": 18446744073709551617`),
		{"entry is null", "", "unknown kind", func(f *forgery) {
			f.json = replace(`"entries": [`, `"entries": [null,`)
		}},
		onText("byte order mark", "invalid character", `{`, "\ufeff{"),
		onText("bad encoding", "no Kubernetes version", `v1.36.3`, "v1.36.3-\xff"),
		onText("cut short", "invalid character", "\n}\n", ""),
		onText("second document", misfit, "\n}\n", "\n}\n{}\n"),
		onText("text after the end", misfit, "\n}\n", "\n}\nrm -rf"),
		onText("no newline at the end", misfit, "\n}\n", "\n}"),
		whole("empty", "invalid character", ""),
		whole("a list", "cannot unmarshal", "[]"),
		whole("null", "schema is 0", "null"),
		whole("not JSON", "invalid character", "schema: 2\n"),
		whole("nested deeply", "exceeded max depth", strings.Repeat(`{"entries":[`, 20_000)),
		whole("over the limit", "index.json: EOF", strings.Repeat(" ", maxIndex)+"{}"),
	}
	for n := range tricks {
		tricks[n].name = "index: " + tricks[n].name
	}
	return tricks
}

func whole(name, want, text string) trick {
	return trick{name, "", want, func(f *forgery) { f.json = func(string) string { return text } }}
}

// onEntry spoils the first entry in the index; the error names it by its path, whatever
// that has become.
func onEntry(name, want string, do func(*Entry)) trick {
	e := Entry{Path: kubelet}
	do(&e)
	return trick{"index entry: " + name, e.Path, want, func(f *forgery) {
		f.late = func(i *Index) { do(&i.Entries[0]) }
	}}
}

func onBoth(name, want, path, base string) trick {
	return onEntry(name, want, func(e *Entry) { e.Path, e.Name = path, base })
}

func asImage(name, want, ref string) trick {
	return onEntry(name, want, func(e *Entry) { e.Kind, e.Name, e.Path = Image, ref, "images/etcd.tar" })
}

// entryTricks spoil one entry of the index.
func entryTricks() []trick {
	tricks := []trick{
		onBoth("parent folder", "unusable name", "bin/../../etc/passwd", "../../etc/passwd"),
		onBoth("two dots", "unusable name", "bin/..", ".."),
		onBoth("two dots inside", "unusable name", "bin/a..b", "a..b"),
		onBoth("absolute", "unusable name", "/etc/passwd", "/etc/passwd"),
		onBoth("folder below", "unusable name", "bin/sub/kubelet", "sub/kubelet"),
		onBoth("backslash", "unusable name", `bin/a\b`, `a\b`),
		onBoth("NUL", "unusable name", "bin/kubelet\x00", "kubelet\x00"),
		onBoth("newline", "unusable name", "bin/kubelet\n", "kubelet\n"),
		onBoth("delete character", "unusable name", "bin/kubelet\x7f", "kubelet\x7f"),
		onBoth("direction mark", "unusable name", "bin/\u202ekubelet", "\u202ekubelet"),
		onBoth("hidden file", "unusable name", "bin/.profile", ".profile"),
		onBoth("looks like an option", "unusable name", "bin/-rf", "-rf"),
		onBoth("blank", "unusable name", "bin/kube let", "kube let"),
		onBoth("upper case", "unusable name", "bin/Kubelet", "Kubelet"),
		onBoth("overlong", "path longer", "bin/"+strings.Repeat("a", maxPath), strings.Repeat("a", maxPath)),
		onEntry("name empty", "unusable name", func(e *Entry) { e.Name = "" }),
		onEntry("path is not the name's", "belongs at", func(e *Entry) { e.Path = "bin/kubectl" }),
		onEntry("path in another folder", "belongs at", func(e *Entry) { e.Path = "cni/kubelet" }),
		onEntry("path is the index's", "belongs at", func(e *Entry) { e.Path = indexName }),
		onEntry("path with a dot", "belongs at", func(e *Entry) { e.Path = "./bin/kubelet" }),
		onEntry("kind of another folder", "belongs at", func(e *Entry) { e.Kind = CNI }),
		onEntry("kind unknown", "unknown kind", func(e *Entry) { e.Kind = "script" }),
		onEntry("kind empty", "unknown kind", func(e *Entry) { e.Kind = "" }),
		onEntry("kind in another case", "unknown kind", func(e *Entry) { e.Kind = "Binary" }),
		onEntry("version empty", "unusable version", func(e *Entry) { e.Version = "" }),
		onEntry("version with terminal codes", "unusable version", func(e *Entry) { e.Version = "v1\x1b[2J" }),
		asImage("image without a tag", "unusable name", "example.test/etcd"),
		asImage("image without a host", "unusable name", "etcd:1"),
		asImage("image with blanks", "unusable name", "example.test/etcd :1"),
		asImage("image with a parent folder", "unusable name", "example.test/../etcd:1"),
		asImage("image overlong", "unusable name", "example.test/"+strings.Repeat("a", 300)+":1"),
		asImage("image of another path", "belongs at", "example.test/pause:1"),
		onEntry("size zero", "size 0", func(e *Entry) { e.Size = 0 }),
		onEntry("size negative", "size -1", func(e *Entry) { e.Size = -1 }),
		onEntry("size over the limit", "not from 1", func(e *Entry) { e.Size = maxSize + 1 }),
		onEntry("size overflows", "not from 1", func(e *Entry) { e.Size = math.MaxInt64 }),
		onEntry("unpacks to far more", "200 times", func(e *Entry) { e.Size = maxSize }),
		onEntry("size one less", badHeader, func(e *Entry) { e.Size -= 512 }),
		onEntry("size within the padding", badHeader, func(e *Entry) { e.Size++ }),
		onEntry("hash of something else", "sha256 is", func(e *Entry) { e.SHA256 = strings.Repeat("a", 64) }),
		onEntry("hash empty", "sha256 is not", func(e *Entry) { e.SHA256 = "" }),
		onEntry("hash short", "sha256 is not", func(e *Entry) { e.SHA256 = strings.Repeat("a", 63) }),
		onEntry("hash long", "sha256 is not", func(e *Entry) { e.SHA256 = strings.Repeat("a", 65) }),
		onEntry("hash in capitals", "sha256 is not", func(e *Entry) { e.SHA256 = strings.Repeat("A", 64) }),
		onEntry("hash is not hex", "sha256 is not", func(e *Entry) { e.SHA256 = strings.Repeat("g", 64) }),
		onEntry("hash with a prefix", "sha256 is not", func(e *Entry) { e.SHA256 = "sha256:" + e.SHA256 }),
		onEntry("packed hash empty", "sha256 is not", func(e *Entry) { e.PackedSHA256 = "" }),
		onEntry("packed zero", "packed size", func(e *Entry) { e.Packed = 0 }),
		onEntry("packed negative", "packed size", func(e *Entry) { e.Packed = -5 }),
		onEntry("packed overflows", "packed size", func(e *Entry) { e.Packed = math.MaxInt64 }),
	}
	noPath := trick{"index entry: path empty", "", "belongs at", func(f *forgery) {
		f.late = func(i *Index) { i.Entries[0].Path = "" }
	}}
	return append(append(tricks, noPath), listTricks()...)
}
