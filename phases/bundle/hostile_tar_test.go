package bundle

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

const kubelet = "bin/kubelet"

// Why a member is refused.
const (
	badHeader = "its tar header is not the one"
	badRest   = "up to the next block"
)

// Where the fields of a tar header lie.
const (
	offName, offMode, offUID, offGID, offSize, offMtime    = 0, 100, 108, 116, 124, 136
	offSum, offType, offLink, offMagic, offUname, offGname = 148, 156, 157, 257, 265, 297
	offMajor, offPrefix, offSpare                          = 329, 345, 500
)

func onKubelet(name, want string, do func(*part)) trick {
	return trick{name, kubelet, want, func(f *forgery) { do(f.parts[0]) }}
}

// headerTricks are members that are not plain files, or more than that.
func headerTricks() []trick {
	tricks := slices.Concat(typeTricks(), recordTricks(), fieldTricks())
	return append(tricks,
		onKubelet("header checksum is wrong", badHeader, func(p *part) {
			p.block = func(b []byte) []byte { b[offSum] ^= 1; return b }
		}),
		onKubelet("header is all zeros, the end of a tar", badHeader, func(p *part) {
			p.block = func(b []byte) []byte { clear(b); return b }
		}),
		onKubelet("no header, content only", badHeader, func(p *part) {
			p.block = func([]byte) []byte { return nil }
		}),
		onKubelet("data in the padding", badRest, func(p *part) {
			p.padding[len(p.padding)-1] = 1
		}),
		onKubelet("padding missing", badRest, func(p *part) { p.padding = nil }),
		onKubelet("a block of padding too many", badRest, func(p *part) {
			p.padding = append(p.padding, make([]byte, tarBlock)...)
		}),
		onKubelet("a second member hidden behind the first", badRest, func(p *part) {
			extra := newPart("etc-passwd", []byte("x"))
			p.frame = func(b []byte) []byte { return packFrame(append(b, extra.plain()...)) }
		}),
		onKubelet("a second member hidden before the first", badHeader, func(p *part) {
			extra := newPart("etc-passwd", []byte("x"))
			p.frame = func(b []byte) []byte { return packFrame(append(extra.plain(), b...)) }
		}),
	)
}

func typeTricks() []trick {
	kinds := map[string]string{
		"hard link": "1", "symbolic link": "2", "character device": "3", "block device": "4",
		"directory": "5", "fifo": "6", "contiguous file": "7", "old-style file": "\x00",
		"sparse file": "S", "directory dump": "D", "continued volume": "M", "volume label": "V",
		"extended header": "x", "global extended header": "g", "long name": "L", "long link": "K",
		"unknown type": "Z",
	}
	var tricks []trick
	for name, flag := range kinds {
		tricks = append(tricks, onKubelet("tar type "+name, badHeader, func(p *part) {
			p.block = func(b []byte) []byte {
				return setField(offLink, "/etc/shadow")(setField(offType, flag)(b))
			}
		}))
	}
	return tricks
}

// recordTricks put records before the header that change how other readers see it.
func recordTricks() []trick {
	records := map[string][]byte{
		"extended path":       record("x", pax("path", "../../etc/passwd")),
		"extended link":       record("x", pax("linkpath", "/etc/shadow")),
		"extended size":       record("x", pax("size", "7")),
		"extended sparse map": record("x", pax("GNU.sparse.major", "1")),
		"capabilities":        record("x", pax("SCHILY.xattr.security.capability", "x")),
		"global path":         record("g", pax("path", "../../etc/passwd")),
		"GNU long name":       record("L", strings.Repeat("../", 100)+"etc/passwd\x00"),
		"GNU long link":       record("K", "/etc/shadow\x00"),
	}
	var tricks []trick
	for name, blocks := range records {
		tricks = append(tricks, onKubelet("record before the header: "+name, badHeader, func(p *part) {
			p.block = func(b []byte) []byte { return append(blocks, b...) }
		}))
	}
	return tricks
}

func record(kind, content string) []byte {
	p := newPart("record", []byte(content))
	p.block = setField(offType, kind)
	return p.plain()
}

func pax(key, value string) string {
	line := " " + key + "=" + value + "\n"
	return fmt.Sprintf("%d%s", len(line)+2, line) // lines of 8 to 97 bytes
}

func fieldTricks() []trick {
	fields := []struct {
		name  string
		off   int
		value string
	}{
		{"setuid", offMode, "0004755\x00"},
		{"sticky", offMode, "0001644\x00"},
		{"writable by all", offMode, "0000666\x00"},
		{"file type bits in the mode", offMode, "0120644\x00"},
		{"mode spelt otherwise", offMode, " 000644\x00"},
		{"owner", offUID, "0001750\x00"},
		{"group", offGID, "0001750\x00"},
		{"owner's name", offUname, "daemon"},
		{"group's name", offGname, "daemon"},
		{"time", offMtime, fmt.Sprintf("%011o", time.Now().Unix())},
		{"device number on a file", offMajor, "0000001\x00"},
		{"link target on a file", offLink, "/etc/shadow"},
		{"GNU magic", offMagic, "ustar  \x00"},
		{"no magic", offMagic, "\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"data in the spare bytes", offSpare, "hello"},
		{"size too small", offSize, fmt.Sprintf("%011o", 2999)},
		{"size too large", offSize, fmt.Sprintf("%011o", 3001)},
		{"size zero", offSize, "00000000000"},
		{"size in base 256", offSize, "\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0b\xb8"},
		{"size negative", offSize, strings.Repeat("\xff", 12)},
		{"size not a number", offSize, "hello-world\x00"},
	}
	var tricks []trick
	for _, f := range fields {
		tricks = append(tricks, onKubelet("tar header: "+f.name, badHeader, func(p *part) {
			p.block = setField(f.off, f.value)
		}))
	}
	return tricks
}

// nameTricks are names in the tar that differ from the index.
func nameTricks() []trick {
	names := map[string]string{
		"parent": "../kubelet", "parent inside": "bin/../kubelet", "absolute": "/bin/kubelet",
		"dot": "./bin/kubelet", "two slashes": "bin//kubelet", "slash at the end": "bin/kubelet/",
		"backslash": "bin\\kubelet", "newline": "bin/kubelet\n", "escape": "bin/\x1b[2Jkubelet",
		"other case": "bin/Kubelet", "lookalike letter": "bin/k\u0443belet", "another entry's": "bin/kubectl",
		"not in the index": "bin/other", "the index's": indexName, "bad encoding": "bin/\xff\xfe",
		"text after the NUL": "bin/kubelet\x00x", "empty": "\x00",
	}
	var tricks []trick
	for name, value := range names {
		tricks = append(tricks, onKubelet("name in the tar: "+name, badHeader, func(p *part) {
			p.block = func(b []byte) []byte {
				clear(b[offName:offMode])
				return setField(offName, value)(b)
			}
		}))
	}
	prefix := onKubelet("name in the tar: prefix field", badHeader, func(p *part) {
		p.block = setField(offPrefix, "../../etc")
	})
	overlong := onKubelet("name in the tar: fills its field", badHeader, func(p *part) {
		p.block = setField(offName, strings.Repeat("a", maxPath))
	})
	return append(tricks, prefix, overlong)
}
