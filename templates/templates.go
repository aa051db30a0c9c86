// Package templates renders the files that the kubelet, containerd and systemd
// read on this host: one template and one typed struct each, named after the
// file it becomes. It must not default, decide or know config; every value is
// given and, where a format needs it, quoted here.
package templates

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"text/template"
	"unicode"
	"unicode/utf8"
)

//go:embed staticpod systemd *.tmpl
var files embed.FS

// parts is what the templates of static pods include.
const parts = "staticpod/parts.tmpl"

// File is what fills one template.
type File interface {
	template() string // its path
}

// Render gives the file. Its bytes depend on the values alone.
func Render(f File) ([]byte, error) { return render(f, "") }

func render(f File, uid string) ([]byte, error) {
	functions := template.FuncMap{"quote": quote, "unitquote": unitquote, "envquote": envquote, "uid": func() string { return uid }}
	t, err := template.New(path.Base(f.template())).Funcs(functions).ParseFS(files, f.template(), parts)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, f)
	return out.Bytes(), err
}

// quote gives a JSON string, which is also a YAML, a TOML and a systemd string. What
// is not printable is escaped: JSON allows it as it is, YAML does not.
func quote(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", fmt.Errorf("%q is not UTF-8", s)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return "", err
	}
	var quoted strings.Builder
	for _, r := range strings.TrimSuffix(out.String(), "\n") {
		if unicode.IsPrint(r) || r > 0xFFFF {
			quoted.WriteRune(r)
		} else {
			fmt.Fprintf(&quoted, `\u%04x`, r)
		}
	}
	return quoted.String(), nil
}
