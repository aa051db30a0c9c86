// Package podmanifest judges the manifest of a static pod before a kubelet is given it:
// what can't be one is refused with file, line, field and reason. It only reads: it knows
// neither this machine nor its other pods.
package podmanifest

import (
	_ "embed" // of the list of fields
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	sigsyaml "sigs.k8s.io/yaml"

	"bootstrap/phases/locate"
)

// MaxSize is what a kubelet reads of a file: it takes none that is longer.
const MaxSize = 10 << 20

// podFields are the names of all fields of a Pod, one a line, kept by TestFieldList.
//
//go:embed fields.txt
var podFields string

// Parse reads a static pod's manifest, YAML or JSON, and refuses what no kubelet could
// run: all findings at once, each an error that begins with file and line. It also gives, in
// the same form, what a kubelet takes and does not do as people expect.
func Parse(file string, data []byte) (pod *corev1.Pod, warnings []error, err error) {
	if len(data) > MaxSize {
		return nil, nil, fmt.Errorf("%s: it is longer than what a kubelet takes, %d bytes", file, MaxSize)
	}
	var why reasons
	if err := sigsyaml.UnmarshalStrict(reasonsFile, &why); err != nil {
		return nil, nil, err
	}
	root, err := parse(data)
	if err == nil {
		err = checkKind(root, why.Kinds)
	}
	if err != nil {
		return nil, nil, errors.Join(locate.Errors(file, err, nil)...)
	}
	fields, pod := strings.Fields(podFields), &corev1.Pod{}
	all, err := locate.Strict[corev1.Pod](root, data, fields, nil) // all that is written, by the names of its fields
	if err == nil {
		err = runtime.DefaultUnstructuredConverter.FromUnstructured(all, pod)
	}
	if err != nil {
		return nil, nil, errors.Join(locate.Errors(file, err, fields)...)
	}
	c := &check{file: file, root: root, why: why}
	c.pod(pod, all)
	return pod, sorted(c.odd), errors.Join(sorted(c.errs)...)
}

// parse gives the root of the one document that there may be.
func parse(data []byte) (*yaml.Node, error) {
	root, next, err := locate.Root(data)
	switch {
	case err != nil:
		return nil, err
	case root == nil || root.Tag == "!!null":
		return nil, errors.New("it is empty: a static pod's manifest is one Pod")
	case next != nil:
		return nil, fmt.Errorf("line %d: a second document begins here, and a kubelet reads only the first of a file: put each in a file of its own", next.Line)
	case root.Kind != yaml.MappingNode:
		return nil, fmt.Errorf("line %d: this is no Pod: want a mapping that begins with apiVersion: v1 and kind: Pod", root.Line)
	}
	return root, nil
}
