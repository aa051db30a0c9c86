package e2e

import (
	"debug/elf"
	"slices"
	"testing"
)

// TestStatic proves that one file is all that a machine needs: no program asks for
// a loader or a library.
func TestStatic(t *testing.T) {
	count(t)
	for _, file := range []string{"bin/bootstrap", "bin/bootstrap-box"} {
		program, err := elf.Open(path(file))
		if err != nil {
			t.Fatal(err)
		}
		defer program.Close()
		dynamic := func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC }
		if slices.ContainsFunc(program.Progs, dynamic) {
			t.Errorf("%s is not static", file)
		}
	}
}
