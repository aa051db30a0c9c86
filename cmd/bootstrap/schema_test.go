package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"bootstrap/phases/host"
)

// page is help/output.md, read as what it is: a schema.
type page struct {
	fields map[string]map[string]field // section -> path -> field
	words  map[string][]string         // section -> first column
}

type field struct {
	kind     string // text, number, true or false, object, list
	optional bool
}

var (
	fieldRow = regexp.MustCompile("^\\| `([^`]+)` \\| (text|number|true or false|object|list)(, may be missing)? \\| .+ \\|$")
	wordRow  = regexp.MustCompile("^\\| `([^`]+)` \\| [^|]+ \\|$")
)

func readPage() (page, error) {
	p := page{map[string]map[string]field{}, map[string][]string{}}
	text, err := helpFiles.ReadFile("help/output.md")
	if err != nil {
		return p, err
	}
	section, n := "", 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "## "); ok {
			section = name
			p.fields[section] = map[string]field{}
		}
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		if m := fieldRow.FindStringSubmatch(line); m != nil {
			p.fields[section][m[1]] = field{m[2], m[3] != ""}
		} else if m := wordRow.FindStringSubmatch(line); m != nil {
			p.words[section] = append(p.words[section], m[1])
		} else {
			return p, fmt.Errorf("help/output.md:%d: a row that can't be read: %s", n, line)
		}
	}
	ledger := p.fields["Ledger"]
	for path, f := range maps.Clone(ledger) {
		if rest, ok := strings.CutPrefix(path, "records[].before."); ok {
			ledger["records[].after."+rest] = f
		}
	}
	return p, nil
}

// check wants an object to have the section's fields below prefix, and no others.
func (p page) check(section, prefix string, object map[string]any) error {
	for name, value := range object {
		f, ok := p.fields[section][prefix+name]
		if !ok {
			return fmt.Errorf("%s: %s is not documented", section, prefix+name)
		}
		if err := p.checkValue(section, prefix+name, f, value); err != nil {
			return err
		}
	}
	for path, f := range p.fields[section] {
		name, below := strings.CutPrefix(path, prefix)
		if _, there := object[name]; below && !there && !f.optional && !strings.ContainsAny(name, ".[") {
			return fmt.Errorf("%s: %s is missing", section, path)
		}
	}
	return nil
}

func (p page) checkValue(section, path string, f field, value any) error {
	got := ""
	switch v := value.(type) {
	case string:
		got = "text"
	case float64:
		got = "number"
	case bool:
		got = "true or false"
	case map[string]any:
		got = "object"
		if err := p.check(section, path+".", v); err != nil {
			return err
		}
	case []any:
		got = "list"
		for _, each := range v {
			object, ok := each.(map[string]any)
			if _, text := each.(string); text && p.fields[section][path].kind == "list" && !p.hasBelow(section, path) {
				continue
			}
			if !ok {
				return fmt.Errorf("%s: %s holds %v", section, path, each)
			}
			if err := p.check(section, path+"[].", object); err != nil {
				return err
			}
		}
	}
	if got != f.kind {
		return fmt.Errorf("%s: %s is %v, want %s", section, path, value, f.kind)
	}
	return p.checkWord(path, value)
}

// hasBelow tells whether a list is one of objects.
func (p page) hasBelow(section, path string) bool {
	for field := range p.fields[section] {
		if strings.HasPrefix(field, path+"[].") {
			return true
		}
	}
	return false
}

// checkWord wants words of a list to be in the list.
func (p page) checkWord(path string, value any) error {
	for suffix, list := range map[string]string{"event": "Events", "op": "Ops", "verb": "Verbs"} {
		last := path[strings.LastIndex(path, ".")+1:]
		if last == suffix && !slices.Contains(p.words[list], value.(string)) {
			return fmt.Errorf("%s %v is not documented", path, value)
		}
	}
	return nil
}

