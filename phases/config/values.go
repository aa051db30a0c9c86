package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/validation"
	cliflag "k8s.io/component-base/cli/flag"
	kubeletapis "k8s.io/kubelet/pkg/apis"

	"bootstrap/phases/locate"
)

// The lists in values/ and flags/ say of which kind a value is, in words of which the first names the kind:
//
//	one-of WORD...         one of these words, or nothing
//	range LEAST MOST       a number from the one to the other
//	list KIND              values of that kind with commas between them
//	pairs SIGN KIND KIND   the same of names and values, with that sign between; with a ? behind it, names may stand alone
//	gates                  feature gates
//
// or it is one of plainKinds, or a kind of names that knownNames has. Of others any value will do.

// plainKinds are called as in error messages, and decided by the parsers that the programs use.
var plainKinds = map[string]struct {
	wanted string
	fits   func(string) bool
}{
	"bool":              {"true or false", parses(strconv.ParseBool)},
	"duration":          {"a duration such as 40s or 1h30m", parses(time.ParseDuration)},
	"int":               {"a whole number", whole(0, 64)},
	"int32":             {"a whole number", whole(0, 32)},
	"Level":             {"a whole number", whole(10, 32)},
	"uint":              {"a whole number of at least 0", parses(func(s string) (uint64, error) { return strconv.ParseUint(s, 0, 64) })},
	"float":             {"a number", parses(func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })},
	"portRange":         {"a range such as 30000-32767", parses(utilnet.ParsePortRange)},
	"quantity":          {"a quantity such as 500m or 64Mi", parses(resource.ParseQuantity)},
	"size":              {"a quantity such as 500m or 2Gi", isSize},
	"threshold":         {"a quantity or percentage such as 500Mi or 10%", func(s string) bool { return isShare(s) && s != "0" }},
	"reclaim":           {"a quantity or percentage such as 500Mi or 10%", isShare},
	"ip":                {"an IP address", isIP},
	"address":           {"an IP address, with a port or without", func(s string) bool { return isIP(s) || parses(netip.ParseAddrPort)(s) }},
	"ranges-or-primary": {"ranges such as 192.0.2.0/24, or primary alone", func(s string) bool { return s == "primary" || parses(ranges)(s) }},
	"https-url":         {"a URL that begins with https://", isHTTPS},
	"listen-url":        {"a URL with an IP address and a port, such as https://192.0.2.10:2379", isListenURL},
	"label":             {"the name of a label that a kubelet may give itself; after init there is kubectl label node", isKubeletLabel},
	"label-value":       {"the value of a label", func(s string) bool { return validation.IsValidLabelValue(s) == nil }},
}

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

// isIP takes nothing as well, as pflag does.
func isIP(text string) bool { return text == "" || net.ParseIP(strings.TrimSpace(text)) != nil }

func isSize(value string) bool {
	q, err := resource.ParseQuantity(value)
	return err == nil && q.Sign() >= 0
}

func isShare(value string) bool {
	percent, isPercent := strings.CutSuffix(value, "%")
	n, err := strconv.ParseFloat(percent, 32)
	return isPercent && err == nil && n >= 0 && n <= 100 || !isPercent && isSize(value)
}

func isHTTPS(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Host != ""
}

// isListenURL refuses names of hosts: etcd listens at none but localhost.
func isListenURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Port() != "" && (u.Hostname() == "localhost" || net.ParseIP(u.Hostname()) != nil)
}

// isKubeletLabel refuses what the kubelet does (cmd/kubelet/app/options, ValidateKubeletFlags).
func isKubeletLabel(name string) bool {
	domain, _, hasDomain := strings.Cut("."+name, "/")
	isKubernetes := hasDomain && (strings.HasSuffix(domain, ".kubernetes.io") || strings.HasSuffix(domain, ".k8s.io"))
	return validation.IsQualifiedName(name) == nil && (!isKubernetes || kubeletapis.IsKubeletLabel(name))
}

// refusal says why a program does not take a value; or an entry of it, where it is a mapping.
type refusal struct{ entry, why string }

func refuseIf(is bool, format string, args ...any) []refusal {
	if !is {
		return nil
	}
	return []refusal{{why: fmt.Sprintf(format, args...)}}
}

// refusals are the first that there are: of the form of the value, of what it says, of what is decided elsewhere.
func (m minor) refusals(s setting, decided []decided) (found []refusal) {
	if !isText(s.value) {
		return refuseIf(true, "it holds a line break, NUL or bytes that are no text")
	}
	for _, kind := range s.kinds {
		if found = m.judge(s.value, kind); found != nil {
			return found
		}
	}
	for _, d := range decided {
		if d.field == s.name && (s.document == "" || s.value != "") {
			why := d.refusal(s.value)
			found = append(found, refuseIf(why != "", "%s", why)...)
		}
	}
	return found
}

