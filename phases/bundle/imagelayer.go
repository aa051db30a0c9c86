package bundle

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	programDir = "usr/local/bin"
	passwd     = "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"
	group      = "root:x:0:\nnobody:x:65534:\n"
)

// item is one file, folder or link of an archive.
type item struct {
	name string // of a folder with a slash at its end
	mode int64
	size int64
	link string // where a symbolic link leads
	file string // where the content lies; empty: it is data
	data string
}

// layerItems lists what an image holds, sorted, so that folders come before their files.
func layerItems(s Source) ([]item, error) {
	items := []item{
		{name: "etc/", mode: 0o755},
		dataItem("etc/group", group),
		dataItem("etc/passwd", passwd),
		{name: "tmp/", mode: 0o1777},
		{name: "usr/", mode: 0o755},
		{name: "usr/local/", mode: 0o755},
		{name: programDir + "/", mode: 0o755},
	}
	for _, program := range s.programs() {
		i, err := fileItem(programDir+"/"+filepath.Base(program), program)
		if err != nil {
			return nil, err
		}
		items = append(items, i)
	}
	if s.Tree != "" {
		tree, err := treeItems(s.Tree)
		if err != nil {
			return nil, err
		}
		items = append(items, tree...)
	}
	return uniqueItems(items)
}

// dataItem is a small file whose content is at hand.
func dataItem(name, data string) item {
	return item{name: name, mode: 0o644, size: int64(len(data)), data: data}
}

func uniqueItems(items []item) ([]item, error) {
	slices.SortStableFunc(items, func(a, b item) int { return strings.Compare(a.name, b.name) })
	items = slices.CompactFunc(items, func(a, b item) bool { return a.name == b.name && a.isDir() })
	for n, i := range items[1:] {
		if strings.TrimSuffix(i.name, "/") == strings.TrimSuffix(items[n].name, "/") {
			return nil, fmt.Errorf("two files would lie at /%s", i.name)
		}
	}
	return items, nil
}

func (i item) isDir() bool { return strings.HasSuffix(i.name, "/") }

// treeItems lists a folder whose content goes to the root of the image.
func treeItems(root string) ([]item, error) {
	var items []item
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || file == root && d.IsDir() {
			return err
		}
		i, err := treeItem(root, file, d.Type())
		items = append(items, i)
		return err
	})
	return items, err
}

func treeItem(root, file string, kind fs.FileMode) (item, error) {
	name, err := filepath.Rel(root, file)
	if err != nil || name == "." {
		return item{}, fmt.Errorf("%s is no folder", file)
	}
	switch kind {
	case fs.ModeDir:
		return item{name: name + "/", mode: 0o755}, nil
	case fs.ModeSymlink:
		return linkItem(name, file)
	case 0:
		return fileItem(name, file)
	}
	return item{}, fmt.Errorf("%s is neither a file nor a folder nor a link", file)
}

// fileItem keeps of a file's mode whether it can be run.
func fileItem(name, file string) (item, error) {
	info, err := os.Stat(file)
	if err != nil {
		return item{}, err
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	return item{name: name, mode: mode, size: info.Size(), file: file}, nil
}

// linkItem refuses links out of the image: what unpacks it might follow them.
func linkItem(name, file string) (item, error) {
	to, err := os.Readlink(file)
	if err != nil {
		return item{}, err
	}
	if filepath.IsAbs(to) || !filepath.IsLocal(filepath.Join(filepath.Dir(name), to)) {
		return item{}, fmt.Errorf("%s leads out of the image, to %s", file, to)
	}
	return item{name: name, mode: 0o777, link: to}, nil
}

func writeLayer(ctx context.Context, w io.Writer, items []item) error {
	tw := tar.NewWriter(w)
	for _, i := range items {
		if err := i.write(ctx, tw); err != nil {
			return err
		}
	}
	return tw.Close()
}

func (i item) write(ctx context.Context, w *tar.Writer) error {
	if err := addHeader(w, tar.Header{Name: i.name, Mode: i.mode, Size: i.size, Linkname: i.link}); err != nil {
		return err
	}
	if i.file == "" {
		return write(w, []byte(i.data))
	}
	f, err := openRegular(i.file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, ctxReader{ctx, io.NewSectionReader(f, 0, i.size)})
	return err
}
