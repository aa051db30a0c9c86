package bundle

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func onFrame(name, want string, frame func(plain []byte) []byte) trick {
	return onKubelet("frame: "+name, want, func(p *part) { p.frame = frame })
}

// frameTricks are frames that hold something else than the index says, or can't be unpacked.
func frameTricks() []trick {
	good := packFrame
	tricks := []trick{
		onFrame("skippable frame alone", "unpack: EOF", func([]byte) []byte { return skippable(2000) }),
		onFrame("skippable frame of 4 GiB", "unpack: ", func([]byte) []byte {
			return append([]byte("\x50\x2a\x4d\x18\xff\xff\xff\xff"), make([]byte, 64)...)
		}),
		onFrame("garbage behind", "magic number", func(b []byte) []byte { return append(good(b), "garbage"...) }),
		onFrame("says less than it holds", "frame size", func(b []byte) []byte {
			return handFrame(uint64(len(b))-512, 20, rawBlocks(b, true))
		}),
		onFrame("says more than it holds", "frame size", func(b []byte) []byte {
			return handFrame(uint64(len(b))+512, 20, rawBlocks(b, true))
		}),
		onFrame("says 2^63 bytes", "frame size", func(b []byte) []byte {
			return handFrame(1<<63, 20, rawBlocks(b, true))
		}),
		onFrame("holds more than it says", "frame size", func(b []byte) []byte {
			return handFrame(uint64(len(b)), 20, rawBlocks(b, false), zeroBlock(maxBlock, true))
		}),
		onFrame("holds one byte more", "frame size", func(b []byte) []byte {
			return handFrame(uint64(len(b)), 20, rawBlocks(b, false), zeroBlock(1, true))
		}),
		onFrame("holds less than it says", "size", func(b []byte) []byte {
			return handFrame(uint64(len(b)), 20, rawBlocks(b[:len(b)-512], true))
		}),
		onFrame("holds nothing", "size", func(b []byte) []byte {
			return handFrame(uint64(len(b)), 20, blockHead(0, 0, true))
		}),
		onFrame("bomb behind the content", "frame size", func(b []byte) []byte {
			bomb := bytes.Repeat(zeroBlock(maxBlock, false), 200) // 26 MB of 800 bytes
			return handFrame(uint64(len(b)), 20, rawBlocks(b, false), bomb, zeroBlock(1, true))
		}),
		onFrame("bomb of an honest size", badHeader, func(b []byte) []byte {
			bomb := bytes.Repeat(zeroBlock(maxBlock, false), 200)
			return handFrame(uint64(len(b)+200*maxBlock), 20, bomb, rawBlocks(b, true))
		}),
		onFrame("window of 16 MiB", "window size", func(b []byte) []byte {
			return handFrame(uint64(len(b)), 24, rawBlocks(b, true))
		}),
		onFrame("window of 2 TiB", "window size", func(b []byte) []byte {
			return handFrame(uint64(len(b)), 41, rawBlocks(b, true))
		}),
		onFrame("window is a content of 4 GiB", "exceeds configured limit", func(b []byte) []byte {
			head := append([]byte(zstdMagic), 0b1010_0000, 0xff, 0xff, 0xff, 0xff)
			return append(head, rawBlocks(b, true)...)
		}),
		onFrame("dictionary", "dictionary", func(b []byte) []byte {
			head := append([]byte(zstdMagic), 0b1000_0001, 80, 7, byte(len(b)), byte(len(b)>>8), 0, 0)
			return append(head, rawBlocks(b, true)...)
		}),
		onFrame("reserved bit", "reserved bit", func(b []byte) []byte { f := raw(b); f[4] |= 8; return f }),
		onFrame("reserved type of block", "reserved block type", func(b []byte) []byte {
			return handFrame(uint64(len(b)), 20, blockHead(3, len(b), true), b)
		}),
		onFrame("block over 128 KiB", "window size", func(b []byte) []byte {
			return handFrame(uint64(len(b)), 20, blockHead(1, maxBlock+1, false), []byte{0}, rawBlocks(b, true))
		}),
		onFrame("endless empty blocks", "packed size", func(b []byte) []byte {
			return handFrame(uint64(len(b)), 20, bytes.Repeat(blockHead(0, 0, false), 2000), rawBlocks(b, true))
		}),
		onFrame("no last block", "EOF", func(b []byte) []byte {
			return handFrame(uint64(len(b)), 20, rawBlocks(b, false))
		}),
		onFrame("block is not compressed data", "corrupt", func(b []byte) []byte {
			return handFrame(uint64(len(b)), 20, blockHead(2, len(b), true), b)
		}),
		onFrame("checksum is wrong", "CRC", func(b []byte) []byte { f := good(b); f[len(f)-1] ^= 1; return f }),
		onFrame("checksum cut off", "EOF", func(b []byte) []byte {
			f := good(b)
			return f[:len(f)-4]
		}),
		onFrame("no zstd: plain tar", "magic", func(b []byte) []byte { return b }),
		onFrame("no zstd: gzip", "magic", gzipped),
		onFrame("no zstd: zeros", "magic", func([]byte) []byte { return make([]byte, 2000) }),
		onFrame("old zstd", "magic", func(b []byte) []byte { f := good(b); f[0] = 0x27; return f }),
		onFrame("cut short", "EOF", func(b []byte) []byte { return good(b)[:20] }),
		onFrame("bit flipped in its data", "entry", flipMiddle),
	}
	return slices.Concat(tricks, headTricks())
}

