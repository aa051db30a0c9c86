package podmanifest

import (
	_ "embed" // of the reasons
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"bootstrap/phases/locate"
)

//go:embed reasons.yaml
var reasonsFile []byte

// reasons say why a static pod can't be or have something, and what to do instead.
type reasons struct {
	Kinds      map[string]string   // that are no Pod
	Fields     map[string]string   // that a static pod may not have
	Odd        map[string]string   // fields that a kubelet takes, and that do not do what people expect
	Words      map[string][]string // that fields may hold
	Least      map[string]int64    // of numbers
	References map[string]string   // to what an API server keeps
}

// checkKind wants a Pod, and says of the rest what to use in its place.
func checkKind(root *yaml.Node, kinds map[string]string) error {
	version, kind := locate.Text(root, "apiVersion"), locate.Text(root, "kind")
	at := locate.Line(root, "kind")
	switch {
	case kind == "":
		return fmt.Errorf("line %d: it has no kind, want kind: Pod", root.Line)
	case kinds[kind] != "":
		return fmt.Errorf("line %d: a %s can't be a static pod: %s", at, kind, kinds[kind])
	case kind != "Pod" && strings.EqualFold(kind, "Pod"):
		return fmt.Errorf("line %d: kind is %q, want Pod", at, kind)
	case kind != "Pod":
		return fmt.Errorf("line %d: a kubelet runs Pods and nothing else, this is of kind %q: apply it to a cluster with kubectl apply -f", at, kind)
	case version != "v1":
		return fmt.Errorf("line %d: apiVersion of a Pod is %q, want v1", max(root.Line, locate.Line(root, "apiVersion")), version)
	}
	return nil
}
