// Package patch reads a folder of patches, named as kubeadm names them, and applies
// them to what init renders. It knows no config and writes nothing.
package patch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	kubeyaml "k8s.io/apimachinery/pkg/util/yaml"
	kubeletv1 "k8s.io/kubelet/config/v1beta1"
	"sigs.k8s.io/yaml"
)

// Targets besides the four static pods, which go by their own names.
const (
	Kubelet = "kubeletconfiguration"
	CoreDNS = "corednsdeployment"
)

// Set is the patches of a folder. Without any, objects keep their bytes.
type Set struct {
	// Files are the folder's, with their contents, by name.
	Files map[string]string
	// patches are by target, in the order of the files' names.
	patches map[string][]patch
}

// Has tells whether there are patches for a target.
func (s Set) Has(target string) bool { return len(s.patches[target]) > 0 }

// patch is one document of a file, as JSON.
type patch struct {
	file string
	kind string // strategic, merge or json
	data []byte
}

const targets = "etcd|kube-apiserver|kube-controller-manager|kube-scheduler|" + Kubelet + "|" + CoreDNS

var fileName = regexp.MustCompile(`^(` + targets + `)[^+/]*?(?:\+(strategic|merge|json))?\.(?:yaml|json)$`)

// Read reads all files of a folder; see Parse.
func Read(dir string) (Set, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return Set{}, err
	}
	files := map[string]string{}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return Set{}, err
		}
		files[entry.Name()] = string(data)
	}
	return Parse(dir, files)
}

// Parse takes files TARGET[SUFFIX][+strategic|+merge|+json].{yaml,json}, in the order of
// their names. A file of another name is an error: it would have no effect. dir, where they
// are or were, is for messages.
func Parse(dir string, files map[string]string) (Set, error) {
	set := Set{files, map[string][]patch{}}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		file, parts := filepath.Join(dir, name), fileName.FindStringSubmatch(name)
		if parts == nil {
			return Set{}, fmt.Errorf("%s: want a name TARGET[SUFFIX][+strategic|+merge|+json].yaml, TARGET one of %s",
				file, strings.ReplaceAll(targets, "|", ", "))
		}
		target, kind := parts[1], parts[2]
		patches, err := parse(file, kind, files[name])
		if err != nil {
			return Set{}, fmt.Errorf("%s: %w", file, err)
		}
		set.patches[target] = append(set.patches[target], patches...)
	}
	return set, nil
}

func parse(file, kind, text string) ([]patch, error) {
	var patches []patch
	for documents := kubeyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text))); ; {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return patches, nil
		}
		if err != nil {
			return nil, err
		}
		asJSON, err := yaml.YAMLToJSONStrict(document)
		if err != nil {
			return nil, err
		}
		if string(asJSON) != "null" { // nothing but comments
			patches = append(patches, patch{file, kind, asJSON})
		}
	}
}

// Apply gives the object, YAML, with the target's patches, each over the ones before.
func (s Set) Apply(target string, object []byte) ([]byte, error) {
	if !s.Has(target) {
		return object, nil
	}
	patched, err := yaml.YAMLToJSONStrict(object)
	if err != nil {
		return nil, err
	}
	for _, p := range s.patches[target] {
		if patched, err = p.apply(target, patched); err != nil {
			return nil, fmt.Errorf("%s: %w", p.file, err)
		}
	}
	return yaml.JSONToYAML(patched)
}

func (p patch) apply(target string, object []byte) ([]byte, error) {
	switch p.kind {
	case "merge":
		return jsonpatch.MergePatch(object, p.data)
	case "json":
		operations, err := jsonpatch.DecodePatch(p.data)
		if err != nil {
			return nil, err
		}
		return operations.Apply(object)
	}
	return strategicpatch.StrategicMergePatch(object, p.data, schemaOf(target))
}

// schemaOf is the type whose tags say how lists are merged.
func schemaOf(target string) any {
	switch target {
	case Kubelet:
		return kubeletv1.KubeletConfiguration{}
	case CoreDNS:
		return appsv1.Deployment{}
	}
	return corev1.Pod{}
}
