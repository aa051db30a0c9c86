package bundle

import (
	"debug/elf"
	"fmt"
	"io"
	"slices"
)

// checkProgram wants an executable for this GOARCH, and a static one for images, which
// hold no loader and no libraries.
func checkProgram(r io.ReaderAt, arch string, static bool) error {
	f, err := elf.NewFile(r)
	if err != nil {
		return fmt.Errorf("not a program: %w", err)
	}
	want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]
	if f.Class != elf.ELFCLASS64 || f.Data != elf.ELFDATA2LSB || f.Machine != want {
		return fmt.Errorf("a program for %s, not for %s", f.Machine, arch)
	}
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN {
		return fmt.Errorf("not a program: %s", f.Type)
	}
	isInterpreter := func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }
	if static && slices.ContainsFunc(f.Progs, isInterpreter) {
		return fmt.Errorf("not a static program: an image of it would hold no loader")
	}
	return nil
}
