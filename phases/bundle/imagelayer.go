package bundle

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	passwd = "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n"
	group  = "root:x:0:\nnobody:x:65534:\n"
)

// layerItems lists what an image holds, sorted, so that folders come before their files.
func layerItems(s Source, arch string) ([]item, error) {
	items := []item{
		{name: "etc/", mode: 0o755},
		{name: "etc/group", mode: 0o644, data: []byte(group)},
		{name: "etc/passwd", mode: 0o644, data: []byte(passwd)},
		{name: "tmp/", mode: 0o1777},
		{name: "usr/", mode: 0o755},
		{name: "usr/local/", mode: 0o755},
		{name: "usr/local/bin/", mode: 0o755},
	}
	for _, file := range append([]string{s.File}, s.More...) {
		program, err := readProgram(file, arch, true)
		if err != nil {
			return nil, err
		}
		items = append(items, item{name: programPath(file), mode: 0o755, data: program})
	}
	if s.Tree != "" {
		tree, err := treeItems(s.Tree)
		if err != nil {
			return nil, err
		}
		items = append(items, tree...)
	}
	slices.SortStableFunc(items, func(a, b item) int { return strings.Compare(a.name, b.name) })
	items = slices.CompactFunc(items, func(a, b item) bool { return a.name == b.name && a.isDir() })
	for n, i := range items[1:] {
		if strings.TrimSuffix(i.name, "/") == strings.TrimSuffix(items[n].name, "/") {
			return nil, fmt.Errorf("two files would lie at /%s", i.name)
		}
	}
	return items, nil
}

// treeItems lists a folder whose content goes to the root of the image.
func treeItems(root string) ([]item, error) {
	var items []item
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || file == root {
			return err
		}
		i, err := treeItem(file, d)
		i.name = strings.TrimPrefix(file, root+"/") + i.name
		items = append(items, i)
		return err
	})
	return items, err
}

// treeItem is one file of a tree. Its name is what follows its path: a folder's slash.
func treeItem(file string, d fs.DirEntry) (item, error) {
	info, err := d.Info()
	if err != nil {
		return item{}, err
	}
	switch d.Type() {
	case fs.ModeDir:
		return item{name: "/", mode: 0o755}, nil
	case fs.ModeSymlink:
		to, err := os.Readlink(file)
		return item{mode: 0o777, link: to}, err
	case 0:
		mode := int64(0o644)
		if info.Mode()&0o111 != 0 {
			mode = 0o755
		}
		data, err := os.ReadFile(file)
		return item{mode: mode, data: data}, err
	}
	return item{}, fmt.Errorf("%s is neither a file nor a folder nor a link", file)
}
