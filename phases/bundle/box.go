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
	boxMagic   = "\x89BOX\r\n\x1a\n" // as PNG's: a transfer that converts line ends spoils it
	boxTrailer = int64(len(boxMagic) + 8)
	zstdMagic  = "\x28\xb5\x2f\xfd"
	elfMagic   = "\x7fELF"
)

var errNotBundle = errors.New("not a bundle, nor an executable with one attached")

var errCutShort = errors.New("the bundle in this executable is damaged at its end, as by a copy that was cut short: copy it again")

// locate finds the bundle in a bundle file or a box.
func locate(f *os.File) (*io.SectionReader, error) {
	program, part, err := split(f)
	switch {
	case err != nil || part != nil:
		return part, err
	case cutShort(program):
		return nil, errCutShort
	}
	return nil, errNotBundle
}

// split gives the two parts of a box. A bundle file has no program, and every other file is
// taken for a program without a bundle.
func split(f *os.File) (program, part *io.SectionReader, err error) {
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	end := info.Size() - boxTrailer
	if !hasAt(f, end, boxMagic) {
		whole := io.NewSectionReader(f, 0, info.Size())
		if hasAt(f, 0, zstdMagic) {
			return nil, whole, nil
		}
		return whole, nil, nil
	}
	length := make([]byte, 8)
	if _, err := f.ReadAt(length, end+int64(len(boxMagic))); err != nil {
		return nil, nil, err
	}
	n := binary.BigEndian.Uint64(length)
	if n == 0 || n > uint64(end) {
		return nil, nil, fmt.Errorf("attached bundle of %d bytes does not fit into a file of %d", n, info.Size())
	}
	begin := end - int64(n)
	return io.NewSectionReader(f, 0, begin), io.NewSectionReader(f, begin, int64(n)), nil
}

// Program is an executable without the bundle that it may have inside.
func Program(executable string) ([]byte, error) {
	f, err := openRegular(executable)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	program, _, err := split(f)
	if err != nil || program == nil {
		return nil, errors.Join(fmt.Errorf("%s is not an executable", executable), err)
	}
	return io.ReadAll(program)
}

// maxSectionTable bounds where cutShort looks for a bundle: the table of an executable's
// sections may stand behind its last section, and is smaller than this.
const maxSectionTable = 64 << 10

// cutShort recognises a box that has lost its end: an executable behind which a bundle
// begins, without the trailer of a box.
func cutShort(f *io.SectionReader) bool {
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
	behind := make([]byte, max(0, min(f.Size()-end, maxSectionTable)))
	n, _ := f.ReadAt(behind, end) // what can't be read is no bundle
	return bytes.Contains(behind[:n], []byte(zstdMagic))
}

// hasAt tells whether this text stands at an offset. Where nothing can be read, it does not.
func hasAt(r io.ReaderAt, off int64, text string) bool {
	buf := make([]byte, len(text))
	n, _ := r.ReadAt(buf, off)
	return string(buf[:n]) == text
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
	program, _, err := split(f)
	if err != nil {
		return fmt.Errorf("%s: %w", executable, err)
	}
	if program == nil || !hasAt(program, 0, elfMagic) {
		return fmt.Errorf("%s: not an executable", executable)
	}
	tail := binary.BigEndian.AppendUint64([]byte(boxMagic), uint64(b.section.Size()))
	whole := io.MultiReader(program, io.NewSectionReader(b.section, 0, b.section.Size()), bytes.NewReader(tail))
	return WriteWhole(out, 0o755, func(w io.Writer) error {
		_, err := io.Copy(w, ctxReader{ctx, whole})
		return err
	})
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
	if err := errors.Join(f.Chmod(mode), f.Sync()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	syncFolder(filepath.Dir(path))
	return nil
}

// syncFolder brings a folder's names to the disk, where that can be done: shared folders of
// virtual machines refuse it, and the file in them is whole all the same.
func syncFolder(path string) {
	if folder, err := os.Open(path); err == nil {
		_ = folder.Sync()
		_ = folder.Close()
	}
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
