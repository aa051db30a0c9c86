package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// node is a throw-away machine of scripts/node.
type node struct{ name string }

func up(ctx context.Context, name string) (node, error) {
	n := node{name: name}
	if _, err := n.script(ctx, nil, "up", name); err != nil {
		return n, err
	}
	return n, n.copy(ctx, observer, "/root/observe")
}

// down needs no context: a node goes, whatever ended the run.
func (n node) down() error {
	_, err := n.script(context.Background(), nil, "down", n.name)
	return err
}

func (n node) script(ctx context.Context, input []byte, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "scripts/node", args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	var out, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), &out, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("scripts/node %s: %w\n%s", strings.Join(args, " "), err, last(out.String()+stderr.String()))
	}
	return out.String(), nil
}

// last is the end of a long output.
func last(text string) string { return text[max(0, len(text)-4000):] }

func (n node) exec(ctx context.Context, args ...string) (string, error) {
	return n.script(ctx, nil, append([]string{"exec", n.name}, args...)...)
}

func (n node) sh(ctx context.Context, script string) (string, error) {
	return n.exec(ctx, "bash", "-ec", script)
}

func (n node) copy(ctx context.Context, src, dst string) error {
	_, err := n.script(ctx, nil, "cp", src, n.name+":"+dst)
	return err
}

func (n node) write(ctx context.Context, dst, content string) error {
	_, err := n.script(ctx, []byte(content), "exec", n.name, "sh", "-ec", `mkdir -p "$(dirname "$1")"; cat >"$1"`, "_", dst)
	return err
}

// seen is what observe prints: see there.
type seen struct {
	Start    time.Time          `json:"start"`
	Seconds  map[string]float64 `json:"seconds"`
	CPU      float64            `json:"cpu"`
	PeakRSS  float64            `json:"peakRSS"`
	TimedOut bool               `json:"timedOut"`

	trace figures // of bootstrap; nil for others
}

func (n node) observe(ctx context.Context, flags []string, command ...string) (seen, error) {
	args := append([]string{"/root/observe"}, flags...)
	out, err := n.exec(ctx, append(args, command...)...)
	if err != nil {
		return seen{}, err
	}
	var s seen
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		return seen{}, fmt.Errorf("observe: %w: %s", err, last(out))
	}
	if s.TimedOut {
		return s, fmt.Errorf("%s: not all was seen: %v", n.name, s.Seconds)
	}
	return s, nil
}
