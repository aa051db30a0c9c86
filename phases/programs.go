package phases

import (
	"context"
	"fmt"
	"io"
	"os"

	"bootstrap/phases/bundle"
	"bootstrap/phases/host"
)

// programDirs are where programs of the machine are looked for.
var programDirs = []string{"/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/opt/bin"}

// foreignProgram is the path of a program that bootstrap did not install, or "".
func (e *Env) foreignProgram(name string) string {
	for _, dir := range programDirs {
		path := dir + "/" + name
		info, err := os.Stat(e.Host.Path(path))
		if err == nil && info.Mode().IsRegular() && !e.made(path) {
			return path
		}
	}
	return ""
}

// made tells whether the path is there only because bootstrap made it, by whatever name:
// Fedora's /usr/local/sbin is a link to bin.
func (e *Env) made(path string) bool {
	if e.madeAs(path) {
		return true
	}
	resolved := e.Host.Resolve(path)
	return resolved != path && e.madeAs(resolved)
}

func (e *Env) madeAs(path string) bool {
	for _, r := range e.Host.Entries() {
		if r.Target == path && !r.Undone && r.Before.Kind == host.Absent {
			return true
		}
	}
	return false
}

// installPrograms installs programs of the bundle that the cluster cannot do without.
func (e *Env) installPrograms(ctx context.Context, dir string, names ...string) error {
	if e.Bundle == nil {
		return e.keepPrograms(dir, names)
	}
	var entries []bundle.Entry
	for _, name := range names {
		entry, ok := e.Bundle.Entry(bundle.Binary, name)
		if !ok {
			return fmt.Errorf("%s is not in the bundle %s", name, e.Bundle.Path())
		}
		entries = append(entries, entry)
	}
	return e.installEntries(ctx, entries, dir)
}

// keepPrograms is enough for a run without a bundle where one before had it.
func (e *Env) keepPrograms(dir string, names []string) error {
	for _, name := range names {
		if path := dir + "/" + name; !e.made(path) || !e.exists(path) {
			return withHint(fmt.Errorf("%s is not there, and there is no bundle to install it from", path),
				"use an executable with a bundle inside, or give --bundle FILE")
		}
	}
	return nil
}

// installEntries installs two at a time: more would only take memory.
func (e *Env) installEntries(ctx context.Context, entries []bundle.Entry, dir string) error {
	return each(len(entries), 2, func(i int) error { return e.installProgram(ctx, entries[i], dir) })
}

// installTools installs programs for people, where the bundle has them and the
// machine does not.
func (e *Env) installTools(ctx context.Context, names ...string) error {
	if e.Bundle == nil {
		return nil
	}
	var entries []bundle.Entry
	for _, name := range names {
		entry, ok := e.Bundle.Entry(bundle.Binary, name)
		if !ok {
			continue
		}
		if path := e.foreignProgram(name); path != "" {
			e.note("%s: %s is there already, and stays as it is", name, path)
			continue
		}
		entries = append(entries, entry)
	}
	return e.installEntries(ctx, entries, binDir)
}

func (e *Env) installProgram(ctx context.Context, entry bundle.Entry, dir string) error {
	_, err := e.Host.WriteStream(dir+"/"+entry.Name, 0o755, entry.SHA256, func(w io.Writer) error {
		return e.Bundle.Read(ctx, entry, func(r io.Reader) error {
			_, err := io.Copy(w, r)
			return err
		})
	})
	return err
}
