package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/validation"
	kubeletapis "k8s.io/kubelet/pkg/apis"

	"bootstrap/phases/locate"
)

// parses makes a test of a parser.
func parses[T any](parse func(string) (T, error)) func(string) bool {
	return func(text string) bool {
		_, err := parse(text)
		return err == nil
	}
}

func whole(base, bits int) func(string) bool {
	return parses(func(text string) (int64, error) { return strconv.ParseInt(text, base, bits) })
}

func isIP(text string) bool { return parses(netip.ParseAddr)(strings.TrimSpace(text)) }

// unread says what a flag of a type wants, where the component can't read the value. The parsers are its own.
func unread(kind, value string) string {
	wanted := map[string]struct {
		what string
		fits func(string) bool
	}{
		"bool":      {"true or false", parses(strconv.ParseBool)},
		"duration":  {"a duration such as 40s or 1h30m", parses(time.ParseDuration)},
		"int":       {"a whole number", whole(0, 64)},
		"int32":     {"a whole number", whole(0, 32)},
		"Level":     {"a whole number", whole(10, 32)},
		"uint":      {"a whole number of at least 0", func(text string) bool { return whole(0, 64)(text) && text[0] != '-' }},
		"float":     {"a number", parses(func(text string) (float64, error) { return strconv.ParseFloat(text, 32) })},
		"portRange": {"a range such as 30000-32767", parses(utilnet.ParsePortRange)},
		"quantity":  {"a quantity such as 500m or 64Mi", parses(resource.ParseQuantity)},
		"ip":        {"an IP address", func(text string) bool { return text == "" || isIP(text) }},
	}[kind]
	if wanted.fits == nil || wanted.fits(value) {
		return ""
	}
	return fmt.Sprintf("%q is not %s", value, wanted.what)
}

