package runtime

import (
	"bytes"
	"io"
	"os"
	"strings"
)

// tailSize is how much of the end of a log is read: a log may have gigabytes.
const tailSize = 16 << 10

// LastLine is the last line that the container logged, empty when there is none.
func (c *Container) LastLine() string {
	lines := c.LastLines()
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]
}

// LastLines is the end of what the container logged, oldest line first.
func (c *Container) LastLines() []string {
	f, err := os.Open(c.LogPath)
	if err != nil {
		return nil
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > tailSize {
		_, _ = f.Seek(-tailSize, io.SeekEnd) // reading from the beginning would only be slower
	}
	data, err := io.ReadAll(io.LimitReader(f, tailSize))
	if err != nil || len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	for i, line := range lines {
		// Time, stream and a mark for partial lines stand before what the container said.
		fields := strings.SplitN(line, " ", 4)
		lines[i] = fields[len(fields)-1]
	}
	return lines
}
