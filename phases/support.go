package phases

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

	"bootstrap/phases/redact"
)

const (
	supportPatience = 5 * time.Second // for each part
	supportGrace    = time.Second     // for a part to give what it has when time is up
	maxSupportFile  = 256 << 10       // bytes of a file's end
	maxSupportText  = 2 << 20         // bytes of what a program prints
	maxSupport      = 32 << 20        // bytes of all files together
)

// SupportRequest is what an archive is made from, beside the machine.
type SupportRequest struct {
	Version  string // of bootstrap
	Name     string // of the folder in the archive
	Config   []byte // the config file, if one was given
	NoConfig error  // why Env has no Config
}

// SupportReport is what an archive holds, and what it lacks.
type SupportReport struct {
	Files    []SupportFile `json:"files"`
	Unread   []string      `json:"unread"`   // each with its reason
	Redacted int           `json:"redacted"` // places where a secret was taken out
}

// SupportFile is a file in the archive.
type SupportFile struct {
	Name  string `json:"name"`
	Bytes int    `json:"bytes"`
	Cut   bool   `json:"cut,omitempty"` // only its end
	data  []byte
}

// supportPart gathers files that belong together.
type supportPart struct {
	name string
	read func(context.Context, *gathered)
}

func (e *Env) supportParts(r SupportRequest) []supportPart {
	return []supportPart{
		{"versions", func(ctx context.Context, g *gathered) { e.supportVersions(ctx, g, r.Version) }},
		{"config", func(_ context.Context, g *gathered) { e.supportConfig(g, r) }},
		{"machine", e.supportMachine},
		{"units", e.supportUnits},
		{"journal", e.supportJournal},
		{"files", e.supportFiles},
		{"certificates", e.supportCertificates},
		{"runtime", e.supportRuntime},
		{"ledger", e.supportLedger},
		{"diagnosis", func(ctx context.Context, g *gathered) { e.supportDiagnosis(ctx, g, r.NoConfig) }},
		{"logs", e.supportLogs},
	}
}

// WriteSupport writes an archive of what helps others to see what is wrong with this
// machine, without its secrets: a tar.gz. It needs nothing of the cluster to run, and
// changes nothing.
func WriteSupport(ctx context.Context, env *Env, r SupportRequest, w io.Writer) (SupportReport, error) {
	var files []SupportFile
	var report SupportReport
	env, err := env.judgedBy(r)
	if err != nil {
		report.Unread = append(report.Unread, err.Error())
	}
	for _, part := range env.supportParts(r) {
		g := collect(ctx, part)
		if ctx.Err() != nil {
			return report, context.Cause(ctx)
		}
		env.Tell.For(part.name).Note("%s", g)
		files = append(files, g.files...)
		report.Unread = append(report.Unread, g.unread...)
	}
	secrets, err := env.knownSecrets(ctx, files)
	if err != nil {
		return report, err
	}
	given, _ := givenSecrets(r.Config)
	return report, writeSupport(w, r.Name, files, &report, redact.New(append(secrets, given...)))
}

// judgedBy opens env with the config that init kept, unless one was given.
func (e *Env) judgedBy(r SupportRequest) (*Env, error) {
	if r.Config != nil {
		return e, nil
	}
	c, err := e.RememberedConfig()
	if err == nil && c == nil {
		c, err = e.standaloneConfig()
	}
	if err != nil || c == nil {
		return e, err
	}
	kept := *e
	kept.Config = c
	return Open(kept), nil
}

// gathered is what a part has found.
type gathered struct {
	part   string
	files  []SupportFile
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
	g.files = append(g.files, SupportFile{Name: g.part + "/" + strings.TrimPrefix(name, "/"), data: data, Cut: cut})
}

func (g *gathered) addJSON(name string, value any) {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		g.miss(name, err)
		return
	}
	g.add(name, append(data, '\n'), false)
}

// miss says why something is not in the archive. That it is not on the machine is
// no reason to name it.
func (g *gathered) miss(name string, err error) {
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		g.unread = append(g.unread, name+": "+err.Error())
	}
}

// collect runs a part. What does not end in time is given up: a read from a disk that
// hangs can't be stopped.
func collect(ctx context.Context, part supportPart) *gathered {
	ctx, cancel := context.WithTimeout(ctx, supportPatience)
	defer cancel()
	done := make(chan *gathered, 1)
	go func() {
		g := &gathered{part: part.name}
		part.read(ctx, g)
		done <- g
	}()
	select {
	case g := <-done:
		return g
	case <-time.After(supportPatience + supportGrace):
		return &gathered{part: part.name, unread: []string{part.name + ": no answer within " + supportPatience.String()}}
	}
}

func writeSupport(w io.Writer, dir string, files []SupportFile, report *SupportReport, r *redact.Redactor) error {
	zipped := gzip.NewWriter(w)
	archive := tar.NewWriter(zipped)
	total := 0
	for _, f := range files {
		text := r.Text(strings.ToValidUTF8(string(f.data), "?"))
		if total += len(text); total > maxSupport {
			report.Unread = append(report.Unread, f.Name+": the archive is full")
			continue
		}
		report.Redacted += strings.Count(text, redact.Mark)
		f.Bytes = len(text)
		report.Files = append(report.Files, SupportFile{Name: f.Name, Bytes: f.Bytes, Cut: f.Cut})
		if err := writeMember(archive, dir+"/"+f.Name, text); err != nil {
			return err
		}
	}
	for i, line := range report.Unread {
		report.Unread[i] = r.Text(line)
	}
	slices.SortFunc(report.Files, func(a, b SupportFile) int { return cmp.Compare(a.Name, b.Name) })
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
