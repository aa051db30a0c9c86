package phases

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"bootstrap/phases/bundle"
	"bootstrap/phases/host"
	"bootstrap/phases/plan"
	"bootstrap/phases/snapshot"
	"bootstrap/phases/spec"
)

// Snapshots is where archives lie: a folder of this machine, or one of a bucket.
type Snapshots struct {
	At     string // as the user names it
	host   *host.Host
	bucket *snapshot.Bucket // nil: At is a folder
}

// OpenBeside opens this machine for work on snapshots, beside whoever changes it. The config is the one that it was
// made with, or none.
func OpenBeside(root string, b *bundle.Bundle, to func(plan.Event)) (*Env, error) {
	e, err := NewEnv(root, to)
	if err != nil {
		return nil, err
	}
	e.Bundle = b
	if e.Host, err = openHostBy(host.OpenBeside, root); err != nil {
		return nil, err
	}
	if e.Config, err = e.State().KeptConfig(); err == nil && e.Config == nil {
		err = plan.Hint(errors.New("there is no control plane of bootstrap's on this machine"), "run it on one; a bare machine becomes one by: bootstrap etcd restore")
	}
	if err != nil {
		e.Close()
		return nil, err
	}
	return Open(e), nil
}

// OpenSnapshots opens a folder, or s3://BUCKET/FOLDER by a file that says where that is and who to be there.
func (e *Env) OpenSnapshots(at, bucketFile string) (*Snapshots, error) {
	if !snapshot.IsBucket(at) {
		if !path.IsAbs(at) {
			return nil, fmt.Errorf("%s: a folder is named from the root on, and a bucket as s3://BUCKET/FOLDER", at)
		}
		return &Snapshots{At: path.Clean(at), host: e.Host}, nil
	}
	data, err := e.Host.ReadFile(bucketFile)
	if errors.Is(err, fs.ErrNotExist) {
		err = plan.Hint(err, "write where the bucket is into it, see: bootstrap help snapshots")
	}
	if err != nil {
		return nil, err
	}
	if mode, err := e.Host.Mode(bucketFile); err != nil || mode&0o077 != 0 {
		return nil, plan.Hint(fmt.Errorf("%s holds a secret key, and others may read it (mode %04o)", bucketFile, mode), "chmod 600 %s", bucketFile)
	}
	b, err := snapshot.OpenBucket(at, data)
	if err != nil {
		return nil, fmt.Errorf("%s with %s: %w", at, bucketFile, err)
	}
	return &Snapshots{At: strings.TrimSuffix(at, "/"), host: e.Host, bucket: b}, nil
}

// SplitSnapshot parts an archive's address into where it lies and its name. A name alone lies in the default folder.
func SplitSnapshot(file string) (at, name string) {
	if !strings.Contains(file, "/") {
		return spec.SnapshotDir, file
	}
	i := strings.LastIndexByte(file, '/')
	return file[:max(i, 1)], file[i+1:]
}

func (s *Snapshots) file(name string) string { return s.At + "/" + name }

// open reads an archive or the note beside it.
func (s *Snapshots) open(ctx context.Context, name string) (io.ReadCloser, error) {
	if s.bucket != nil {
		return s.bucket.Get(ctx, name)
	}
	info, err := os.Stat(s.host.Path(s.file(name)))
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: s.file(name), Err: errors.New("not a regular file")}
	}
	if err != nil {
		return nil, err
	}
	return os.Open(s.host.Path(s.file(name)))
}

// put stores an archive that write makes, as a whole.
func (s *Snapshots) put(ctx context.Context, name string, write func(io.Writer) error) (written host.Written, err error) {
	if s.bucket == nil {
		if err := s.host.DirUnrecorded(s.At); err != nil {
			return written, err
		}
		for _, left := range s.host.Globs([]string{s.At + "/.snapshot-*.bootstrap"}) { // of runs that were killed
			_, _ = s.host.RemoveUnrecorded(left) // else it only takes room
		}
		return s.host.StreamUnrecorded(s.file(name), 0o600, write)
	}
	err = s.host.Scratch("bootstrap-upload", func(dir string) error {
		if written, err = s.host.StreamUnrecorded(dir+"/"+name, 0o600, write); err != nil {
			return err
		}
		f, err := os.Open(s.host.Path(dir + "/" + name))
		if err != nil {
			return err
		}
		defer f.Close()
		return s.bucket.Put(ctx, name, f, written.Size)
	})
	return written, err
}

// note writes what is known of an archive. The archive counts from then on.
func (s *Snapshots) note(ctx context.Context, e snapshot.Entry) error {
	data, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	if s.bucket != nil {
		return s.bucket.Write(ctx, snapshot.NoteOf(e.Name), data)
	}
	_, err = s.host.WriteUnrecorded(s.file(snapshot.NoteOf(e.Name)), data, 0o600)
	return err
}

// remove removes the note first: an archive without one does not count.
func (s *Snapshots) remove(ctx context.Context, name string) error {
	for _, each := range []string{snapshot.NoteOf(name), name} {
		var err error
		if s.bucket != nil {
			err = s.bucket.Remove(ctx, each)
		} else {
			_, err = s.host.RemoveUnrecorded(s.file(each))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// List lists the archives, the newest first, those as well that do not count.
func (s *Snapshots) List(ctx context.Context) ([]snapshot.Entry, error) {
	sizes, err := s.sizes(ctx)
	if err != nil {
		return nil, err
	}
	all := []snapshot.Entry{}
	for name, size := range sizes {
		if snapshot.IsName(name) {
			all = append(all, s.entry(ctx, name, size))
		}
	}
	snapshot.Newest(all)
	return all, nil
}

func (s *Snapshots) sizes(ctx context.Context) (map[string]int64, error) {
	if s.bucket != nil {
		return s.bucket.Sizes(ctx)
	}
	sizes := map[string]int64{}
	files, err := os.ReadDir(s.host.Path(s.At))
	if errors.Is(err, fs.ErrNotExist) {
		return sizes, nil
	}
	for _, f := range files {
		if info, err := f.Info(); err == nil && info.Mode().IsRegular() {
			sizes[f.Name()] = info.Size()
		}
	}
	return sizes, err
}

// entry is an archive by the note beside it.
func (s *Snapshots) entry(ctx context.Context, name string, size int64) snapshot.Entry {
	e, err := s.readNote(ctx, name)
	switch {
	case err != nil:
		return snapshot.Entry{Name: name, Size: size, Problem: "it has no note beside it that can be read: it was not written to its end, or only copied"}
	case e.Size != size:
		e.Problem = fmt.Sprintf("it has %d bytes, and had %d", size, e.Size)
	}
	e.Name, e.Size = name, size
	return e
}

func (s *Snapshots) readNote(ctx context.Context, name string) (e snapshot.Entry, err error) {
	r, err := s.open(ctx, snapshot.NoteOf(name))
	if err != nil {
		return e, err
	}
	defer r.Close()
	return e, json.NewDecoder(io.LimitReader(r, 4<<20)).Decode(&e)
}

// Prune removes what is neither among the newest nor kept for its day, and gives it. The last archive that is
// proven stays, and all stay where none is.
func (e *Env) Prune(ctx context.Context, s *Snapshots, keep, days int) ([]snapshot.Entry, error) {
	all, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	cluster, err := e.clusterHash()
	if err != nil {
		return nil, err
	}
	gone := snapshot.Surplus(all, cluster, keep, days)
	for i, each := range gone {
		if err := s.remove(ctx, each.Name); err != nil {
			return gone[:i], err
		}
	}
	return slices.Clip(gone), nil
}
