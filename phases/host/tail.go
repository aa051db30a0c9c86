package host

import (
	"bytes"
	"io"
)

// Tail reads the end of a file, whole lines of at most size bytes; cut tells that there
// is more. Links are followed as ReadFile does.
func (h *Host) Tail(path string, size int64) (data []byte, cut bool, err error) {
	w, err := h.walk(path, walkFile)
	defer w.close()
	if err != nil {
		return nil, false, err
	}
	f, _, err := w.place().openRegular()
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, false, err
	}
	from := max(0, info.Size()-size)
	data, err = io.ReadAll(io.NewSectionReader(f, from, size)) // not as many bytes as the size says: files in /proc have none
	if cut = from > 0; cut {
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
