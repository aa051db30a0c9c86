package machine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// LogLine is one line of the journal.
type LogLine struct {
	Unit string
	At   time.Time
	Text string
}

// maxJournal is how many lines are read: of what a daemon says again and again, the
// last ones are enough.
const maxJournal = 600

// Journal gives what units wrote since a moment, oldest first, without what systemd
// says about them. It is empty for a directory that stands for a machine.
func (m Machine) Journal(ctx context.Context, since time.Time, units ...string) ([]LogLine, error) {
	if !m.Real() {
		return nil, nil
	}
	// Beside --since, --lines counts from there on, unless the newest come first.
	args := []string{"--no-pager", "--quiet", "--output=json", "--reverse", "--lines=" + strconv.Itoa(maxJournal),
		"--output-fields=MESSAGE,_SYSTEMD_UNIT", fmt.Sprintf("--since=@%.6f", float64(since.UnixMicro())/1e6)}
	for _, unit := range units {
		args = append(args, "_SYSTEMD_UNIT="+unit)
	}
	program := cmp.Or(m.Program("journalctl"), "journalctl") // who runs this may have no PATH
	out, err := exec.CommandContext(ctx, program, args...).Output()
	if err != nil {
		return nil, fmt.Errorf("journalctl: %w", err)
	}
	lines := parseJournalLines(out)
	slices.Reverse(lines)
	return lines, nil
}

// parseJournalLines leaves out what is no text: journald writes such messages as numbers.
func parseJournalLines(out []byte) []LogLine {
	var lines []LogLine
	for line := range bytes.Lines(out) {
		var entry struct {
			Message any    `json:"MESSAGE"`
			Unit    string `json:"_SYSTEMD_UNIT"`
			Micros  string `json:"__REALTIME_TIMESTAMP"`
		}
		if json.Unmarshal(line, &entry) != nil {
			continue
		}
		text, ok := entry.Message.(string)
		micros, err := strconv.ParseInt(entry.Micros, 10, 64)
		if ok && err == nil {
			lines = append(lines, LogLine{Unit: entry.Unit, At: time.UnixMicro(micros), Text: strings.TrimRight(text, "\n")})
		}
	}
	return lines
}
