// Package templates renders the files that the kubelet, containerd and systemd
// read on this host: one template and one typed struct each, named after the
// file it becomes. It must not default, decide or know config; every value is
// given and, where a format needs it, quoted here.
package templates

import (
	"bytes"
	"embed"
	"encoding/json"
	"strings"
	"text/template"
)

//go:embed staticpod systemd *.tmpl
var files embed.FS

// render executes the template in FILE. Its output depends on data alone.
func render(file string, data any) ([]byte, error) {
	t, err := template.New("").Funcs(template.FuncMap{"quote": quote, "unitquote": unitquote}).Option("missingkey=error").ParseFS(files, file)
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

// quote gives a JSON string, which is also a YAML and a TOML string.
func quote(s string) (string, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(s)
	return strings.TrimSuffix(out.String(), "\n"), err
}
