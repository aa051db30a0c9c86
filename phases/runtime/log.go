package runtime

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// tailSize is how much of the end of a log is read: a log may have gigabytes.
const tailSize = 16 << 10

// LogLine is what a container wrote, and when.
type LogLine struct {
	At   time.Time // zero where the log has another form
	Text string
}

// LastLine is the last line that the container logged and that says something, empty when
// there is none.
func (c *Container) LastLine() string { return LastWords(c.LastLines()) }

// stackTrace are lines of a stack trace of Go, which come after the message that tells something.
var stackTrace = regexp.MustCompile(`^\s+\S+\.go:\d+|^goroutine \d+ \[|^created by |^[\w./*()-]+\(.*\)$|^exit status \d+$`)

// LastWords is LastLine of a log that has been read already.
func LastWords(log []LogLine) string {
	for _, line := range slices.Backward(log) {
		if strings.TrimSpace(line.Text) != "" && !stackTrace.MatchString(line.Text) {
			return message(line.Text)
		}
	}
	return ""
}

// message is what a line says that was written as JSON, as etcd does, without its place and stack trace.
func message(line string) string {
	var wrote struct{ Msg, Error string }
	if json.Unmarshal([]byte(line), &wrote) != nil || wrote.Msg == "" {
		return line
	}
	return strings.TrimSuffix(wrote.Msg+": "+wrote.Error, ": ")
}

// LastLines is the end of what the container logged, oldest line first.
func (c *Container) LastLines() []LogLine {
	f, err := os.Open(c.LogPath)
	if err != nil {
		return nil
	}
	defer f.Close()
	_, _ = f.Seek(-tailSize, io.SeekEnd) // a shorter log is read from its beginning
	data, err := io.ReadAll(io.LimitReader(f, tailSize))
	if err != nil || len(bytes.TrimSpace(data)) == 0 {
		return nil
	}
	var lines []LogLine
	for line := range strings.Lines(string(data)) {
		lines = append(lines, parseLogLine(strings.TrimSuffix(line, "\n")))
	}
	return lines
}

// parseLogLine takes off what the runtime writes before each line: the time, the stream and
// a mark for partial lines.
func parseLogLine(line string) LogLine {
	fields := strings.SplitN(line, " ", 4)
	at, err := time.Parse(time.RFC3339Nano, fields[0])
	if err != nil || len(fields) < 4 {
		return LogLine{Text: fields[len(fields)-1]}
	}
	return LogLine{At: at, Text: fields[3]}
}