// words are those of a list as pflag reads it: a blank behind a comma belongs to the next one.
func words(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// pairs are those of a list such as a=1,b=2, with this sign between.
func pairs(list, sign string) map[string]string {
	all := map[string]string{}
	for _, pair := range strings.Split(list, ",") {
		if name, value, _ := strings.Cut(pair, sign); pair != "" {
			all[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return all
}

// strangers are reasons against names that are not known.
func strangers(there string, names, known []string) (reasons []string) {
	for _, name := range names {
		switch {
		case slices.Contains(known, name):
		case slices.Contains(known, strings.TrimSpace(name)):
			reasons = append(reasons, fmt.Sprintf("%q has a blank, which belongs to the name: write no blanks", name))
		default:
			remedy := cmp.Or(locate.DidYouMean(name, known), ": leave it out")
			reasons = append(reasons, fmt.Sprintf("%s %q%s", there, name, remedy))
		}
	}
	return reasons
}

// file is a list of what values name in this minor.
func (m minor) file(name string) string { return fmt.Sprintf("minors/1.%d/%s.txt", m.number, name) }

func (m minor) strangers(what, file string, names []string) []string {
	return strangers(fmt.Sprintf("Kubernetes 1.%d has no %s", m.number, what), names, list(m.file(file)))
}

// unfit says why a component does not take the value of a flag, or why nobody would reach it then.
func (c *Config) unfit(program string, kind []string, a Arg) []string {
	m, _ := minorOf(c.KubernetesVersion)
	if why := unread(strings.Join(kind, ""), a.Value); why != "" {
		return []string{why}
	}
	switch a.Name {
	case "enable-admission-plugins", "disable-admission-plugins":
		return m.strangers("admission plugin", "plugins", words(a.Value))
	case "admission-control":
		return []string{"kube-apiserver does not take it beside enable-admission-plugins, which is set: add them there"}
	case "authorization-mode":
		return unfitModes(a.Value)
	case "runtime-config":
		return m.unfitAPIs(pairs(a.Value, "="))
	case "tls-cipher-suites", "cipher-suites":
		return unfitSuites(words(a.Value))
	case "node-labels":
		return unfitLabels(pairs(a.Value, "="))
	case "eviction-hard", "eviction-soft":
		if strings.Contains(a.Value, "=") {
			return []string{"write " + strings.ReplaceAll(a.Value, "=", "<")}
		}
		return thresholds.unfit(pairs(a.Value, "<"))
	case "eviction-soft-grace-period":
		return periods.unfit(pairs(a.Value, "="))
	case "system-reserved", "kube-reserved":
		return reserved.unfit(pairs(a.Value, "="))
	case "oidc-issuer-url":
		u, err := url.Parse(a.Value)
		isURL := err == nil && u.Scheme == "https" && u.Host != ""
		return reasonIf(!isURL, "%q is no URL with https://, where kube-apiserver wants the issuer", a.Value)
	case "cloud-provider":
		if program == "kubelet" {
			return nil // it takes any, see warnOfCloud
		}
	case "bind-address":
		ip, err := netip.ParseAddr(a.Value)
		isElsewhere := program == "kube-apiserver" && err == nil && !ip.IsUnspecified() && ip.Unmap() != c.AdvertiseAddress
		return reasonIf(isElsewhere, "the kubelet and pods reach the API server at %s, not at %s: leave it out", c.AdvertiseAddress, ip)
	}
	if program != "etcd" {
		program = "flags"
	}
	return unfitWord(table("values/" + program + ".txt")[a.Name], a.Value)
}

func reasonIf(is bool, format string, args ...any) []string {
	if !is {
		return nil
	}
	return []string{fmt.Sprintf(format, args...)}
}

// unfitWord wants one of these words, or a number in a range such as 0..31.
func unfitWord(known []string, word string) []string {
	least, most, isRange := strings.Cut(strings.Join(known, " "), "..")
	if isRange {
		n, err := strconv.ParseFloat(word, 64)
		low, _ := strconv.ParseFloat(least, 64) // as the list has it
		high, _ := strconv.ParseFloat(most, 64)
		return reasonIf(err == nil && (n < low || n > high), "%s is out of range, want %s to %s", word, least, most)
	}
	isUnknown := known != nil && word != "" && !slices.Contains(known, word)
	return reasonIf(isUnknown, "%q is unknown, want %s", word, strings.Join(known, " or "))
}

func unfitModes(modes string) []string {
	known := []string{"Node", "RBAC", "Webhook", "ABAC", "AlwaysAllow", "AlwaysDeny"}
	return strangers("there is no mode", words(modes), known)
}

// unfitAPIs refuses what kube-apiserver does (k8s.io/apiserver/pkg/server/resourceconfig).
func (m minor) unfitAPIs(set map[string]string) (reasons []string) {
	for _, name := range slices.Sorted(maps.Keys(set)) {
		isBool := parses(strconv.ParseBool)(cmp.Or(set[name], "true"))
		reasons = append(reasons, reasonIf(!isBool, "%q of %s is neither true nor false", set[name], name)...)
		group, rest, _ := strings.Cut(name, "/")
		version, _, _ := strings.Cut(rest, "/") // a resource may follow
		if group != "api" || !slices.Contains([]string{"all", "ga", "beta", "alpha"}, rest) {
			reasons = append(reasons, m.strangers("API", "apis", []string{strings.Trim(group+"/"+version, "/")})...)
		}
	}
	return reasons
}

// unfitLabels refuses what the kubelet does (cmd/kubelet/app/options, ValidateKubeletFlags).
func unfitLabels(labels map[string]string) (reasons []string) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		domain, _, _ := strings.Cut("."+key, "/")
		isKubernetes := strings.HasSuffix(domain, ".kubernetes.io") || strings.HasSuffix(domain, ".k8s.io")
		reasons = slices.Concat(reasons,
			reasonIf(validation.IsQualifiedName(key) != nil, "%q is no label name", key),
			reasonIf(validation.IsValidLabelValue(labels[key]) != nil, "%q is no label value", labels[key]),
			reasonIf(isKubernetes && !kubeletapis.IsKubeletLabel(key),
				"a kubelet may not give itself the label %s: after init, kubectl label node NAME %s=%s", key, key, labels[key]))
	}
	return reasons
}

// valued are names that each have a value.
type valued struct {
	there   string // is none of another name
	known   []string
	fits    func(value string) bool
	example string
}

var (
	signals    = list("values/signals.txt")
	resources  = []string{"cpu", "memory", "ephemeral-storage", "pid"}
	thresholds = valued{"there is no signal", signals, isThreshold, "500Mi or 10%"} // of pkg/kubelet/eviction/helpers.go
	periods    = valued{"there is no signal", signals, parses(time.ParseDuration), "1m30s"}
	reserved   = valued{"the kubelet can't reserve", resources, isSize, "500m or 2Gi"}
)

func (v valued) unfit(values map[string]string) (reasons []string) {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		isUnfit := slices.Contains(v.known, name) && !v.fits(values[name])
		reasons = slices.Concat(reasons, strangers(v.there, []string{name}, v.known),
			reasonIf(isUnfit, "%q of %s is no value such as %s", values[name], name, v.example))
	}
	return reasons
}

func isThreshold(value string) bool {
	part, isPart := strings.CutSuffix(value, "%")
	if isPart {
		return isSize(part) && unfitWord([]string{"0..100"}, part) == nil
	}
	return isSize(value) && strings.Trim(value, "0") != ""
}

func isSize(value string) bool {
	q, err := resource.ParseQuantity(value)
	return err == nil && q.Sign() >= 0
}
