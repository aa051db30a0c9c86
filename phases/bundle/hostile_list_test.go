package bundle

import (
	"slices"
	"strings"
)

// listTricks make the list of entries and the file disagree.
func listTricks() []trick {
	twice := func(name, want string, e Entry, do func(*Entry)) trick {
		do(&e)
		return trick{"list: " + name, e.Path, want, func(f *forgery) {
			f.parts = append(f.parts, newPart(e.Path, f.parts[0].content))
			f.late = func(i *Index) {
				extra := i.Entries[0]
				do(&extra)
				extra.Packed = int64(len(f.parts[len(f.parts)-1].bytes()))
				i.Entries = append(i.Entries, extra)
			}
		}}
	}
	return []trick{
		twice("entry twice", "twice", Entry{Path: kubelet}, func(*Entry) {}),
		twice("entry twice, other version", "twice", Entry{Path: kubelet}, func(e *Entry) { e.Version = "v2" }),
		twice("two images, one path", "twice", Entry{}, func(e *Entry) {
			e.Kind, e.Name, e.Path = Image, "other.test/etcd:1", "images/etcd.tar"
		}),
		{"list: last entry not in the index", "", misfit, func(f *forgery) {
			f.late = func(i *Index) { i.Entries = i.Entries[:3] }
		}},
		{"list: first entry not in the index", "", misfit, func(f *forgery) {
			f.late = func(i *Index) { i.Entries = i.Entries[1:] }
		}},
		{"list: entry not in the file", "", misfit, func(f *forgery) {
			f.late = func(i *Index) {
				extra := i.Entries[3]
				extra.Kind, extra.Name, extra.Path = Binary, "other", "bin/other"
				i.Entries = append(i.Entries, extra)
			}
		}},
		{"list: an entry less in the file", "", misfit, func(f *forgery) {
			f.file = func(data []byte, at []int) []byte { return slices.Delete(data, at[1], at[2]) }
		}},
		{"list: order changed in the index", "cni/bridge", badHeader, func(f *forgery) {
			f.late = func(i *Index) { i.Entries[2], i.Entries[0] = i.Entries[0], i.Entries[2] }
		}},
		{"list: order changed in the file", kubelet, badHeader, func(f *forgery) {
			f.parts[0].frame, f.parts[1].frame = raw, raw // frames of one length
			f.parts[0], f.parts[1] = f.parts[1], f.parts[0]
		}},
		{"list: another entry's content", kubelet, "sha256 is", func(f *forgery) {
			f.parts[0].content = f.parts[1].content
		}},
		{"list: too large in all", "bin/p4", "makes the bundle larger", func(f *forgery) {
			f.late = func(i *Index) {
				i.Entries = nil
				for n := range 5 {
					name := "p" + string(rune('0'+n))
					i.Entries = append(i.Entries, Entry{
						Path: "bin/" + name, Kind: Binary, Name: name, Version: "v1",
						Size: maxSize, Packed: maxSize, SHA256: strings.Repeat("a", 64), PackedSHA256: strings.Repeat("a", 64),
					})
				}
			}
		}},
		{"list: boundary moved back", kubelet, "EOF", func(f *forgery) {
			f.late = func(i *Index) { i.Entries[0].Packed--; i.Entries[1].Packed++ }
		}},
		{"list: boundary moved on", kubelet, "unexpected EOF", func(f *forgery) {
			f.late = func(i *Index) { i.Entries[0].Packed++; i.Entries[1].Packed-- }
		}},
		{"list: one entry over two frames", kubelet, badRest, func(f *forgery) {
			f.late = func(i *Index) {
				i.Entries[0].Packed += i.Entries[1].Packed
				i.Entries = slices.Delete(i.Entries, 1, 2)
			}
		}},
	}
}

// raw packs into blocks that are not compressed, so that length shows nothing.
func raw(data []byte) []byte {
	return handFrame(uint64(len(data)), 20, rawBlocks(data, true))
}
