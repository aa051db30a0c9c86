package bundle

import (
	"context"
	"testing"
)

// FuzzOpen: whatever opens has lawful entries, and what verifies reads to the end.
// Run with -fuzzminimizetime 1x: members are read in parallel, so that coverage wavers
// and minimizing would not end.
func FuzzOpen(f *testing.F) {
	good := newForgeryOf(600).bytes()
	f.Add(good)
	f.Add(boxBytes([]byte(elfMagic), good))
	f.Add(good[:len(good)/2])
	for _, k := range []int{0, 1, 2} {
		forged := newForgeryOf(600)
		frameTricks()[k].do(forged)
		f.Add(forged.bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Open(writeFile(t, fileName, data))
		if err != nil {
			return
		}
		defer b.Close()
		if err := b.index.validate(); err != nil {
			t.Fatalf("opened, and yet: %v", err)
		}
		if b.Verify(context.Background()) != nil {
			return
		}
		for _, e := range b.Index().Entries {
			got, err := readEntry(b, e)
			if err != nil || int64(len(got)) != e.Size {
				t.Fatalf("verified, and yet %s: %d bytes, %v", e.Path, len(got), err)
			}
		}
	})
}

// FuzzIndex reaches what a fuzzer can't through a frame and a tar header.
func FuzzIndex(f *testing.F) {
	forged := newForgeryOf(600)
	forged.bytes() // fills in the sizes
	f.Add([]byte(indexText(forged.index)))
	f.Add([]byte(`{"schema":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		forged := newForgeryOf(600)
		forged.json = func(string) string { return string(data) }
		b, err := Open(writeFile(t, fileName, forged.bytes()))
		if err != nil {
			return
		}
		defer b.Close()
		if again := indexText(b.index); again != string(data) {
			t.Fatalf("two spellings of one index: %q", again)
		}
	})
}
