package config

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"

	"bootstrap/phases/locate"
)

var tlsVersions = []string{"VersionTLS10", "VersionTLS11", "VersionTLS12", "VersionTLS13"}

// cipherSuites are the names that the components know, as k8s.io/component-base/cli/flag makes
// them of Go's: with the insecure ones, and two older names.
func cipherSuites() []string {
	names := []string{"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305"}
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		names = append(names, suite.Name)
	}
	return names
}

func unfitSuites(suites []string) (reasons []string) {
	known := cipherSuites()
	for _, suite := range suites {
		if !slices.Contains(known, suite) {
			reasons = append(reasons, fmt.Sprintf("there is no cipher suite %q%s", suite, nearSuite(suite, known)))
		}
	}
	return reasons
}

// nearSuite is what a suite is called here whose name is OpenSSL's, or mistyped.
func nearSuite(suite string, known []string) string {
	plain := strings.NewReplacer("TLS_", "", "_WITH_", "", "_", "", "-", "").Replace
	for _, each := range known {
		if plain(each) == plain(strings.ToUpper(suite)) {
			return fmt.Sprintf(", did you mean %q?", each)
		}
	}
	return locate.DidYouMean(suite, known)
}

// http2Suites are those of which HTTP/2 needs one, below TLS 1.3: without, Go's server does not
// start (golang.org/x/net/http2, ConfigureServer).
var http2Suites = []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"}

// withoutHTTP2 says that a server would not start with these suites, empty if it would.
func withoutHTTP2(suites []string, minVersion string) string {
	isNeeded := func(suite string) bool { return slices.Contains(http2Suites, suite) }
	if len(suites) == 0 || minVersion == "VersionTLS13" || slices.ContainsFunc(suites, isNeeded) {
		return ""
	}
	return "HTTP/2 needs one of these among them: " + strings.Join(http2Suites, ", ")
}

// validateSuites looks at the flags of a component together.
func (b *builder) validateSuites(field string, args []Arg) {
	const flag = "tls-cipher-suites"
	suites := words(Argument(args, flag))
	if why := withoutHTTP2(suites, Argument(args, "tls-min-version")); why != "" && unfitSuites(suites) == nil {
		b.bad(lastOf(field, args, flag), "%s: %s", flag, why)
	}
}

// lastOf is the field of the value of a flag, of the last one of that name.
func lastOf(field string, args []Arg, name string) string {
	for i, a := range slices.Backward(args) {
		if a.Name == name {
			return at(field, i) + ".value"
		}
	}
	return field
}
