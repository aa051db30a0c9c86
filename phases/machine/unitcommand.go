package machine

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/unit"
)

// Word is one word of a command line, and what it comes from.
type Word struct {
	Text string
	From string // a file, or a variable of one; empty if it is not known
}

// UnitCommand is the command line that a service would be started with, by its file,
// drop-ins and environment files as they are now; none if there is no such service.
func (m Machine) UnitCommand(name string) ([]Word, error) {
	s, err := m.readService(name, "")
	if err != nil {
		return nil, err
	}
	return s.expand(), nil
}

// UnitVariables are those that a service's files give it, by their names, without what one of these files says.
func (m Machine) UnitVariables(name, without string) (map[string]Word, error) {
	s, err := m.readService(name, without)
	return s.variables, err
}

func (m Machine) readService(name, without string) (*service, error) {
	s := &service{variables: map[string]Word{}}
	for _, file := range m.unitFiles(name) {
		if file == without {
			continue
		}
		if err := m.readUnit(s, file); err != nil {
			return s, fmt.Errorf("%s: %w", file, err)
		}
	}
	for _, file := range s.files {
		if err := m.readEnvironment(s, file); err != nil {
			return s, err
		}
	}
	return s, nil
}

// UnitDirs are where unit files lie: of two with one name, the first counts.
var UnitDirs = []string{
	"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system",
}

// unitFiles are those that make up a unit, in the order in which systemd reads them.
func (m Machine) unitFiles(name string) []string {
	var files, dropIns []string
	for _, dir := range UnitDirs {
		file := dir + "/" + name
		if len(files) == 0 && m.Exists(file) {
			files = append(files, file)
		}
		dropIns = append(dropIns, file+".d")
	}
	for _, dir := range UnitDirs { // of all services
		dropIns = append(dropIns, dir+"/service.d")
	}
	return append(files, m.confFiles(dropIns)...)
}

// confFiles are the files *.conf in several folders, by their names: of two with one name,
// the first counts.
func (m Machine) confFiles(dirs []string) []string {
	byName := map[string]string{}
	for _, dir := range dirs {
		found, _ := filepath.Glob(m.Path(dir) + "/*.conf") // no such folder: no files
		for _, path := range found {
			if name := filepath.Base(path); byName[name] == "" {
				byName[name] = dir + "/" + name
			}
		}
	}
	byBase := func(a, b string) int { return cmp.Compare(filepath.Base(a), filepath.Base(b)) }
	return slices.SortedFunc(maps.Values(byName), byBase)
}

// service is what counts of a service's files for its command line.
type service struct {
	command   Word            // all of it
	variables map[string]Word // by their names
	files     []string        // with variables; one that begins with - may be missing
}

func (m Machine) readUnit(s *service, file string) error {
	data, err := os.ReadFile(m.Path(file))
	if err != nil {
		return err
	}
	options, err := unit.DeserializeOptions(bytes.NewReader(data))
	if err != nil {
		return err
	}
	for _, o := range options {
		if o.Section == "Service" {
			s.set(o.Name, strings.ReplaceAll(o.Value, "\\\n", " "), file)
		}
	}
	return nil
}

// set takes an option. An empty one drops what was set before.
func (s *service) set(name, value, file string) {
	switch name {
	case "ExecStart":
		s.command = Word{value, file}
	case "Environment":
		if value == "" {
			clear(s.variables)
		}
		for _, word := range words(value) {
			if name, value, ok := strings.Cut(word, "="); ok {
				s.variables[name] = Word{value, name + " in " + file}
			}
		}
	case "EnvironmentFile":
		s.files = append(s.files, value)
		if value == "" {
			s.files = nil
		}
	}
}

func (m Machine) readEnvironment(s *service, name string) error {
	file, optional := strings.CutPrefix(name, "-")
	data, err := os.ReadFile(m.Path(file))
	if optional && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(strings.ReplaceAll(string(data), "\\\n", " ")) {
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(line, "=")
		if !ok || strings.ContainsAny(line[:1], "#;") {
			continue
		}
		s.variables[name] = Word{strings.Join(words(value), " "), name + " in " + file}
	}
	return nil
}

// expand splits the command line and fills in variables as systemd does: $NAME as a word of
// its own becomes as many as its value has, ${NAME} stays within its word.
func (s *service) expand() []Word {
	var all []Word
	for i, word := range words(s.command.Text) {
		if i == 0 {
			word = strings.TrimLeft(word, "@-:+!")
		}
		if name, ok := strings.CutPrefix(word, "$"); ok && !strings.HasPrefix(name, "{") && !strings.HasPrefix(name, "$") {
			value := s.variables[name]
			for _, part := range words(value.Text) {
				all = append(all, Word{part, value.From})
			}
			continue
		}
		all = append(all, s.fill(word))
	}
	return all
}

var inWord = regexp.MustCompile(`\$\$|\$\{\w+\}`)

func (s *service) fill(text string) Word {
	word := Word{From: s.command.From}
	word.Text = inWord.ReplaceAllStringFunc(text, func(match string) string {
		if match == "$$" {
			return "$"
		}
		value := s.variables[strings.Trim(match, "${}")]
		word.From = cmp.Or(value.From, word.From)
		return value.Text
	})
	return word
}

// words splits text at spaces that stand in no quotes, and takes the quotes off.
func words(text string) []string {
	var all []string
	var word strings.Builder
	quote, begun, escaped := rune(0), false, false
	for _, r := range text {
		space := strings.ContainsRune(" \t\n", r)
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\':
			escaped, begun = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, begun = r, true
		case quote == 0 && space && begun:
			all = append(all, word.String())
			word.Reset()
			begun = false
		case quote != 0 || !space:
			word.WriteRune(r)
			begun = true
		}
	}
	if begun {
		all = append(all, word.String())
	}
	return all
}
