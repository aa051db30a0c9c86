package bundle

import (
	"encoding/binary"
	"math"
	"slices"
)

func onFile(name, entry, want string, do func(data []byte, at []int) []byte) trick {
	return trick{"file: " + name, entry, want, func(f *forgery) { f.file = do }}
}

// Why a file is refused as a whole.
const (
	noEnd  = "it does not end as a bundle does"
	misfit = "does not fit what is in the file"
)

func onTrailer(name, want string, trailer []byte) trick {
	return trick{"trailer: " + name, "", want, func(f *forgery) { f.trailer = trailer }}
}

// fileTricks cut and paste the whole file. Frames 1 to 4 are the entries, 5 the trailer.
func fileTricks() []trick {
	end := make([]byte, 2*tarBlock)
	bridge := "cni/bridge"
	cut := func(name, entry, want string, where func(at []int) int) trick {
		return onFile("cut "+name, entry, want, func(d []byte, at []int) []byte { return d[:where(at)] })
	}
	paste := func(name, entry, want string, frame int, piece []byte) trick {
		return onFile(name, entry, want, func(d []byte, at []int) []byte { return slices.Insert(d, at[frame], piece...) })
	}
	return []trick{
		cut("to nothing", "", "not a bundle", func([]int) int { return 0 }),
		cut("to a few bytes", "", "not a bundle", func([]int) int { return 3 }),
		cut("in the first header", "", noEnd, func([]int) int { return 6 }),
		cut("in the index", "", noEnd, func(at []int) int { return at[1] / 2 }),
		cut("after the index", "", noEnd, func(at []int) int { return at[1] }),
		cut("in an entry", "", noEnd, func(at []int) int { return at[3] - 1 }),
		cut("between entries", "", noEnd, func(at []int) int { return at[4] }),
		cut("before the trailer", "", noEnd, func(at []int) int { return at[5] }),
		cut("in the trailer's header", "", noEnd, func(at []int) int { return at[5] + 5 }),
		cut("by one byte", "", noEnd, func(at []int) int { return at[6] - 1 }),
		paste("byte behind the end", "", noEnd, 6, []byte{0}),
		paste("zeros behind the end", "", noEnd, 6, end),
		paste("trailer twice", "", misfit, 6, packFrame(end)),
		paste("skippable frame at the end", "", noEnd, 6, skippable(10)),
		paste("second bundle at the end", "", misfit, 6, newForgery().bytes()),
		paste("member behind the trailer", "", noEnd, 6, packFrame(newPart("etc-passwd", []byte("x")).plain())),
		paste("member before the trailer", "", misfit, 5, packFrame(newPart("etc-passwd", []byte("x")).plain())),
		paste("skippable frame before the trailer", "", misfit, 5, skippable(10)),
		paste("byte between entries", "", misfit, 2, []byte{0}),
		paste("skippable frame before the index", "", "not a bundle", 0, skippable(10)),
		paste("text before the index", "", "not a bundle", 0, []byte("#!/bin/sh\n")),
		paste("program before the index", "", "not a bundle", 0, []byte(elfMagic)),
		onFile("index gone", "", "invalid character", func(d []byte, at []int) []byte { return d[at[1]:] }),
		onFile("index at the end", "", noEnd, func(d []byte, at []int) []byte { return append(d[at[1]:], d[:at[1]]...) }),
		onFile("an entry's place filled with zeros", bridge, "magic", func(d []byte, at []int) []byte { clear(d[at[3]:at[4]]); return d }),
		onFile("bit flipped in the index", "", "index.json", func(d []byte, at []int) []byte { d[at[1]/2] ^= 1; return d }),
		onFile("bit flipped in the trailer", "", noEnd, func(d []byte, at []int) []byte { d[at[6]-1] ^= 1; return d }),
		onTrailer("missing", noEnd, nil),
		onTrailer("one block", noEnd, packFrame(end[:tarBlock])),
		onTrailer("three blocks", noEnd, packFrame(append(end, end[:tarBlock]...))),
		onTrailer("a member instead", noEnd, packFrame(newPart("x", randomBytes(1, 512)).plain())),
		onTrailer("not zeros", noEnd, packFrame(randomBytes(1, 2*tarBlock))),
		onTrailer("not packed", noEnd, end),
		onTrailer("bomb", noEnd, handFrame(2*tarBlock, 20, zeroBlock(2*tarBlock, false), zeroBlock(maxBlock, true))),
	}
}

// boxTricks are executables whose attached bundle is not what the trailer says.
func boxTricks() []trick {
	program := tinyProgram("amd64", true)
	box := func(name, want string, length func(size int) uint64) trick {
		return onFile("box: "+name, "", want, func(d []byte, _ []int) []byte {
			whole := append(slices.Clone(program), d...)
			whole = append(whole, boxMagic...)
			return binary.BigEndian.AppendUint64(whole, length(len(d)))
		})
	}
	return []trick{
		box("length zero", "does not fit", func(int) uint64 { return 0 }),
		box("length of more than the file", "does not fit", func(n int) uint64 { return uint64(n + len(program) + 1) }),
		box("length overflows", "does not fit", func(int) uint64 { return math.MaxUint64 }),
		box("length negative", "does not fit", func(int) uint64 { return 1 << 63 }),
		box("length in the other byte order", "does not fit", func(n int) uint64 { return uint64(n) << 40 }),
		box("length one less", "magic", func(n int) uint64 { return uint64(n - 1) }),
		box("length one more", "magic", func(n int) uint64 { return uint64(n + 1) }),
		box("the whole file as the bundle", "magic", func(n int) uint64 { return uint64(n + len(program)) }),
		onFile("box: magic spoilt", "", "is damaged at its end", func(d []byte, _ []int) []byte {
			whole := append(append(slices.Clone(program), d...), "\x89BOX\n\x1a\n\x00"...)
			return binary.BigEndian.AppendUint64(whole, uint64(len(d)))
		}),
		onFile("box: trailer cut short", "", "is damaged at its end", func(d []byte, _ []int) []byte {
			whole := append(append(slices.Clone(program), d...), boxMagic...)
			return append(whole, 0, 0, 0, 0)
		}),
		onFile("box: bundle cut short", "", noEnd, func(d []byte, _ []int) []byte {
			d = d[:len(d)-9]
			whole := append(append(slices.Clone(program), d...), boxMagic...)
			return binary.BigEndian.AppendUint64(whole, uint64(len(d)))
		}),
		onFile("box: program only", "", "not a bundle", func([]byte, []int) []byte { return program }),
	}
}
