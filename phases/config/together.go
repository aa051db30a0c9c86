package config

import (
	"crypto/tls"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// part is a program of the control plane, or the kubelet, and the field of its flags.
type part struct {
	field, program string
	Component
}

// validateTogether looks at what the flags of a component say together, and with its volumes.
func (b *builder) validateTogether(c *Config) {
	m, _ := minorOf(c.KubernetesVersion)
	for _, p := range []part{
		{"apiServer.extraArgs", "kube-apiserver", c.APIServer},
		{"controllerManager.extraArgs", "kube-controller-manager", c.ControllerManager},
		{"scheduler.extraArgs", "kube-scheduler", c.Scheduler},
		{"etcd.local.extraArgs", "etcd", Component{ExtraArgs: c.Etcd.ExtraArgs}},
		{"nodeRegistration.kubeletExtraArgs", "kubelet", Component{ExtraArgs: c.KubeletExtraArgs}},
	} {
		if p.program != "kubelet" { // which is in no pod
			b.validateFiles(c, p)
		}
		suites := "cipher-suites"
		if p.program != "etcd" { // which has gates of its own
			b.validateFlagGates(m, p.field, p.ExtraArgs)
			suites = "tls-cipher-suites"
		}
		for _, why := range withoutHTTP2(words(Argument(p.ExtraArgs, suites)), Argument(p.ExtraArgs, "tls-min-version")) {
			b.bad(lastOf(p.field, p.ExtraArgs, suites), "%s: %s", suites, why)
		}
	}
	b.validateAPIServer(c.APIServer.ExtraArgs)
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

// unfitSuites knows the names as k8s.io/component-base/cli/flag makes them of Go's: with the insecure
// ones, and two older names. OpenSSL's differ in little more than signs.
func unfitSuites(suites []string) (reasons []string) {
	known := []string{"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305"}
	for _, suite := range slices.Concat(tls.CipherSuites(), tls.InsecureCipherSuites()) {
		known = append(known, suite.Name)
	}
	plain := strings.NewReplacer("TLS_", "", "_WITH_", "", "_", "", "-", "").Replace
	for _, suite := range suites {
		isMeant := func(each string) bool { return plain(each) == plain(strings.ToUpper(suite)) }
		if i := slices.IndexFunc(known, isMeant); i >= 0 && !slices.Contains(known, suite) {
			reasons = append(reasons, fmt.Sprintf("there is no cipher suite %q, did you mean %q?", suite, known[i]))
			continue
		}
		reasons = append(reasons, strangers("there is no cipher suite", []string{suite}, known)...)
	}
	return reasons
}

// withoutHTTP2: below TLS 1.3 HTTP/2 needs one of these, or Go's server does not start
// (golang.org/x/net/http2, ConfigureServer).
func withoutHTTP2(suites []string, minVersion string) []string {
	needed := []string{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"}
	has := slices.ContainsFunc(suites, func(suite string) bool { return slices.Contains(needed, suite) })
	return reasonIf(len(suites) > 0 && unfitSuites(suites) == nil && !has && minVersion != "VersionTLS13",
		"HTTP/2 needs one of these among them: %s", strings.Join(needed, ", "))
}

// validateAPIServer refuses flags of which kube-apiserver takes the one or the other only, and
// those that need another.
func (b *builder) validateAPIServer(args []Arg) {
	given := map[string]string{}
	for _, a := range args {
		given[a.Name] = a.Value
	}
	refuseIf := func(is bool, name, why string) {
		b.badIf(is, lastOf("apiServer.extraArgs", args, name), "%s: %s", name, why)
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		const beside = "kube-apiserver takes it or %s, not both: say it in that file"
		isOIDC, hasConfig := strings.HasPrefix(name, "oidc-"), given["authentication-config"] != ""
		isMode := name == "authorization-mode" || strings.HasPrefix(name, "authorization-webhook-")
		refuseIf(isOIDC && hasConfig, name, fmt.Sprintf(beside, "authentication-config"))
		refuseIf(isOIDC && !hasConfig && (given["oidc-issuer-url"] == "" || given["oidc-client-id"] == ""), name,
			"no oidc flag goes without both oidc-issuer-url and oidc-client-id")
		refuseIf(isMode && given["authorization-config"] != "", name, fmt.Sprintf(beside, "authorization-config"))
	}
	modes, alone := words(given["authorization-mode"]), given["authorization-config"] == ""
	for _, needs := range [][]string{{"Webhook", "authorization-webhook-config-file"}, {"ABAC", "authorization-policy-file"}} {
		mode, flag := needs[0], needs[1]
		has := slices.Contains(modes, mode)
		refuseIf(has && alone && given[flag] == "", "authorization-mode", mode+" needs "+flag+" as well")
		refuseIf(!has && alone && given[flag] != "", flag, "it needs "+mode+" in authorization-mode")
	}
}

// filesOf are those that a flag names, which the component opens when it starts.
func filesOf(a Arg) []string {
	isStream := func(name string) bool {
		return slices.Contains([]string{"", "-", "default", "stdout", "stderr", "systemd/journal"}, name)
	}
	value, _, _ := strings.Cut(a.Value, ":")
	switch {
	case a.Name == "log-outputs":
		return slices.DeleteFunc(words(a.Value), isStream)
	case a.Name == "tls-sni-cert-key":
		return strings.Split(value, ",") // names may follow the colon
	case isStream(a.Value):
	case strings.HasSuffix(a.Name, "file"), strings.HasSuffix(a.Name, "kubeconfig"), table("values/files.txt")[a.Name] != nil:
		return []string{a.Value}
	}
	return nil
}

// validateFiles refuses files that no volume shows to the pod, or to read only where the component
// writes: its own file system is read-only. Patches may add volumes, which are not known here.
// /etc/ssl/certs is in every pod that calls others, as ca-certs: a volume of that name takes its place.
func (b *builder) validateFiles(c *Config, p part) {
	m, _ := minorOf(c.KubernetesVersion)
	types, mounts, volumes := m.flagTypes(p.program), c.mounts(p), strings.Replace(p.field, "extraArgs", "extraVolumes", 1)
	remedy := "add it to " + volumes
	if p.program == "etcd" {
		remedy = "put it below " + c.Etcd.DataDir
	}
	for i, a := range p.ExtraArgs {
		isWritten := len(table("values/files.txt")[a.Name]) > 0
		for _, file := range filesOf(a) {
			mount := innermost(path.Clean("/"+strings.TrimSpace(file)), mounts)
			field, isKnown := at(p.field, i)+".value", types[a.Name] != nil && isText(file) && c.PatchesDir == ""
			b.badIf(isKnown && mount == "", field, "%s: %s is in no volume of the pod: %s", a.Name, file, remedy)
			b.badIf(isKnown && mount != "" && isWritten && !mounts[mount], field,
				"%s: %s is in a volume that is read-only, %s: %s", a.Name, file, mount, remedy)
		}
	}
	for i, v := range p.ExtraVolumes {
		isTaken := withoutSlash(v.MountPath) == TrustedCAs[0] && v.Name != "ca-certs" && p.program != "kube-scheduler"
		b.badIf(isTaken, at(volumes, i)+".mountPath",
			"the pod mounts %q already: call the volume ca-certs to take its place", v.MountPath)
	}
}

// innermost is the mount that shows a file, empty without.
func innermost(file string, mounts map[string]bool) string {
	for ; file != "/"; file = path.Dir(file) {
		if _, is := mounts[file]; is {
			return file
		}
	}
	return ""
}

// mounts are the paths that a pod of the control plane mounts, as in phases/spec, and whether it
// may write there.
func (c *Config) mounts(p part) map[string]bool {
	mounts := map[string]bool{"/dev": true}
	own := append([]string{c.CertificatesDir}, TrustedCAs...)
	switch etcd := c.Etcd.External; {
	case p.program == "etcd":
		own = []string{c.CertificatesDir + "/etcd"}
		mounts[c.Etcd.DataDir] = true
	case p.program == "kube-scheduler":
		own = []string{"/etc/kubernetes/scheduler.conf"}
	case p.program == "kube-controller-manager":
		own = append(own, "/etc/kubernetes/controller-manager.conf")
	case etcd != nil && etcd.CAFile != "":
		own = append(own, path.Dir(etcd.CAFile), path.Dir(etcd.CertFile), path.Dir(etcd.KeyFile))
	}
	for _, mount := range own {
		mounts[mount] = false
	}
	for _, v := range p.ExtraVolumes {
		mounts[path.Clean(v.MountPath)] = !v.ReadOnly
	}
	return mounts
}
