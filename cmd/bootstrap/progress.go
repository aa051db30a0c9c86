package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"bootstrap/phases/host"
	"bootstrap/phases/plan"
)

// progress shows events: on a terminal one live line for what runs now, with the
// time it takes and what it waits for; elsewhere plain lines.
type progress struct {
	out  *os.File
	live bool
	// listAll shows every change; without it, only new content of files that were
	// ours already.
	listAll bool

	mu      sync.Mutex
	running []*runningPhase // in the order they started
	stop    chan struct{}
}

type runningPhase struct {
	name    string
	start   time.Time
	waiting string
	printed time.Time // when waiting was last printed on a line of its own
}

func newProgress(out *os.File, listAll bool) *progress {
	p := &progress{out: out, live: term.IsTerminal(int(out.Fd())), listAll: listAll, stop: make(chan struct{})}
	if p.live {
		go p.tick()
	}
	return p
}

// end removes the live line. No event may follow.
func (p *progress) end() {
	close(p.stop)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

func (p *progress) report(e plan.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	switch e.Kind {
	case plan.Started:
		p.running = append(p.running, &runningPhase{name: e.Phase, start: time.Now()})
	case plan.Waiting:
		p.wait(e)
	case plan.Said:
		fmt.Fprintf(p.out, "%-20s %s\n", e.Phase, e.Message)
	case plan.Warning:
		fmt.Fprintf(p.out, "%-20s warning: %s\n", e.Phase, e.Message)
	case plan.Changed:
		p.change(e)
	case plan.Done:
		fmt.Fprintf(p.out, "%-20s done in %.3fs\n", e.Phase, e.Seconds)
	}
	if e.Kind == plan.Done || e.Kind == plan.Failed { // main prints the error
		p.running = slices.DeleteFunc(p.running, func(r *runningPhase) bool { return r.name == e.Phase })
	}
	p.draw()
}

func (p *progress) change(e plan.Event) {
	if !p.listAll && (e.Change.Verb != host.Update || e.Change.Diff == "") {
		return
	}
	fmt.Fprintf(p.out, "%-20s %s %s %s\n", e.Phase, e.Change.Verb, e.Change.Op, e.Change.Target)
	for line := range strings.Lines(e.Change.Diff) {
		fmt.Fprintf(p.out, "    %s", line)
	}
}

// say prints text on lines of its own, and the live line anew below it.
func (p *progress) say(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	io.WriteString(p.out, text)
	p.draw()
}

// quiet is how often plain output says what a phase waits for, at most.
const quiet = 2 * time.Second

func (p *progress) wait(e plan.Event) {
	for _, r := range p.running {
		if r.name != e.Phase {
			continue
		}
		r.waiting = e.Message
		if !p.live && time.Since(r.start) > quiet && time.Since(r.printed) > quiet {
			r.printed = time.Now()
			fmt.Fprintf(p.out, "%-20s waiting: %.89s\n", e.Phase, e.Message) // under 120 columns; the error has all of it
		}
	}
}

// tick keeps the elapsed time on the live line moving.
func (p *progress) tick() {
	t := time.NewTicker(200 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-t.C:
			p.say("")
		}
	}
}

func (p *progress) clear() {
	if p.live {
		io.WriteString(p.out, "\r\x1b[K")
	}
}

func (p *progress) draw() {
	if !p.live || len(p.running) == 0 {
		return
	}
	var parts []string
	for _, r := range p.running {
		part := fmt.Sprintf("%s %s", r.name, time.Since(r.start).Round(100*time.Millisecond))
		if r.waiting != "" {
			part += ": " + r.waiting
		}
		parts = append(parts, part)
	}
	line := strings.ReplaceAll(strings.Join(parts, " | "), "\n", " ")
	if width, _, err := term.GetSize(int(p.out.Fd())); err == nil && len(line) >= width {
		line = line[:max(width-1, 0)]
	}
	io.WriteString(p.out, line)
}
