package bundle

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

// tinyProgram is an ELF of one program header, which no machine could run.
func tinyProgram(arch string, static bool) []byte {
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[arch]
	kind := elf.PT_LOAD
	if !static {
		kind = elf.PT_INTERP
	}
	h := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(machine), Version: 1,
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64,
	}
	copy(h.Ident[:], elfMagic+"\x02\x01\x01")
	var buf bytes.Buffer
	binary.Write(&buf, binary.LittleEndian, h)
	binary.Write(&buf, binary.LittleEndian, elf.Prog64{Type: uint32(kind), Flags: 5, Align: 1})
	buf.Write(randomBytes(9, 4000))
	return buf.Bytes()
}