// checkLines checks all that a command printed: events and their result at the end,
// or the ledger.
func (p page) checkLines(output string) error {
	lines := strings.Split(strings.TrimSuffix(output, "\n"), "\n")
	for i, line := range lines {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			return fmt.Errorf("line %d: %w: %s", i+1, err, line)
		}
		section := "Event"
		if i == len(lines)-1 {
			section = "Result"
		}
		if _, ok := object["findings"]; ok && len(lines) == 1 {
			section = "Preflight"
		}
		if _, ok := object["records"]; ok && len(lines) == 1 {
			section = "Ledger"
		}
		if err := p.check(section, "", object); err != nil {
			return fmt.Errorf("line %d: %w: %s", i+1, err, line)
		}
		if (object["event"] == "result") != (section == "Result") {
			return fmt.Errorf("line %d: the result is not the last line", i+1)
		}
	}
	return nil
}

// schema FILE wants each line of -o json to be as help/output.md says.
func schema(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: schema FILE")
	}
	p, err := readPage()
	ts.Check(err)
	ts.Check(p.checkLines(ts.ReadFile(args[0])))
}

// TestSchemaHoldsEveryField: what the program can print is on the page, and the page
// holds nothing else.
func TestSchemaHoldsEveryField(t *testing.T) {
	p, err := readPage()
	if err != nil {
		t.Fatal(err)
	}
	for section, value := range map[string]any{
		"Event": eventLine{}, "Result": result{}, "Ledger": ledgerObject{},
		"Preflight": preflightObject{}, "Pods": podsObject{}, "Status": statusObject{}, "Tokens": tokenList{},
		"Images": imagesObject{}, "Causes": causesObject{},
		"Static pods": staticPodsObject{}, "Static pod": staticPodObject{}, "Static pod path": pathObject{},
	} {
		want := map[string]field{}
		jsonFields("", reflect.TypeOf(value), want)
		got := maps.Clone(p.fields[section])
		for path, f := range want {
			if got[path] != f {
				t.Errorf("%s: `%s` is %+v on the page, and %+v in the program", section, path, got[path], f)
			}
			delete(got, path)
		}
		for path := range got {
			t.Errorf("%s: `%s` is on the page, and no field", section, path)
		}
	}
}

func jsonFields(prefix string, typ reflect.Type, all map[string]field) {
	for _, f := range reflect.VisibleFields(typ) {
		name, options, tagged := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "" && !tagged || name == "-" {
			continue
		}
		kind, inner := f.Type, f.Type
		if kind.Kind() == reflect.Pointer {
			kind, inner = kind.Elem(), inner.Elem()
		}
		path, below := prefix+name, prefix+name+"."
		if kind.Kind() == reflect.Slice {
			inner, below = inner.Elem(), path+"[]."
		}
		all[path] = field{kindOf(kind), options == "omitempty" || options == "omitzero"}
		if inner.Kind() == reflect.Struct {
			jsonFields(below, inner, all)
		}
	}
}

func kindOf(typ reflect.Type) string {
	if typ == reflect.TypeFor[time.Time]() {
		return "text"
	}
	switch typ.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Struct:
		return "object"
	case reflect.Slice:
		return "list"
	}
	return "number"
}

// TestSchemaHoldsEveryWord: each constant of these types is on the page.
func TestSchemaHoldsEveryWord(t *testing.T) {
	p, err := readPage()
	if err != nil {
		t.Fatal(err)
	}
	for list, want := range map[string][]string{
		"Events": append(constants(t, "../../phases/plan/*.go", "EventKind"), "result"),
		"Ops":    constants(t, "../../phases/host/*.go", "Op"),
		"Verbs":  constants(t, "../../phases/host/*.go", "Verb"),
	} {
		got := p.words[list]
		if len(want) < 5 {
			t.Fatalf("%s: only %v in the program", list, want)
		}
		slices.Sort(want)
		if sorted := slices.Sorted(slices.Values(got)); !slices.Equal(sorted, want) {
			t.Errorf("%s: the page has %v, the program %v", list, sorted, want)
		}
	}
}