// TestOtherFrames: frames that Build does not make, and that unpack to what the index says,
// do no harm.
func TestOtherFrames(t *testing.T) {
	empty := handFrame(0, 20, blockHead(0, 0, true))
	for name, frame := range map[string]func(plain []byte) []byte{
		"skippable frame before": func(b []byte) []byte { return append(skippable(64), packFrame(b)...) },
		"skippable frame behind": func(b []byte) []byte { return append(packFrame(b), skippable(64)...) },
		"empty frame behind":     func(b []byte) []byte { return append(packFrame(b), empty...) },
		"empty frame before":     func(b []byte) []byte { return append(empty, packFrame(b)...) },
		"in two frames":          func(b []byte) []byte { return append(packFrame(b[:512]), packFrame(b[512:])...) },
		"no size": func(b []byte) []byte {
			f := raw(b)
			return append(append([]byte(zstdMagic), 0, f[5]), f[14:]...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForgery()
			f.parts[0].frame = frame
			dir := t.TempDir()
			if err := install(t, f.bytes(), dir); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(dir, kubelet))
			if err != nil || !bytes.Equal(got, f.parts[0].content) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

func gzipped(data []byte) []byte {
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	w.Write(data)
	w.Close()
	return buf.Bytes()
}

func flipMiddle(data []byte) []byte {
	f := packFrame(data)
	f[len(f)/2] ^= 0x10
	return f
}

// headTricks are on the member of the index itself.
func headTricks() []trick {
	onHead := func(name, want string, do func(*part)) trick {
		return trick{"index member: " + name, "", want, func(f *forgery) {
			f.head = func(plain []byte) []byte {
				p := newPart(indexName, bytes.TrimRight(plain[tarBlock:], "\x00"))
				do(p)
				return p.bytes()
			}
		}}
	}
	return []trick{
		onHead("symbolic link", misfit, func(p *part) { p.block = setField(offType, "2") }),
		onHead("other name", misfit, func(p *part) { p.block = setField(offName, "index.JSON") }),
		onHead("name with a dot", misfit, func(p *part) { p.block = setField(offName, "./index.json") }),
		onHead("mode", misfit, func(p *part) { p.header.Mode = 0o4755 }),
		onHead("owner", misfit, func(p *part) { p.header.Uid = 1000 }),
		onHead("data in the padding", misfit, func(p *part) { p.padding[0] = 'x' }),
		onHead("padding missing", misfit, func(p *part) { p.padding = nil }),
		onHead("size lies, larger", misfit, func(p *part) { p.block = setField(offSize, "00000777777") }),
		onHead("size negative", "tar", func(p *part) { p.block = setField(offSize, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff") }),
		onHead("second member", misfit, func(p *part) { p.padding = append(p.padding, newPart("x", []byte("x")).plain()...) }),
		onHead("record before it", "cannot unmarshal", func(p *part) {
			p.block = func(b []byte) []byte { return append(record("x", pax("path", "other")), b...) }
		}),
		onHead("not zstd", "not a bundle", func(p *part) { p.frame = gzipped }),
		onHead("window of 2 TiB", "window size", func(p *part) {
			p.frame = func(b []byte) []byte { return handFrame(uint64(len(b)), 41, rawBlocks(b, true)) }
		}),
		onHead("bomb", "invalid character", func(p *part) {
			p.frame = func(b []byte) []byte {
				return handFrame(4<<30, 20, bytes.Repeat(zeroBlock(maxBlock, false), 32767), zeroBlock(maxBlock, true))
			}
		}),
		onHead("bomb that says less", misfit, func(p *part) {
			p.frame = func(b []byte) []byte {
				return handFrame(uint64(len(b)), 20, rawBlocks(b, false), bytes.Repeat(zeroBlock(maxBlock, false), 8000), zeroBlock(1, true))
			}
		}),
		onHead("shorter than a header", "invalid character", func(p *part) {
			p.frame = func(b []byte) []byte { return packFrame(b[:300]) }
		}),
	}
}
