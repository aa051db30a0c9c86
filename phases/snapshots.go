package phases

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"bootstrap/phases/bundle"
	"bootstrap/phases/host"
	"bootstrap/phases/plan"
	"bootstrap/phases/snapshot"
	"bootstrap/phases/spec"
)

// Snapshots is where archives lie. They are the user's own: none of it stands in the ledger.
type Snapshots struct {
	At         string           // as the user names it
	Identities []byte           // age's, for archives that are encrypted
	host       *host.Host       // on which At is a folder
	bucket     *snapshot.Bucket // in its place
}

// OpenForSnapshots opens this machine for work on snapshots, beside whoever changes it: without its lock, and so with
// a Host that only plans. The config is the one that the cluster was made with.
func OpenForSnapshots(root string, b *bundle.Bundle, to func(plan.Event)) (*Env, error) {
	e, err := OpenMachine(root, true, to)
	if err != nil {
		return nil, err
	}
	e.Bundle = b
	if err := e.needCluster(); err != nil {
		e.Close()
		return nil, err
	}
	return Open(e), nil
}

// needCluster takes the config that the cluster on this machine was made with.
func (e *Env) needCluster() (err error) {
	if e.Config, err = e.State().RememberedConfig(); err == nil && e.Config == nil {
		err = plan.Hint(errors.New("there is no control plane of bootstrap's on this machine"), "run it on one; a bare machine becomes one by: bootstrap etcd restore")
	}
	return err
}

// OpenSnapshots opens a folder, or s3://BUCKET/FOLDER by the file that says where that is and who to be there.
func (e *Env) OpenSnapshots(at string) (*Snapshots, error) {
	if !snapshot.IsBucket(at) {
		if !path.IsAbs(at) {
			return nil, fmt.Errorf("%s: a folder is named from the root on, and a bucket as s3://BUCKET/FOLDER", at)
		}
		return &Snapshots{At: path.Clean(at), host: e.Host}, nil
	}
	const file = spec.SnapshotBucket
	data, err := e.Host.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		err = plan.Hint(err, "write where the bucket is into it, see: bootstrap help snapshots")
	}
	if err != nil {
		return nil, err
	}
	if mode, err := e.Host.Mode(file); err != nil || mode&0o077 != 0 {
		return nil, plan.Hint(fmt.Errorf("%s holds a secret key, and others may read it (mode %04o)", file, mode), "chmod 600 %s", file)
	}
	b, err := snapshot.OpenBucket(at, data)
	if err != nil {
		return nil, fmt.Errorf("%s with %s: %w", at, file, err)
	}
	return &Snapshots{At: strings.TrimSuffix(at, "/"), bucket: b}, nil
}

// SplitSnapshot parts an archive's address into where it lies and its name. A name alone lies in the default folder.
func SplitSnapshot(file string) (at, name string) {
	at, name = path.Split(file)
	return cmp.Or(at, spec.SnapshotDir), name
}

// open reads an archive or the note beside it.
func (s *Snapshots) open(ctx context.Context, name string) (io.ReadCloser, error) {
	if s.bucket != nil {
		return s.bucket.Get(ctx, name)
	}
	return os.Open(s.host.Path(s.At + "/" + name))
}

// put stores an archive, or what else belongs there, as a whole.
func (s *Snapshots) put(ctx context.Context, name string, write func(io.Writer) error) error {
	if s.bucket != nil {
		return s.bucket.Put(ctx, name, write)
	}
	folder, err := s.host.UserFolder(s.At)
	if err != nil {
		return err
	}
	defer folder.Close()
	left, _ := fs.Glob(folder.FS(), ".bootstrap-*") // of runs that were killed
	for _, file := range left {
		if info, err := folder.Stat(file); err == nil && time.Since(info.ModTime()) > time.Hour {
			_ = folder.Remove(file) // else it only takes room
		}
	}
	return bundle.WriteWhole(folder.Name()+"/"+name, 0o600, write)
}

// note writes what is known of an archive, which counts from then on.
func (s *Snapshots) note(ctx context.Context, e snapshot.Entry) error {
	return s.put(ctx, snapshot.NoteOf(e.Name), func(w io.Writer) error { return json.NewEncoder(w).Encode(e) })
}

func (s *Snapshots) remove(ctx context.Context, name string) error {
	if s.bucket != nil {
		return s.bucket.Remove(ctx, name)
	}
	folder, err := s.host.UserFolder(s.At)
	if err != nil {
		return err
	}
	defer folder.Close()
	return folder.RemoveAll(name)
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

// List lists the archives, the newest first, those as well that do not count.
func (s *Snapshots) List(ctx context.Context) ([]snapshot.Entry, error) {
	sizes, err := s.sizes(ctx)
	all := []snapshot.Entry{}
	for name, size := range sizes {
		if !snapshot.IsName(name) {
			continue
		}
		e, err := s.readNote(ctx, name)
		switch {
		case err != nil:
			e.Problem = "it has no note beside it that can be read: it was not written to its end, or only copied"
		case e.Size != size:
			e.Problem = fmt.Sprintf("it has %d bytes, and had %d", size, e.Size)
		}
		e.Name, e.Size = name, size
		all = append(all, e)
	}
	snapshot.Newest(all)
	return all, err
}

func (s *Snapshots) readNote(ctx context.Context, name string) (e snapshot.Entry, err error) {
	r, err := s.open(ctx, snapshot.NoteOf(name))
	if err != nil {
		return e, err
	}
	defer r.Close()
	err = json.NewDecoder(io.LimitReader(r, 4<<20)).Decode(&e)
	return e, err
}

// Prune removes what is neither among the newest nor kept for its day, and gives it: the note first, as an archive
// without one does not count.
func (e *Env) Prune(ctx context.Context, s *Snapshots, run Scheduled) ([]snapshot.Entry, error) {
	all, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	cluster, err := e.clusterHash()
	if err != nil {
		return nil, err
	}
	gone := snapshot.Surplus(all, cluster, run.Keep, run.Days)
	for i, each := range gone {
		err := s.remove(ctx, snapshot.NoteOf(each.Name))
		if err == nil {
			err = s.remove(ctx, each.Name)
		}
		if err != nil {
			return gone[:i], err
		}
	}
	return gone, nil
}
