package bundle

import (
	"io"

	"github.com/klauspost/compress/zstd"
)

const (
	// window is how far back zstd may refer. It is what Build uses, and the most that a
	// bundle may ask for: it bounds the memory that one decoder takes.
	window = 8 << 20

	// packedWindow is for what is compressed already, and gains nothing from a wide window:
	// init unpacks all images side by side.
	packedWindow = 128 << 10
)

// tarEnd is the last frame of every bundle: the two blocks of zeros that end a tar, packed.
const tarEnd = "\x28\xb5\x2f\xfd\x44\x08\x00\x03\x03\x20\x00\x00\xcd\xac\x85\xf0"

// newDecoder reads one frame after the other. How much that gives is for the caller to
// bound: a few bytes can unpack to gigabytes.
func newDecoder(r io.Reader) (*zstd.Decoder, error) {
	return zstd.NewReader(r,
		zstd.WithDecoderConcurrency(1), // members are what runs in parallel
		zstd.WithDecoderMaxWindow(window),
		zstd.WithDecoderMaxMemory(window),
		zstd.WithDecodeBuffersBelow(0))
}

// compress makes one frame.
func compress(data []byte, window int) ([]byte, error) {
	enc, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedBetterCompression), // the best level: 6% smaller, four times the work
		zstd.WithWindowSize(window),
		zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return enc.EncodeAll(data, nil), enc.Close()
}
