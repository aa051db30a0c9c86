// Package support writes an archive of what helps others to see what is wrong with a
// machine, without its secrets. It must not change anything, and must not be imported by
// phases.
package support

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/observe"
	"bootstrap/phases/redact"
)

const (
	partTimeout = 5 * time.Second // for each part
	partGrace   = time.Second     // for a part to give what it has when time is up
	maxFile     = 256 << 10       // bytes of a file's end
	maxText     = 2 << 20         // bytes of what a program prints
	maxArchive  = 32 << 20        // bytes of all files together
)

// Request is what an archive is made from, beside the machine.
type Request struct {
	Version  string // of bootstrap
	Name     string // of the folder in the archive
	Config   []byte // the config file, if one was given
	NoConfig error  // why the Observer has no Config
}

// Report is what an archive holds, and what it lacks.
type Report struct {
	Files    []File   `json:"files"`
	Unread   []string `json:"unread"`   // each with its reason
	Redacted int      `json:"redacted"` // places where a secret was taken out
}

// File is a file in the archive.
type File struct {
	Name  string `json:"name"`
	Bytes int    `json:"bytes"`
	Cut   bool   `json:"cut,omitempty"` // only its end
	data  []byte
}

// part gathers files that belong together.
type part struct {
	name string
	read func(context.Context, *gathered)
}

func (c *collector) parts(r Request) []part {
	return []part{
		{"versions", func(ctx context.Context, g *gathered) { c.addVersions(ctx, g, r.Version) }},
		{"config", func(_ context.Context, g *gathered) { c.addConfig(g, r) }},
		{"machine", c.addMachine},
		{"units", c.addSources},
		{"journal", c.addSources},
		{"files", c.addFiles},
		{"certificates", c.addCertificates},
		{"runtime", c.addRuntime},
		{"ledger", c.addLedger},
		{"diagnosis", func(ctx context.Context, g *gathered) { c.addDiagnosis(ctx, g, r.NoConfig) }},
		{"logs", c.addLogs},
	}
}

// Write writes an archive of what helps others to see what is wrong with this
// machine, without its secrets: a tar.gz. It needs nothing of the cluster to run, and
// changes nothing.
func Write(ctx context.Context, o *observe.Observer, r Request, w io.Writer) (Report, error) {
	var files []File
	var report Report
	judged, err := judgedBy(o, r)
	if err != nil {
		report.Unread = append(report.Unread, err.Error())
	}
	c := &collector{judged}
	for _, part := range c.parts(r) {
		g := collect(ctx, part)
		if ctx.Err() != nil {
			return report, context.Cause(ctx)
		}
		c.Tell.For(part.name).Say("%s", g)
		files = append(files, g.files...)
		report.Unread = append(report.Unread, g.unread...)
	}
	secrets, err := c.knownSecrets(ctx, files)
	if err != nil {
		return report, err
	}
	given, _ := givenSecrets(r.Config)
	return report, writeArchive(w, r.Name, files, &report, redact.New(append(secrets, given...)))
}

// judgedBy looks with the config that init kept, unless one was given.
func judgedBy(o *observe.Observer, r Request) (*observe.Observer, error) {
	if r.Config != nil {
		return o, nil
	}
	c, err := o.State().KeptConfig()
	if err != nil || c == nil {
		return o, err
	}
	kept := *o
	kept.Config = c
	return observe.Open(kept), nil
}

// collector gathers files of one machine.
type collector struct{ *observe.Observer }

// gathered is what a part has found.
type gathered struct {
	part   string
	files  []File
	unread []string
}

func (g *gathered) String() string {
	size := 0
	for _, f := range g.files {
		size += len(f.data)
	}
	text := fmt.Sprintf("%d files, %d kB", len(g.files), (size+999)/1000)
	if n := len(g.unread); n == 1 {
		text += "; not read: " + redact.Text(g.unread[0])
	} else if n > 1 {
		text += fmt.Sprintf("; not read: %d, see MANIFEST.json", n)
	}
	return text
}

func (g *gathered) add(name string, data []byte, cut bool) {
	g.files = append(g.files, File{Name: g.part + "/" + strings.TrimPrefix(name, "/"), data: data, Cut: cut})
}

// addJSON adds NAME.json, or says why there is no such value.
func (g *gathered) addJSON(name string, value any, err error) {
	var data []byte
	if err == nil {
		data, err = json.MarshalIndent(value, "", "  ")
	}
	if err != nil {
		g.miss(name, err)
		return
	}
	g.add(name+".json", append(data, '\n'), false)
}

// miss says why something is not in the archive. That it is not on the machine is
// no reason to name it.
func (g *gathered) miss(name string, err error) {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		g.unread = append(g.unread, name+": "+err.Error())
	}
}

// collect runs a part.
func collect(ctx context.Context, part part) *gathered {
	g, err := inTime(ctx, func(ctx context.Context) *gathered {
		g := &gathered{part: part.name}
		part.read(ctx, g)
		return g
	})
	if err != nil {
		return &gathered{part: part.name, unread: []string{part.name + ": " + err.Error()}}
	}
	return g
}

// inTime gives up what does not end in time: a read from a disk that hangs can't be stopped.
func inTime[T any](ctx context.Context, read func(context.Context) T) (result T, err error) {
	ctx, cancel := context.WithTimeout(ctx, partTimeout)
	defer cancel()
	done := make(chan T, 1)
	go func() { done <- read(ctx) }()
	select {
	case result = <-done:
		return result, nil
	case <-time.After(partTimeout + partGrace):
		return result, fmt.Errorf("no answer within %s", partTimeout)
	}
}

func writeArchive(w io.Writer, dir string, files []File, report *Report, r *redact.Redactor) error {
	zipped := gzip.NewWriter(w)
	archive := tar.NewWriter(zipped)
	total := 0
	for _, f := range files {
		text := r.Text(strings.ToValidUTF8(string(f.data), "?"))
		if total += len(text); total > maxArchive {
			report.Unread = append(report.Unread, f.Name+": the archive is full")
			continue
		}
		report.Redacted += strings.Count(text, redact.Mark)
		report.Files = append(report.Files, File{Name: f.Name, Bytes: len(text), Cut: f.Cut})
		if err := writeMember(archive, dir+"/"+f.Name, text); err != nil {
			return err
		}
	}
	for i, line := range report.Unread {
		report.Unread[i] = r.Text(line)
	}
	slices.SortFunc(report.Files, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	manifest, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	err = writeMember(archive, dir+"/MANIFEST.json", string(manifest)+"\n")
	return errors.Join(err, archive.Close(), zipped.Close())
}

func writeMember(archive *tar.Writer, name, text string) error {
	header := &tar.Header{Name: name, Mode: 0o600, Size: int64(len(text)), Typeflag: tar.TypeReg, ModTime: time.Now().Truncate(time.Second)}
	if err := archive.WriteHeader(header); err != nil {
		return err
	}
	_, err := io.WriteString(archive, text)
	return err
}
