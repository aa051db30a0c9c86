package bundle

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A box is [executable][bundle][magic][length of the bundle, big endian].
const (
	boxMagic   = "\x89BOX\r\n\x1a\n" // spoilt by any transfer that mends text
	boxTrailer = int64(len(boxMagic) + 8)
	zstdMagic  = "\x28\xb5\x2f\xfd"
	elfMagic   = "\x7fELF"
)

var errNotBundle = errors.New("not a bundle, nor an executable with one attached")

var errCutShort = errors.New("the bundle in this executable is damaged at its end, as by a copy that was cut short: copy it again")

// locate finds the bundle in a bundle file or a box.
func locate(f *os.File) (*io.SectionReader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	off, found, err := boxed(f, info.Size())
	if err != nil {
		return nil, err
	}
	if found {
		return io.NewSectionReader(f, off, info.Size()-boxTrailer-off), nil
	}
	if cutShort(f, info.Size()) {
		return nil, errCutShort
	}
	if !startsWith(f, zstdMagic) {
		return nil, errNotBundle
	}
	return io.NewSectionReader(f, 0, info.Size()), nil
}

// boxed says where the bundle of a box begins.
func boxed(f io.ReaderAt, size int64) (off int64, found bool, err error) {
	if size < boxTrailer {
		return 0, false, nil
	}
	buf := make([]byte, boxTrailer)
	if _, err := f.ReadAt(buf, size-boxTrailer); err != nil {
		return 0, false, err
	}
	if !bytes.HasPrefix(buf, []byte(boxMagic)) {
		return 0, false, nil
	}
	n := binary.BigEndian.Uint64(buf[len(boxMagic):])
	if n == 0 || n > uint64(size-boxTrailer) {
		return 0, false, fmt.Errorf("attached bundle of %d bytes does not fit into a file of %d", n, size)
	}
	return size - boxTrailer - int64(n), true, nil
}

// maxSectionTable is more than the list of a program's sections takes, which may stand
// behind the last of them.
const maxSectionTable = 64 << 10

// cutShort tells an executable behind which a bundle begins, and which has lost its end.
func cutShort(f io.ReaderAt, size int64) bool {
	program, err := elf.NewFile(f)
	if err != nil {
		return false
	}
	var end int64
	for _, s := range program.Sections {
		if s.Type != elf.SHT_NOBITS {
			end = max(end, int64(s.Offset+s.FileSize))
		}
	}
	behind := make([]byte, max(0, min(size-end, maxSectionTable)))
	n, _ := f.ReadAt(behind, end) // what can't be read is no bundle
	return bytes.Contains(behind[:n], []byte(zstdMagic))
}

func startsWith(r io.ReaderAt, magic string) bool {
	buf := make([]byte, len(magic))
	n, _ := r.ReadAt(buf, 0) // what can't be read is not the magic
	return string(buf[:n]) == magic
}

// Attach writes a copy of an executable with the bundle, verified first, at its end. A
// bundle that the executable already had is replaced. The file out appears whole or not
// at all, with mode 0755; it may be the executable itself.
func Attach(ctx context.Context, executable string, b *Bundle, out string) error {
	if err := b.Verify(ctx); err != nil {
		return err
	}
	f, err := openRegular(executable)
	if err != nil {
		return err
	}
	defer f.Close()
	program, err := bareProgram(f)
	if err != nil {
		return fmt.Errorf("%s: %w", executable, err)
	}
	tail := binary.BigEndian.AppendUint64([]byte(boxMagic), uint64(b.section.Size()))
	whole := io.MultiReader(program, io.NewSectionReader(b.section, 0, b.section.Size()), bytes.NewReader(tail))
	return WriteWhole(out, 0o755, func(w io.Writer) error {
		_, err := io.Copy(w, ctxReader{ctx, whole})
		return err
	})
}

// bareProgram is an executable without the bundle that it may carry.
func bareProgram(f *os.File) (io.Reader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	end, found, err := boxed(f, info.Size())
	if err != nil {
		return nil, err
	}
	if !found {
		end = info.Size()
	}
	if !startsWith(f, elfMagic) {
		return nil, errors.New("not an executable")
	}
	return io.NewSectionReader(f, 0, end), nil
}

// WriteWhole makes a file of what write gives. It appears whole or not at all, also where
// the power fails, and takes the place of one that is there.
func WriteWhole(path string, mode fs.FileMode, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".bootstrap-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // does nothing after the rename
	defer f.Close()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// ctxReader ends a long copy when the context ends.
type ctxReader struct {
	ctx context.Context
	r   io.Reader
}

func (c ctxReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
