package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"bootstrap/phases/locate"
)

// told refuses what a list of values/ does, and makes a function that tells more reasons against a field.
func (b *builder) told(kind string, document map[string]any, file string) func(field string, reasons []string) {
	tell := func(field string, reasons []string) {
		for _, why := range reasons {
			b.badIn(kind, field, "%s", why)
		}
	}
	known := table(file)
	for _, field := range slices.Sorted(maps.Keys(known)) {
		tell(field, unfitWord(known[field], textOf(document, field)))
	}
	return tell
}

// validateKubeletValues refuses what the kubelet does (pkg/kubelet/apis/config/validation).
func (b *builder) validateKubeletValues(kubelet map[string]any) {
	tell := b.told(kubeletKind, kubelet, "values/kubelet.txt")
	for _, field := range []string{"address", "healthzBindAddress", "clusterDNS"} {
		for _, ip := range words(textOf(kubelet, field)) {
			tell(field, reasonIf(!isIP(ip), "%q is no IP address", ip))
		}
	}
	suites := words(textOf(kubelet, "tlsCipherSuites"))
	tell("tlsCipherSuites", append(unfitSuites(suites), withoutHTTP2(suites, textOf(kubelet, "tlsMinVersion"))...))
	size := textOf(kubelet, "containerLogMaxSize")
	tell("containerLogMaxSize", reasonIf(size != "" && !isSize(size), "%q is no quantity such as 10Mi", size))
	tell("systemReserved", reserved.unfit(textsOf(kubelet, "systemReserved")))
	tell("kubeReserved", reserved.unfit(textsOf(kubelet, "kubeReserved")))
	tell("evictionHard", thresholds.unfit(textsOf(kubelet, "evictionHard")))
	soft, graces := textsOf(kubelet, "evictionSoft"), textsOf(kubelet, "evictionSoftGracePeriod")
	tell("evictionSoft", thresholds.unfit(soft))
	tell("evictionSoftGracePeriod", periods.unfit(graces))
	for _, signal := range slices.Sorted(maps.Keys(soft)) {
		tell("evictionSoft", reasonIf(graces[signal] == "", "%s needs a duration in evictionSoftGracePeriod", signal))
	}
	for _, what := range words(textOf(kubelet, "enforceNodeAllocatable")) {
		cgroups := map[string]string{"system-reserved": "systemReservedCgroup", "kube-reserved": "kubeReservedCgroup"}
		cgroup := cgroups[strings.TrimSuffix(what, "-compressible")]
		isMissing := cgroup != "" && textOf(kubelet, cgroup) == ""
		tell("enforceNodeAllocatable", reasonIf(isMissing, "%s needs %s as well", what, cgroup))
	}
}

// validateKubeProxyValues refuses what kube-proxy does (pkg/proxy/apis/config/validation).
func (b *builder) validateKubeProxyValues(document map[string]any) {
	tell := b.told(kubeProxyKind, document, "values/kube-proxy.txt")
	ip := textOf(document, "bindAddress")
	tell("bindAddress", reasonIf(ip != "" && !isIP(ip), "%q is no IP address", ip))
	for _, field := range []string{"healthzBindAddress", "metricsBindAddress"} {
		address := textOf(document, field)
		isAddress := address == "" || isIP(address) || parses(netip.ParseAddrPort)(address)
		tell(field, reasonIf(!isAddress, "%q is no IP address, with a port or without", address))
	}
	addresses := words(textOf(document, "nodePortAddresses"))
	for _, address := range addresses {
		isRange := parses(netip.ParsePrefix)(address) || slices.Equal(addresses, []string{"primary"})
		tell("nodePortAddresses", reasonIf(!isRange, "%q is no range such as 192.0.2.0/24; primary may stand alone", address))
	}
}

// textsOf are the texts of a field that is a mapping.
func textsOf(document map[string]any, field string) map[string]string {
	texts := map[string]string{}
	fields, _ := document[field].(map[string]any)
	for name, value := range fields {
		texts[name], _ = value.(string) // the document was read strictly
	}
	return texts
}

// noTexts are the fields of kubeadm's documents, also of older ones, that are numbers, or true or false.
var noTexts = []string{
	"bindPort", "imagePullSerial", "disabled", "dryRun", "readOnly", "featureGates", "useHyperKubeImage",
}

// yamlBoolean are the words that kubeadm's YAML, 1.1, takes for true or false, and ours for text.
var yamlBoolean = regexp.MustCompile(`^(?i:y|n|yes|no|on|off)$`)

// validateTexts refuses what YAML does not take for text: kubeadm does, and 1.30 would become 1.3.
func (b *builder) validateTexts() {
	for _, kind := range []string{initKind, clusterKind} {
		if root := b.docs.roots[kind]; root != nil {
			texts{b, locate.Text(root, "apiVersion"), list("fields/schema.txt")}.validate("", root)
		}
	}
}

// texts are those of a document.
type texts struct {
	*builder
	version string
	known   []string // fields
}

// validate looks at a field, and at those below it that are known.
func (t texts) validate(field string, n *yaml.Node) {
	isFlags := strings.HasSuffix(strings.ToLower(field), "extraargs") // reading takes them in both forms
	form := cmp.Or(n.Alias, n)
	isFilled := isFlags && len(form.Content) > 0
	t.badIf(isFilled && t.version == kubeadmV1beta4 && form.Kind == yaml.MappingNode, field,
		"a mapping is how v1beta3 has it: v1beta4 wants a list of {name: ..., value: ...}")
	t.badIf(isFilled && t.version == kubeadmV1beta3 && form.Kind == yaml.SequenceNode, field,
		"a list is how v1beta4 has it: v1beta3 wants a mapping such as v: \"2\"; or write apiVersion: %s", kubeadmV1beta4)
	for i := 1; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
		key := n.Content[i-1].Value
		if isFlags || slices.Contains(t.known, key) && !slices.Contains(noTexts, key) {
			t.validate(strings.TrimPrefix(field+"."+key, "."), n.Content[i])
		}
	}
	for i := 0; n.Kind == yaml.SequenceNode && i < len(n.Content); i++ {
		t.validate(at(field, i), n.Content[i])
	}
	if n.Kind != yaml.ScalarNode {
		return // what an alias stands for is looked at where it is written
	}
	isWord := n.Style == 0 && yamlBoolean.MatchString(n.Value)
	if slices.Contains([]string{"!!bool", "!!int", "!!float"}, n.Tag) || isWord {
		t.found(n.Line, fmt.Sprintf("%s: want text, not a number, true or false: put it in quotes", field))
	}
}

// validateSkips knows the phases of kubeadm init and of bootstrap init.
func (b *builder) validateSkips() {
	for i, name := range b.docs.init.SkipPhases {
		for _, why := range strangers("there is no phase", []string{name}, list("values/phases.txt")) {
			b.bad(at("skipPhases", i), "%s", why)
		}
	}
}