// judge says what is wrong with a value of a kind.
func (m minor) judge(value string, kind []string) (found []refusal) {
	if len(kind) == 0 {
		return nil
	}
	of := kind[1:]
	switch kind[0] {
	case "one-of":
		return refuseIf(value != "" && !slices.Contains(of, value), "%q is unknown, want %s", value, strings.Join(of, " or "))
	case "range":
		n, err := strconv.ParseFloat(value, 64)
		return refuseIf(err == nil && (n < number(of[0]) || n > number(of[1])), "%s is out of range, want %s to %s", value, of[0], of[1])
	case "list":
		for _, word := range words(value) {
			found = append(found, m.judge(word, of)...)
		}
		return found
	case "pairs":
		for _, p := range pairs(value, of[0]) {
			found = append(found, m.judgePair(p, of)...)
		}
		return found
	case "gates":
		return m.judgeGates(value)
	}
	if kind[0] == "API" && strings.Count(value, "/") == 2 {
		value = path.Dir(value) // a resource follows group and version
	}
	if known := m.knownNames(kind[0]); known != nil {
		why := unknownName(fmt.Sprintf("Kubernetes 1.%d has no %s", m.number, strings.ReplaceAll(kind[0], "-", " ")), value, known)
		return refuseIf(why != "", "%s", why)
	}
	plain, isPlain := plainKinds[kind[0]]
	return refuseIf(isPlain && !plain.fits(value), "%q is not %s", value, plain.wanted)
}

// number is one that is in a list of this program, or was parsed before.
func number(text string) float64 {
	n, _ := strconv.ParseFloat(text, 64)
	return n
}

// words are those of a list as pflag reads it: a blank behind a comma belongs to the next one.
func words(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// pair is an entry of a list such as a=1,b=2.
type pair struct {
	name, value string
	isWhole     bool // it has the sign, or needs none
}

func pairs(list, sign string) (all []pair) {
	sign, isOptional := strings.CutSuffix(sign, "?")
	for _, text := range words(list) {
		name, value, isWhole := strings.Cut(text, sign)
		if text != "" {
			all = append(all, pair{strings.TrimSpace(name), strings.TrimSpace(value), isWhole || isOptional})
		}
	}
	return all
}

// judgePair takes the sign, the kind of the name and that of the value.
func (m minor) judgePair(p pair, of []string) []refusal {
	sign := of[0]
	found := m.judge(p.name, of[1:2])
	if !p.isWhole {
		found = refuseIf(true, "%s has no %s: write NAME%sVALUE", p.name, sign, sign)
	}
	if found == nil && (p.value != "" || !strings.HasSuffix(sign, "?")) {
		for _, r := range m.judge(p.value, of[2:]) {
			found = refuseIf(true, "%s: %s", p.name, r.why)
		}
	}
	for i := range found {
		found[i].entry = p.name
	}
	return found
}

// knownNames are all names of a kind, nil of what is no kind of names.
func (m minor) knownNames(kind string) []string {
	switch kind {
	case "cipher-suite":
		return cliflag.TLSCipherPossibleValues()
	case "controller":
		names := list(m.file("controller"))
		return slices.Concat([]string{"*"}, names, each(names, func(name *string) { *name = "-" + *name }))
	case "admission-plugin", "feature-gate", "API":
		return slices.Concat(list(m.file(kind)), table("values/names.txt")[kind])
	}
	return table("values/names.txt")[kind]
}

func (m minor) file(kind string) string { return fmt.Sprintf("minors/1.%d/%ss.txt", m.number, kind) }

// sameLetters takes away by what OpenSSL's names of cipher suites differ from Go's.
var sameLetters = strings.NewReplacer("TLS_", "", "WITH_", "", "_", "", "-", "")

// unknownName says that there is no such name, and which may be meant; nothing if it is known.
func unknownName(there, name string, known []string) string {
	isMeant := func(other string) bool {
		return sameLetters.Replace(other) == sameLetters.Replace(strings.ToUpper(name))
	}
	switch i := slices.IndexFunc(known, isMeant); {
	case slices.Contains(known, name):
		return ""
	case slices.Contains(known, strings.TrimSpace(name)):
		return fmt.Sprintf("%q has a blank, which belongs to the name: write no blanks", name)
	case i >= 0:
		return fmt.Sprintf("%s %q, did you mean %q?", there, name, known[i])
	}
	return fmt.Sprintf("%s %q%s", there, name, cmp.Or(locate.DidYouMean(name, known), ": leave it out"))
}
