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

// beyondSchema are the files of people whose mistake a schema of one document cannot see, by what it is.
var beyondSchema = map[string]string{
	"a flag's value or name, which is any text to a schema": `
		admission-plugin-gone admission-plugin-misspelt authorization-mode-case bind-address-name blank-after-comma
		capi-apiserver-cloud-provider cipher-list-without-http2 cipher-names-of-openssl controllers-name etcd-listen-name feature-gates-gone flag-yes
		flags-of-another-component flags-of-old-guides gates-locked gates-of-no-value in-tree-cloud-provider
		kubekey-pause-image-flag minikube-etcd-proxy-flag node-labels node-port-range node-role-label oidc-http-issuer
		runtime-config runtime-config-python
		api-server-less-than-nothing api-server-lists authorization-mode-twice claim-without-value controller-workers kubelet-cloud-provider cors-star
		etcd-gate etcd-retention hidden-metrics issuer-twice jwks-http kubelet-two-addresses
		oidc-algorithm oidc-issuer-with-query runtime-config-nothing sni-without-key vmodule watch-cache-sizes`,
	"two parts that contradict each other": `
		dual-stack-one-mask dual-stack-other-family-first encryption-reload etcd-election etcd-heartbeat
		etcd-http-with-certificates etcd-tls13-ciphers kubelet-enforce-without-cgroup leader-election
		plugin-disabled-that-is-default plugins-without-config api-server-no-requests audit-event-larger-than-batch
		plugin-in-both-lists signers
		file-flags-without-volume mask-smaller-than-pods oidc-twice pods-inside-services volume-mount-path-taken`,
	"names out of a list that changes with each minor": `
		kubeadm-gates-gone skip-phase-name`,
	"a document of Kubernetes' own, whose values its program checks": `
		kube-proxy-detect-local kubelet-cgroups-per-qos kubelet-cpu-manager kubelet-eviction-soft kubelet-image-gc
		kubelet-memory-manager kubelet-shutdown-grace kubelet-units kubelet-unlimited-swap kube-proxy-periods kubelet-ages
		kubelet-none-and-pods kubelet-preloaded-images kubelet-reserved-cpus kubelet-system-cgroups`,
	"what YAML says twice, or not at all": `
		key-twice kind-twice tab-indentation`,
}

// TestSchemaRefusesPeople: what is wrong in the form of a file, and not in its values or between
// them, is refused by the schema too.
func TestSchemaRefusesPeople(t *testing.T) {
	s := compiledSchema(t)
	beyond := map[string]string{}
	for why, names := range beyondSchema {
		for name := range strings.FieldsSeq(names) {
			beyond["invalid-"+name+".yaml"] = why
		}
	}
	for _, file := range files(t, "people/invalid-*.yaml") {
		var refused *jsonschema.ValidationError
		err := checkDocuments(t, s, readFile(t, file))
		why, unseen := beyond[filepath.Base(file)]
		if errors.As(err, &refused) == unseen {
			t.Errorf("%s: %v, and it is out of its reach: %t %s", file, err, unseen, why)
		}
		delete(beyond, filepath.Base(file))
	}
	for name := range beyond {
		t.Errorf("%s: there is no such file", name)
	}
}

// TestSchemaForEditors: an editor asks about each document alone, and reads YAML 1.2, where
// yes and off are text.
func TestSchemaForEditors(t *testing.T) {
	s := compiledSchema(t)
	for _, file := range slices.Concat(files(t, "people/valid-*.yaml"), files(t, "people/warned-*.yaml")) {
		yaml11 := strings.HasSuffix(file, "valid-spelling-yaml11-booleans.yaml")
		if err := checkInEditor(s, readFile(t, file)); (err != nil) != yaml11 {
			t.Errorf("%s: %v", file, err)
		}
	}
	const v1beta4 = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: "
	const second = v1beta4 + "InitConfiguration\n---\n" + v1beta4 + "ClusterConfiguration\nclusterNam: x\n"
	if err := checkInEditor(s, second); err == nil || !strings.Contains(err.Error(), "clusterNam") {
		t.Errorf("a typo in the second document: %v", err)
	}
}

func checkInEditor(s *jsonschema.Schema, text string) error {
	var errs []error
	for dec := yaml.NewDecoder(strings.NewReader(text)); ; {
		var document any
		if err := dec.Decode(&document); err == io.EOF { //nolint:errorlint // the decoder's own
			return errors.Join(errs...)
		} else if err != nil {
			return err
		}
		if document != nil {
			errs = append(errs, s.Validate(document))
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
