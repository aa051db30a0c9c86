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
	"strings"
	"text/template"
	"unicode"
	"unicode/utf8"
)

//go:embed staticpod systemd *.tmpl
var files embed.FS

// parts is what the templates of static pods include.
const parts = "staticpod/parts.tmpl"

// render executes the template in FILE. Its output depends on data alone.
func render(file string, data any) ([]byte, error) {
	t, err := template.New("").Funcs(template.FuncMap{"quote": quote, "unitquote": unitquote}).Option("missingkey=error").ParseFS(files, file, parts)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	name := file[strings.LastIndex(file, "/")+1:]
	if err := t.ExecuteTemplate(&out, name, data); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
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
