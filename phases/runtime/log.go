package runtime

import (
	"io"
	"os"
	"strings"
)

// tailSize is how much of the end of a log is read: a log may have gigabytes.
const tailSize = 8 << 10

// LastLine is the last line that the container logged, empty when there is none.
func (c *Container) LastLine() string {
	f, err := os.Open(c.LogPath)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > tailSize {
		_, _ = f.Seek(-tailSize, io.SeekEnd) // reading from the beginning would only be slower
	}
	data, err := io.ReadAll(io.LimitReader(f, tailSize))
	if err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	// Time, stream and a mark for partial lines stand before what the container said.
	fields := strings.SplitN(lines[len(lines)-1], " ", 4)
	return fields[len(fields)-1]
}
