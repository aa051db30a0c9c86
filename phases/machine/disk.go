package machine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Disk is the file system that a path lies on.
type Disk struct {
	Device             uint64 // the same for all paths on it
	Type               string // as mount shows it, of those that matter; empty for others
	ReadOnly, NoExec   bool
	Size, Free         uint64 // bytes; what is free for root
	Available          uint64 // bytes that are free for everybody
	Inodes, FreeInodes uint64 // zero where there is no such number
}

var diskTypes = map[int64]string{
	unix.TMPFS_MAGIC: "tmpfs", unix.OVERLAYFS_SUPER_MAGIC: "overlay", unix.NFS_SUPER_MAGIC: "nfs",
}

// Disk tells of the file system that path lies on, or would.
func (m Machine) Disk(path string) (Disk, error) {
	dir, err := m.nearest(path)
	if err != nil {
		return Disk{}, err
	}
	var st unix.Stat_t
	var fs unix.Statfs_t
	if err := errors.Join(unix.Stat(dir, &st), unix.Statfs(dir, &fs)); err != nil {
		return Disk{}, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	block := uint64(fs.Frsize)
	return Disk{
		Device: st.Dev, Type: diskTypes[fs.Type],
		ReadOnly: fs.Flags&unix.ST_RDONLY != 0, NoExec: fs.Flags&unix.ST_NOEXEC != 0,
		Size: fs.Blocks * block, Free: fs.Bfree * block, Available: fs.Bavail * block, Inodes: fs.Files, FreeInodes: fs.Ffree,
	}, nil
}

// nearest is path, or the first directory above it that is there.
func (m Machine) nearest(path string) (string, error) {
	for p := filepath.Clean(path); p != "/" && p != "."; p = filepath.Dir(p) {
		info, err := os.Stat(m.Path(p))
		if err == nil && info.IsDir() {
			return m.Path(p), nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return m.Path("/"), nil
}

const (
	walRecord  = 2300 // bytes that etcd writes at once, about
	walRecords = 22 << 20 / walRecord
	syncsLeast = 5 // fewer tell nothing

	// Of a disk that is clearly fast, so many writes tell enough: etcd's limit is 10 ms.
	syncsClear = 200
	syncFast   = 2 * time.Millisecond
)

// SyncLatency writes below path as etcd does, for as long as ctx lets it, and gives the
// time that 99 of 100 writes took at most until they were on the disk, and how many
// there were. The file has no name: nothing is left, whatever happens.
func (m Machine) SyncLatency(ctx context.Context, path string) (p99 time.Duration, count int, err error) {
	dir, err := m.nearest(path)
	if err != nil {
		return 0, 0, err
	}
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return 0, 0, &os.PathError{Op: "measure writes in", Path: dir, Err: err}
	}
	file := os.NewFile(uintptr(fd), "latency")
	defer file.Close()
	took, err := syncWrites(ctx, fd)
	if err != nil || len(took) < syncsLeast {
		return 0, len(took), err
	}
	return percentile99(took), len(took), nil
}

func syncWrites(ctx context.Context, fd int) ([]time.Duration, error) {
	record := make([]byte, walRecord)
	var took []time.Duration
	for len(took) < walRecords && ctx.Err() == nil && !clearlyFast(took) {
		start := time.Now()
		if _, err := unix.Write(fd, record); err != nil {
			return nil, err
		}
		if err := unix.Fdatasync(fd); err != nil {
			return nil, err
		}
		took = append(took, time.Since(start))
	}
	return took, nil
}

func clearlyFast(took []time.Duration) bool {
	return len(took) == syncsClear && percentile99(slices.Clone(took)) < syncFast
}

// percentile99 leaves out at least the slowest: once is no habit.
func percentile99(took []time.Duration) time.Duration {
	slices.Sort(took)
	return took[len(took)-1-max(1, len(took)/100)]
}
