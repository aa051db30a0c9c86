package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
	sigsyaml "sigs.k8s.io/yaml"
)

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", text); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checkDocuments asks the schema about each document of a file.
func checkDocuments(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	dec := yaml.NewDecoder(strings.NewReader(text))
	for {
		var node yaml.Node
		if err := dec.Decode(&node); err == io.EOF { //nolint:errorlint // the decoder's own
			return nil
		} else if err != nil {
			return err
		}
		part, err := yaml.Marshal(&node)
		if err != nil {
			t.Fatal(err)
		}
		data, err := sigsyaml.YAMLToJSON(part)
		if err != nil {
			return err
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if document == nil { // nothing but comments
			continue
		}
		if err := s.Validate(document); err != nil {
			return err
		}
	}
}

func TestSchemaTakesWhatParseTakes(t *testing.T) {
	s := compiledSchema(t)
	valid := slices.Concat(files(t, "valid-*.yaml"), files(t, "people/valid-*.yaml"), files(t, "people/warned-*.yaml"))
	for _, file := range valid {
		if err := checkDocuments(t, s, readFile(t, file)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	own, err := DefaultFile(machine)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkDocuments(t, s, string(own)); err != nil {
		t.Error(err)
	}
}

// TestSchemaRefuses what an editor should underline.
func TestSchemaRefuses(t *testing.T) {
	s := compiledSchema(t)
	for _, text := range []string{
		"kind: ClusterConfiguration\nclusterNaem: x", "kind: ClusterConfiguration\nnetworking: {podSubnets: x}",
		"kind: ClusterConfiguration\napiServer: {extraArgs: {v: '1'}}", "kind: ClusterConfiguration\ncertSANs: []",
		"kind: InitConfiguration\nnodeRegistration: {imagePullPolicy: Sometimes}", "kind: InitConfiguration\nclusterName: x",
		"kind: InitConfiguration\nbootstrapTokens: [{token: x}]", "kind: JoinConfig",
	} {
		if checkDocuments(t, s, "apiVersion: kubeadm.k8s.io/v1beta4\n"+text) == nil {
			t.Errorf("%s: accepted", text)
		}
	}
	if checkDocuments(t, s, "apiVersion: bootstrap/v1alpha1\nkind: BoxConfiguration\nsingelNode: true") == nil {
		t.Error("a typo in BoxConfiguration is accepted")
	}
}

// TestSchemaRefusesPeople: what is wrong in the form of a file, and not in its values or between
// them, is refused by the schema too.
func TestSchemaRefusesPeople(t *testing.T) {
	s := compiledSchema(t)
	for _, name := range strings.Fields(`endpoint-url field-case flag-names-with-dashes group-of-another-kind indentation
		kube-proxy-host-names kubespray-ipvs-strict-arp minikube-v1beta2 misplaced-fields pod-in-the-file taint-effect
		types-duration-without-unit types-number-for-text types-text-for-list types-text-for-number typographic-quotes
		unquoted-values v1beta3-args-as-list v1beta4-args-as-map volume-names`) {
		var invalid *jsonschema.ValidationError
		if err := checkDocuments(t, s, readFile(t, filepath.Join(configDir, "people/invalid-"+name+".yaml"))); !errors.As(err, &invalid) {
			t.Errorf("%s: not refused: %v", name, err)
		}
	}
}

// TestSchemaInStep: the schema has the fields of the documents, no more and no less,
// and a word on each.
func TestSchemaInStep(t *testing.T) {
	var s struct {
		Defs map[string]struct {
			Description string
			Properties  map[string]struct{ Description string }
		} `json:"$defs"`
	}
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	for name, of := range map[string]any{
		"InitConfiguration": initConfiguration{}, "BootstrapToken": bootstrapToken{}, "APIEndpoint": apiEndpoint{},
		"NodeRegistration": nodeRegistrationFile{}, "Taint": Taint{}, "Arg": Arg{}, "Patches": patches{}, "Timeouts": timeouts{},
		"ClusterConfiguration": clusterConfiguration{}, "Networking": networkingFile{}, "Etcd": etcdFile{}, "LocalEtcd": localEtcd{},
		"ExternalEtcd": ExternalEtcd{}, "EnvVarFrom": EnvVarFrom{}, "FieldRef": FieldRef{}, "APIServer": apiServer{}, "Component": Component{}, "EnvVar": EnvVar{}, "Volume": Volume{},
		"DNS": dns{}, "Proxy": proxy{}, "BoxConfiguration": boxConfiguration{},
	} {
		if diff := cmp.Diff(yamlFields(reflect.TypeOf(of)), sortedKeys(s.Defs[name].Properties)); diff != "" {
			t.Errorf("%s (-Go +schema):\n%s", name, diff)
		}
	}
	names := map[string]bool{}
	for name, def := range s.Defs {
		for field, p := range def.Properties {
			names[field] = true
			if p.Description == "" || strings.Contains(p.Description, "\n") {
				t.Errorf("%s.%s: want a description of one line, not %q", name, field, p.Description)
			}
		}
	}
	golden(t, "fields/schema.txt", strings.Join(sortedKeys(names), "\n")+"\n")
}

func yamlFields(of reflect.Type) []string {
	names := map[string]bool{}
	for _, f := range reflect.VisibleFields(of) {
		if name, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); name != "" && name != "-" {
			names[name] = true
		}
	}
	return sortedKeys(names)
}
