package bundle

import (
	"bytes"
	"debug/elf"
	"fmt"
	"os"
	"slices"
)

// readProgram reads an executable for this GOARCH. For images it must be a static one: they
// hold no loader and no libraries.
func readProgram(file, arch string, static bool) ([]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if err := checkProgram(data, arch, static); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return data, nil
}

func checkProgram(data []byte, arch string, static bool) error {
	f, err := elf.NewFile(bytes.NewReader(data))
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