// constants are the values of the constants of a type in the files of a folder.
func constants(t *testing.T, pattern, typ string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			if id, ok := spec.Type.(*ast.Ident); ok && id.Name == typ {
				for _, value := range spec.Values {
					s, err := strconv.Unquote(value.(*ast.BasicLit).Value)
					if err != nil {
						t.Fatal(err)
					}
					values = append(values, s)
				}
			}
			return true
		})
	}
	return values
}

// TestSchemaRefuses: the check that the scripts trust does find what is wrong.
func TestSchemaRefuses(t *testing.T) {
	p, err := readPage()
	if err != nil {
		t.Fatal(err)
	}
	const good = `{"schema":"x","event":"started","phase":"certs"}` + "\n" +
		`{"schema":"x","event":"change","phase":"certs","change":{"op":"file","verb":"create","target":"/x"}}` + "\n" +
		`{"schema":"x","event":"result","ok":true,"dryRun":false,"changes":1,"seconds":0.1,"clean":false,"left":[{"what":"/x","why":"y"}]}` + "\n"
	if err := p.checkLines(good); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string][2]string{
		"an unknown field":         {`"phase":"certs","change"`, `"phase":"certs","more":1,"change"`},
		"an unknown field below":   {`"op":"file"`, `"op":"file","path":"/x"`},
		"an unknown field in list": {`"why":"y"`, `"why":"y","who":"z"`},
		"an unknown event":         {`"event":"started"`, `"event":"begun"`},
		"an unknown op":            {`"op":"file"`, `"op":"fifo"`},
		"an unknown verb":          {`"verb":"create"`, `"verb":"make"`},
		"another type":             {`"changes":1`, `"changes":"1"`},
		"a field is missing":       {`"phase":"certs"}`, `"message":"x"}`},
		"one is missing below":     {`,"target":"/x"`, ``},
		"one is missing in a list": {`"what":"/x",`, ``},
		"no JSON":                  {`{"schema":"x","event":"started"`, `certs done`},
		"no result":                {`"event":"result"`, `"event":"done"`},
	} {
		bad := strings.Replace(good, edit[0], edit[1], 1)
		if bad == good {
			t.Fatalf("%s: nothing was edited", name)
		}
		if err := p.checkLines(bad); err == nil {
			t.Errorf("%s: it takes\n%s", name, bad)
		}
	}
}

// TestLedgerWords: what was there before, and how far a record is, in short words.
func TestLedgerWords(t *testing.T) {
	cases := []struct {
		record        host.Record
		before, state string
	}{
		{host.Record{Op: host.OpFile, Before: host.State{Kind: host.Absent}}, "nothing", "begun"},
		{host.Record{Op: host.OpFile, Before: host.State{Kind: host.File, Mode: 0o644}, Done: true}, "file 0644", "done"},
		{host.Record{Op: host.OpDir, Before: host.State{Kind: host.Dir, Mode: 0o1777}, Done: true, Undone: true}, "directory 1777", "undone"},
		{host.Record{Op: host.OpTree, Before: host.State{Kind: host.Dir, Mode: 0o700, Mount: true}, Undone: true}, "mount point 0700", "undone"},
		{host.Record{Op: host.OpSysctl, Before: host.State{Value: "0"}}, "0", "begun"},
		{host.Record{Op: host.OpSysctl, Before: host.State{Value: "1\t2"}}, `"1\t2"`, "begun"},
		{host.Record{Op: host.OpImage}, "-", "begun"},
		{host.Record{Op: host.OpRules, Before: host.State{Value: "{...}"}}, "earlier rules", "begun"},
	}
	for _, c := range cases {
		if before, state := beforeOf(c.record), stateOf(c.record); before != c.before || state != c.state {
			t.Errorf("%+v: %s, %s", c.record, before, state)
		}
	}
	for target, want := range map[string]string{"/etc/x": "/etc/x", "/a b": `"/a b"`, "/a\x1b[2J": `"/a\x1b[2J"`, "/a\nb": `"/a\nb"`} {
		if got := printable(target); got != want {
			t.Errorf("%q is printed as %s", target, got)
		}
	}
}
