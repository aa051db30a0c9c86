package podmanifest

import (
	"flag"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

var update = flag.Bool("update", false, "write golden files again")

// TestFieldList keeps the names of a Pod's fields, from its Go type.
func TestFieldList(t *testing.T) {
	names := map[string]bool{}
	jsonFields(reflect.TypeFor[corev1.Pod](), names, map[reflect.Type]bool{})
	want := strings.Join(slices.Sorted(maps.Keys(names)), "\n") + "\n"
	if *update {
		if err := os.WriteFile("fields.txt", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if podFields != want {
		t.Error("fields.txt is old: go test ./phases/podmanifest -update writes it")
	}
}

func jsonFields(of reflect.Type, names map[string]bool, seen map[reflect.Type]bool) {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice || of.Kind() == reflect.Map {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || seen[of] {
		return
	}
	seen[of] = true
	for _, f := range reflect.VisibleFields(of) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			names[name] = true
		}
		jsonFields(f.Type, names, seen)
	}
}
