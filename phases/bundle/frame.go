package bundle

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

const (
	// The window bounds the memory that one decoder takes: what Build uses, and no more.
	window   = 8 << 20
	maxBlock = 128 << 10

	// What is packed already gains nothing from a wide window.
	packedWindow = 128 << 10

	blockHeader = 3
	checksum    = 4
)

// frame is where one zstd frame ends and how much it says to hold.
type frame struct {
	packed  int64
	content int64
}

// readFrame measures the frame at off without decoding it. A decoder would run on
// into the next frame, and silently over skippable ones: so the ends are found here.
func readFrame(r io.ReaderAt, off, end int64) (frame, error) {
	h, err := readFrameHeader(r, off, end)
	if err != nil {
		return frame{}, err
	}
	pos := off + int64(h.HeaderSize)
	for last := false; !last; {
		size := int64(0)
		size, last, err = readBlockHeader(r, pos, end)
		if err != nil {
			return frame{}, err
		}
		pos += blockHeader + size
	}
	if h.HasCheckSum {
		pos += checksum
	}
	if pos > end {
		return frame{}, io.ErrUnexpectedEOF
	}
	return frame{packed: pos - off, content: int64(h.FrameContentSize)}, nil
}

func readFrameHeader(r io.ReaderAt, off, end int64) (zstd.Header, error) {
	var h zstd.Header
	buf := make([]byte, max(0, min(zstd.HeaderMaxSize, end-off)))
	if _, err := r.ReadAt(buf, off); err != nil && err != io.EOF {
		return h, err
	}
	if err := h.Decode(buf); err != nil {
		return h, err
	}
	size := h.WindowSize
	if h.SingleSegment {
		size = h.FrameContentSize
	}
	switch {
	case h.Skippable:
		return h, errors.New("skippable frame")
	case h.DictionaryID != 0:
		return h, errors.New("frame wants a dictionary")
	case !h.HasFCS:
		return h, errors.New("frame does not say its size")
	case size > window:
		return h, fmt.Errorf("frame wants a window of %d bytes, more than %d", size, window)
	case h.FrameContentSize > uint64(memberSize(maxSize)):
		return h, fmt.Errorf("frame unpacks to %d bytes, too many", h.FrameContentSize)
	}
	return h, nil
}

func readBlockHeader(r io.ReaderAt, pos, end int64) (size int64, last bool, err error) {
	if pos+blockHeader > end {
		return 0, false, io.ErrUnexpectedEOF
	}
	var b [blockHeader]byte
	if _, err := r.ReadAt(b[:], pos); err != nil {
		return 0, false, err
	}
	v := int64(b[0]) | int64(b[1])<<8 | int64(b[2])<<16
	last, size = v&1 == 1, v>>3
	if size > maxBlock {
		return 0, false, fmt.Errorf("block of %d bytes, more than %d", size, maxBlock)
	}
	switch v >> 1 & 3 {
	case 1: // one byte, repeated size times
		return 1, last, nil
	case 3:
		return 0, false, errors.New("block of a reserved type")
	}
	return size, last, nil
}

func newDecoder(r io.Reader) (*zstd.Decoder, error) {
	return zstd.NewReader(r,
		zstd.WithDecoderConcurrency(1), // members are what runs in parallel
		zstd.WithDecoderMaxWindow(window),
		zstd.WithDecoderMaxMemory(window),
		zstd.WithDecodeBuffersBelow(0))
}

const unknownSize = -1

// newEncoder takes less memory, and leaves less to whoever unpacks it, with a smaller window.
func newEncoder(w io.Writer, size int64, window int) (*zstd.Encoder, error) {
	enc, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedBetterCompression), // the best level: 6% smaller, four times the work
		zstd.WithWindowSize(window),
		zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	enc.ResetContentSize(w, size)
	return enc, nil
}

// unpack decodes a small frame that lies alone in packed into memory.
func unpack(packed io.Reader, f frame) ([]byte, error) {
	dec, err := newDecoder(packed)
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	data := make([]byte, f.content)
	if _, err := io.ReadFull(dec, data); err != nil {
		return nil, err
	}
	return data, readEnd(dec)
}

// readEnd asks for one byte more, so that the decoder checks the frame's checksum too.
func readEnd(r io.Reader) error {
	n, err := io.ReadFull(r, make([]byte, 1))
	if n > 0 {
		return errors.New("unpacks to more than its size")
	}
	if err == io.EOF {
		return nil
	}
	return err
}
