package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// nameOnly are folders whose files are compared by name, kind, mode and owner:
// what is in them is written anew by whoever runs.
var nameOnly = []string{"/dev", "/run", "/var/lib/systemd"}

// readFiles gives path -> kind, mode, owner, content's hash or link's target, and
// extended attributes of all files below dir, across mounts.
func readFiles(dir string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if isLeft(unwatchedFiles, path) {
			return skip(entry)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone since it was listed
		}
		if err != nil {
			return err
		}
		described, err := describe(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		files[path] = described
		return err
	})
	return files, err
}

// skip leaves out the entry; for a file SkipDir would leave out its siblings too.
func skip(entry fs.DirEntry) error {
	if entry != nil && entry.IsDir() {
		return filepath.SkipDir
	}
	return nil
}

func describe(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return "", &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	content, err := contentOf(path, st)
	if err != nil {
		return "", err
	}
	attributes, err := attributesOf(path)
	if err != nil {
		return "", err
	}
	kind := kinds[st.Mode&unix.S_IFMT]
	return strings.TrimRight(fmt.Sprintf("%s %o %d:%d %s %s", kind, st.Mode&0o7777, st.Uid, st.Gid, content, attributes), " "), nil
}

var kinds = map[uint32]string{
	unix.S_IFREG: "f", unix.S_IFDIR: "d", unix.S_IFLNK: "l", unix.S_IFSOCK: "s",
	unix.S_IFIFO: "p", unix.S_IFCHR: "c", unix.S_IFBLK: "b",
}

func contentOf(path string, st unix.Stat_t) (string, error) {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		return os.Readlink(path)
	case unix.S_IFCHR, unix.S_IFBLK:
		return fmt.Sprintf("%d,%d", unix.Major(st.Rdev), unix.Minor(st.Rdev)), nil
	case unix.S_IFREG:
		return hash(path)
	}
	return "", nil
}

func hash(path string) (string, error) {
	for _, dir := range nameOnly {
		if strings.HasPrefix(path, dir+"/") {
			return "", nil
		}
	}
	if path == "/etc/hosts" {
		return hashHosts(path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// nodes are the lines that scripts/node writes when any node comes or goes.
var nodes = regexp.MustCompile(`(?s)# nodes\n.*# end of nodes\n`)

func hashHosts(path string) (string, error) {
	data, err := os.ReadFile(path)
	return fmt.Sprintf("%x", sha256.Sum256(nodes.ReplaceAll(data, nil))), err
}

// attributesOf lists names and values, sorted by the kernel.
func attributesOf(path string) (string, error) {
	names := make([]byte, 4096)
	n, err := unix.Llistxattr(path, names)
	if errors.Is(err, unix.ENOTSUP) || n == 0 {
		return "", nil
	}
	if err != nil {
		return "", &fs.PathError{Op: "listxattr", Path: path, Err: err}
	}
	var all []string
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00") {
		value := make([]byte, 64<<10)
		size, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			return "", &fs.PathError{Op: "getxattr " + name, Path: path, Err: err}
		}
		all = append(all, fmt.Sprintf("%s=%x", name, value[:size]))
	}
	return strings.Join(all, " "), nil
}
