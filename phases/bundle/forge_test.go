package bundle

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
)

// forgery is a bundle in the making. Left alone it is good; a trick spoils one thing.
type forgery struct {
	index   Index
	parts   []*part
	late    func(*Index)                       // after sizes and hashes are filled in
	json    func(string) string                // on the index as text
	head    func(tarBytes []byte) []byte       // makes the index's frame
	trailer []byte                             // the last frame
	file    func(data []byte, at []int) []byte // on the whole; where each frame begins, and the end
}

// part is one member: header, content and padding, which frame packs.
type part struct {
	header  tar.Header
	content []byte
	padding []byte
	block   func([]byte) []byte // on the header's bytes
	frame   func([]byte) []byte
}

func newForgery() *forgery { return newForgeryOf(200_000) }

// newForgeryOf has an image of this size; 200 kB are more than one block of zstd.
func newForgeryOf(image int) *forgery {
	f := &forgery{head: packFrame, trailer: []byte(tarEnd)}
	f.index = Index{Schema: Schema, Kubernetes: "v1.36.3", Arch: "amd64"}
	f.add(Binary, "kubelet", 3000)
	f.add(Binary, "kubectl", 3000)
	f.add(CNI, "bridge", 5000)
	f.add(Image, "example.test/etcd:3.6.8-0", image)
	return f
}

func (f *forgery) add(kind Kind, name string, size int) *part {
	path, _ := pathOf(kind, name)
	p := newPart(path, randomBytes(len(f.parts), size))
	f.parts = append(f.parts, p)
	f.index.Entries = append(f.index.Entries, Entry{
		Path: path, Kind: kind, Name: name, Version: "v1", Size: int64(size), SHA256: sumOf(p.content),
	})
	return p
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func newPart(path string, content []byte) *part {
	return &part{
		header: tar.Header{
			Typeflag: tar.TypeReg, Name: path, Size: int64(len(content)),
			Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR,
		},
		content: content,
		padding: padding(int64(len(content))),
		block:   func(b []byte) []byte { return b },
		frame:   packFrame,
	}
}

// bytes is the whole file.
func (f *forgery) bytes() []byte {
	frames := make([][]byte, len(f.parts))
	for i, p := range f.parts {
		frames[i] = p.bytes()
		if i < len(f.index.Entries) {
			f.index.Entries[i].Packed = int64(len(frames[i]))
			f.index.Entries[i].PackedSHA256 = sumOf(frames[i])
		}
	}
	if f.late != nil {
		f.late(&f.index)
	}
	frames = append([][]byte{f.head(f.indexMember())}, frames...)
	data, at := []byte(nil), []int(nil)
	for _, frame := range append(frames, f.trailer) {
		at = append(at, len(data))
		data = append(data, frame...)
	}
	if f.file == nil {
		return data
	}
	return f.file(data, append(at, len(data)))
}

func (f *forgery) indexMember() []byte {
	text := indexText(f.index)
	if f.json != nil {
		text = f.json(text)
	}
	return newPart(indexName, []byte(text)).plain()
}

func indexText(i Index) string {
	data, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		panic(err)
	}
	return string(data) + "\n"
}

func (p *part) bytes() []byte { return p.frame(p.plain()) }

func (p *part) plain() []byte {
	var buf bytes.Buffer
	if err := tar.NewWriter(&buf).WriteHeader(&p.header); err != nil {
		panic(err)
	}
	return append(append(p.block(buf.Bytes()), p.content...), p.padding...)
}

// setField writes into a header block and mends its checksum.
func setField(off int, value string) func([]byte) []byte {
	return func(b []byte) []byte {
		copy(b[off:], value)
		return mendChecksum(b)
	}
}

func mendChecksum(b []byte) []byte {
	copy(b[148:156], "        ")
	sum := 0
	for _, c := range b[:tarBlock] {
		sum += int(c)
	}
	copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// fast is an encoder for many small frames: Build's own takes long to set up.
var fast = sync.OnceValue(func() *zstd.Encoder {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
	if err != nil {
		panic(err)
	}
	return enc
})

func packFrame(data []byte) []byte { return fast().EncodeAll(data, nil) }

// handFrame is a frame of our own making: an 8-byte content size, a window of 1<<log,
// no checksum, then the blocks.
func handFrame(size uint64, log byte, blocks ...[]byte) []byte {
	f := append([]byte(zstdMagic), 0b1100_0000, (log-10)<<3)
	f = binary.LittleEndian.AppendUint64(f, size)
	return append(f, bytes.Join(blocks, nil)...)
}

const maxBlock = 128 << 10 // of zstd

func rawBlocks(data []byte, last bool) []byte {
	var out []byte
	for len(data) > 0 {
		n := min(len(data), maxBlock)
		out = append(out, blockHead(0, n, last && n == len(data))...)
		out = append(out, data[:n]...)
		data = data[n:]
	}
	return out
}

func zeroBlock(n int, last bool) []byte { return append(blockHead(1, n, last), 0) }

func blockHead(kind, size int, last bool) []byte {
	v := size<<3 | kind<<1
	if last {
		v |= 1
	}
	return []byte{byte(v), byte(v >> 8), byte(v >> 16)}
}

func skippable(n int) []byte {
	f := []byte("\x50\x2a\x4d\x18")
	return append(binary.LittleEndian.AppendUint32(f, uint32(n)), make([]byte, n)...)
}

// pool packs about 2 to 1, as programs do.
var pool = sync.OnceValue(func() []byte {
	b := make([]byte, 1<<18)
	rand.NewChaCha8([32]byte{}).Read(b)
	for i := range b {
		b[i] = b[i]&0x0f + 'a'
	}
	return b
})

func randomBytes(seed, n int) []byte {
	off := seed * 1000
	return slices.Clone(pool()[off : off+n])
}

func replace(old, new string) func(string) string {
	return func(s string) string { return strings.Replace(s, old, new, 1) }
}

func boxBytes(program, data []byte) []byte {
	box := append(append(slices.Clone(program), data...), boxMagic...)
	return binary.BigEndian.AppendUint64(box, uint64(len(data)))
}
