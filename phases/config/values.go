package config

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/util/validation"
	cliflag "k8s.io/component-base/cli/flag"
	"k8s.io/component-helpers/node/util/sysctl"
	kubeletapis "k8s.io/kubelet/pkg/apis"
	"k8s.io/utils/cpuset"

	"bootstrap/phases/locate"
)

// The lists in flags/ and values/ say which form each value has, in words of which the first names the form:
//
//	one-of WORD...         one of these words, or nothing
//	range LEAST MOST       a number or duration from the one to the other, or without an end
//	list FORM              values of that form with commas between them
//	set FORM               the same, and none twice
//	pairs SIGN FORM FORM   the same of names and values, with that sign between
//	gates                  feature gates
//
// Other forms are those of plainForms, and the names of knownNames. Of any other form each value will do.

// plainForms have what messages call them, and the test of a value: the parser that the programs use.
var plainForms = map[string]struct {
	wanted string
	fits   func(string) bool
}{
	"bool":              {"true or false", parses(strconv.ParseBool)},
	"bool-or-nothing":   {"true or false", func(s string) bool { return s == "" || parses(strconv.ParseBool)(s) }},
	"duration":          {"a duration such as 40s or 1h30m", parses(time.ParseDuration)},
	"int":               {"a whole number", whole(0, 64)},
	"int32":             {"a whole number", whole(0, 32)},
	"Level":             {"a whole number", whole(10, 32)},
	"uint":              {"a whole number of at least 0", parses(func(s string) (uint64, error) { return strconv.ParseUint(s, 0, 64) })},
	"float":             {"a number", parses(func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })},
	"portRange":         {"a range such as 30000-32767", parses(utilnet.ParsePortRange)},
	"quantity":          {"a quantity such as 500m or 64Mi", parses(resource.ParseQuantity)},
	"size":              {"a quantity such as 500m or 2Gi", isSize},
	"threshold":         {"a quantity or percentage such as 500Mi or 10%", func(s string) bool { return isShare(s) && !isZero(s) }},
	"reclaim":           {"a quantity or percentage such as 500Mi or 10%", isShare},
	"ip":                {"an IP address", isIP},
	"address":           {"an IP address, with a port or without", func(s string) bool { return isIP(s) || parses(netip.ParseAddrPort)(s) }},
	"ranges-or-primary": {"ranges such as 192.0.2.0/24, or primary alone", func(s string) bool { return s == "primary" || parses(ranges)(s) }},
	"https-url":         {"a URL that begins with https://", isHTTPS},
	"issuer-url":        {"a URL that begins with https://, without user, query and fragment", isIssuer},
	"origin":            {`a regular expression with the begin and the end of a host, such as ^https://dash\.example\.org(:|$)`, isOrigin},
	"hsts":              {"one of max-age=SECONDS, includeSubDomains and preload", hsts.MatchString},
	"cache-size":        {"RESOURCE#NUMBER, such as secrets#100", cacheSize.MatchString},
	"etcd-of-resource":  {"GROUP/RESOURCE#URL, such as /events#https://192.0.2.20:2379", etcdOfResource.MatchString},
	"namedCertKey":      {"CERTIFICATE,KEY or CERTIFICATE,KEY:NAMES", func(s string) bool { return sniPair.MatchString(s) || s == "" }},
	"pattern=N,...":     {"FILE=LEVEL, such as httplog=10", vmodule.MatchString},
	"node-ips":          {"an IP address of this node, or one of each family", isNodeIPs},
	"cpus":              {"a list of CPUs such as 0-1,4", parses(cpuset.Parse)},
	"grace":             {"0s, or a duration of a second or more", func(s string) bool { return measure(s) == 0 || measure(s) >= 1e9 }},
	"metric":            {"the name of a metric", metric.MatchString},
	"token-provider":    {"simple, or jwt with its options", tokenProvider.MatchString},
	"sysctl":            {"a sysctl that each pod has its own of: net.*, fs.mqueue.*, kernel.msg*, kernel.sem or kernel.shm*", isSysctl},
	"retention":         {"a number of hours or revisions, or a duration such as 8h", func(s string) bool { return s == "" || measure(s) > 0 || s == "0" }},
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

