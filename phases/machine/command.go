package machine

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// outputTimeout bounds commands that only tell something.
const outputTimeout = 10 * time.Second

// Output runs a program that changes nothing, such as one asked for its version,
// and gives what it prints. What it says on standard error is in the error.
func (m Machine) Output(ctx context.Context, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, outputTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, m.Path(program), args...).Output()
	if err == nil {
		return string(out), nil
	}
	line := strings.Join(append([]string{program}, args...), " ")
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return "", fmt.Errorf("%s: %w: %s", line, err, strings.TrimSpace(string(exit.Stderr)))
	}
	return "", fmt.Errorf("%s: %w", line, err)
}
