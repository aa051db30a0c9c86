package host

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Tail reads the end of a file, whole lines of at most size bytes; cut tells that there
// is more. Links are followed as ReadFile does.
func (h *Host) Tail(path string, size int64) (data []byte, cut bool, err error) {
	w, err := h.walk(path, walkFile)
	defer w.close()
	if err != nil {
		return nil, false, err
	}
	f, err := w.openRegular(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	if cut = info.Size() > size; cut {
		_, err = f.Seek(-size, io.SeekEnd)
	}
	if err == nil {
		data, err = io.ReadAll(io.LimitReader(f, size)) // the kernel's own files have no size
	}
	if cut {
		data = WholeLines(data)
	}
	return data, cut, err
}

// WholeLines is what follows the first end of a line: what stands before was cut.
func WholeLines(data []byte) []byte {
	if _, after, ok := bytes.Cut(data, []byte("\n")); ok {
		return after
	}
	return nil
}

// openRegular opens the file that the walk ended at.
func (w *walker) openRegular(path string) (*os.File, error) {
	f, err := openAt(w.top(), w.base, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO would block
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