func isZero(quantity string) bool {
	q, err := resource.ParseQuantity(quantity)
	return err == nil && q.IsZero()
}

var (
	hsts           = regexp.MustCompile(`^(max-age=[^=]*|includeSubDomains|preload)$`)
	cacheSize      = regexp.MustCompile(`^[^#]*#\+?\d+$`)
	etcdOfResource = regexp.MustCompile(`^[^/#]*/[^/#]*#[^#;]+(;[^#;]+)*$`)
	metric         = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*$`)
	tokenProvider  = regexp.MustCompile(`^(|simple|jwt,.+)$`)
	sniPair        = regexp.MustCompile(`^[^,:]+,[^,:]+(:|$)`)
	vmodule        = regexp.MustCompile(`^([^=,]+=\d+,?)*$`)
)

// isOrigin wants of a regular expression what kube-apiserver does, so that none matches in the middle of a host's name.
func isOrigin(text string) bool {
	_, err := regexp.Compile(text)
	return err == nil && (strings.Contains(text, "^") || strings.Contains(text, "//")) && strings.ContainsAny(text, "$:")
}

// isSysctl takes names and patterns of those that the kubelet knows to be each pod's own.
func isSysctl(pattern string) bool {
	namespace, _, _ := sysctl.GetNamespace(pattern)
	return namespace != sysctl.UnknownNamespace && !strings.Contains(strings.TrimSuffix(pattern, "*"), "*")
}

// isNodeIPs takes what is no address as well: the kubelet passes over it.
func isNodeIPs(list string) bool {
	var ips []net.IP
	for _, text := range strings.Split(list, ",") {
		if ip := net.ParseIP(strings.TrimSpace(text)); ip != nil {
			ips = append(ips, ip)
		}
	}
	isBad := func(ip net.IP) bool {
		return ip.IsLoopback() || ip.IsMulticast() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() && len(ips) > 1
	}
	isTwice := len(ips) == 2 && (ips[0].To4() == nil) == (ips[1].To4() == nil)
	return len(ips) <= 2 && !isTwice && !slices.ContainsFunc(ips, isBad)
}

func isHTTPS(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Host != ""
}

func isIssuer(text string) bool {
	u, err := url.Parse(text)
	return err == nil && isHTTPS(text) && u.User == nil && u.RawQuery == "" && u.Fragment == ""
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

// judgeSetting says why a program does not take a setting: by its form, by what it says, or as it is decided elsewhere.
func (m minor) judgeSetting(s setting, decided []decided) (whys []string) {
	if !isText(s.value) {
		return []string{"it holds a line break, NUL or bytes that are no text"}
	}
	for _, form := range s.forms {
		if whys = m.judge(s.value, form); whys != nil {
			return whys
		}
	}
	for _, d := range decided {
		isRefused := d.field == s.name && d.refusal(s.value) != ""
		whys = append(whys, whyIf(isRefused, "%s", d.refusal(s.value))...)
	}
	return whys
}

func whyIf(is bool, format string, args ...any) []string {
	if !is {
		return nil
	}
	return []string{fmt.Sprintf(format, args...)}
}

// judge says what is wrong with a value of a form.
func (m minor) judge(value string, form []string) (whys []string) {
	if len(form) == 0 {
		return nil
	}
	of := form[1:]
	switch form[0] {
	case "one-of":
		return whyIf(value != "" && !slices.Contains(of, value), "%q is unknown, want %s", value, strings.Join(of, " or "))
	case "range":
		want, isOut := "at least "+of[0], measure(value) < measure(of[0])
		if len(of) > 1 {
			want, isOut = of[0]+" to "+of[1], isOut || measure(value) > measure(of[1])
		}
		return whyIf(value != "" && isOut, "%s is out of range, want %s", value, want)
	case "list", "set":
		all := words(value)
		for i, word := range all {
			whys = append(whys, m.judge(word, of)...)
			isTwice := form[0] == "set" && slices.Contains(all[:i], word)
			whys = append(whys, whyIf(isTwice, "%s is given twice", word)...)
		}
		return whys
	case "pairs":
		for _, p := range pairs(value, of[0]) {
			whys = append(whys, m.judgePair(p, of)...)
		}
		return whys
	case "gates":
		return m.judgeGates(value)
	}
	known, plain := m.knownNames(form[0]), plainForms[form[0]]
	if form[0] == "API" && strings.Count(value, "/") == 2 {
		value = path.Dir(value) // a resource follows group and version
	}
	if known != nil {
		return unknownName(fmt.Sprintf("Kubernetes 1.%d has no %s", m.number, strings.ReplaceAll(form[0], "-", " ")), value, known)
	}
	return whyIf(plain.fits != nil && !plain.fits(value), "%q is not %s", value, plain.wanted)
}

// judgePair takes the sign, the form of the name and that of the value.
func (m minor) judgePair(p pair, of []string) []string {
	unknown := m.judge(p.name, of[1:2])
	switch {
	case !p.hasSign && strings.Contains(p.name, "="): // the sign of the fields, in a flag
		return []string{fmt.Sprintf("%s: write %s", p.name, strings.ReplaceAll(p.name, "=", of[0]))}
	case unknown == nil && !p.hasSign && of[2] != "bool-or-nothing" && of[2] != "label-value":
		return []string{fmt.Sprintf("%s has no value: write %s%sVALUE", p.name, p.name, of[0])}
	case unknown == nil:
		return each(m.judge(p.value, of[2:]), func(why *string) { *why = p.name + ": " + *why })
	}
	return unknown
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
	hasSign     bool
}

func pairs(list, sign string) (all []pair) {
	for _, text := range words(list) {
		name, value, hasSign := strings.Cut(text, sign)
		if text != "" {
			all = append(all, pair{strings.TrimSpace(name), strings.TrimSpace(value), hasSign})
		}
	}
	return all
}

// measure is a number, or a duration in nanoseconds; 0 of what is neither.
func measure(text string) float64 {
	if d, err := time.ParseDuration(text); err == nil {
		return float64(d)
	}
	n, _ := strconv.ParseFloat(text, 64)
	return n
}

// knownNames are all names of a form, nil of what is no form of names.
func (m minor) knownNames(form string) []string {
	switch form {
	case "cipher-suite":
		return cliflag.TLSCipherPossibleValues()
	case "hidden-metrics-of": // only those of the minor before are there to be shown
		return []string{fmt.Sprintf("1.%d", m.number-1)}
	case "emulated-version":
		return m.emulated()
	}
	return slices.Concat(list(m.file(form)), table("values/names.txt")[form])
}

// emulated are the versions that a program can behave as: three minors back, with the name of Kubernetes before it or not.
func (m minor) emulated() (all []string) {
	for number := m.number - 3; number <= m.number; number++ {
		all = append(all, fmt.Sprintf("1.%d", number), fmt.Sprintf("kube=1.%d", number))
	}
	return all
}

func (m minor) file(form string) string { return fmt.Sprintf("minors/1.%d/%ss.txt", m.number, form) }

// sameLetters takes away by what OpenSSL's names of cipher suites differ from Go's.
var sameLetters = strings.NewReplacer("TLS_", "", "WITH_", "", "_", "", "-", "")

// unknownName says that there is no such name, and which may be meant; nothing if it is known.
func unknownName(there, name string, known []string) []string {
	isMeant := func(other string) bool {
		return sameLetters.Replace(other) == sameLetters.Replace(strings.ToUpper(name))
	}
	switch i := slices.IndexFunc(known, isMeant); {
	case slices.Contains(known, name):
		return nil
	case slices.Contains(known, strings.TrimSpace(name)):
		return whyIf(true, "%q has a blank, which belongs to the name: write no blanks", name)
	case i >= 0:
		return whyIf(true, "%s %q, did you mean %q?", there, name, known[i])
	}
	return whyIf(true, "%s %q%s", there, name, cmp.Or(locate.DidYouMean(name, known), ": leave it out"))
}
