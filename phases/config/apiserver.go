package config

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"bootstrap/phases/locate"
)

func (m minor) unfitPlugins(value string) (reasons []string) {
	known := list(m.file("plugins"))
	for _, name := range words(value) {
		switch {
		case slices.Contains(known, name):
		case slices.Contains(known, strings.TrimSpace(name)):
			reasons = append(reasons, fmt.Sprintf("%q has a blank, which belongs to the name: write no blanks", name))
		default:
			reasons = append(reasons, fmt.Sprintf("Kubernetes 1.%d has no admission plugin %q%s", m.number, name, m.near(name, known, "plugins")))
		}
	}
	return reasons
}

var authorizationModes = []string{"Node", "RBAC", "Webhook", "ABAC", "AlwaysAllow", "AlwaysDeny"}

// unfitModes refuses modes that are none, and those of which none lets kubelets in.
func unfitModes(program, value string) (reasons []string) {
	modes := words(value)
	for i, mode := range modes {
		switch {
		case slices.Contains(modes[:i], mode):
			reasons = append(reasons, mode+" is given twice")
		case slices.Contains(authorizationModes, mode):
		case slices.Contains(authorizationModes, strings.TrimSpace(mode)):
			reasons = append(reasons, fmt.Sprintf("%q has a blank, which belongs to the name: write no blanks", mode))
		default:
			reasons = append(reasons, fmt.Sprintf("%q is no mode%s", mode, locate.DidYouMean(mode, authorizationModes)))
		}
	}
	letsIn := func(mode string) bool {
		return slices.Contains([]string{"Node", "AlwaysAllow", "ABAC", "Webhook"}, mode)
	}
	if program == "kube-apiserver" && len(reasons) == 0 && !slices.ContainsFunc(modes, letsIn) {
		return []string{fmt.Sprintf("%q gives the kubelet no rights, and no node could register: put Node before it", value)}
	}
	return reasons
}

// unfitAPIs refuses what kube-apiserver does (k8s.io/apiserver/pkg/server/resourceconfig).
func (m minor) unfitAPIs(value string) (reasons []string) {
	set, known := pairs(value, "="), list(m.file("apis"))
	for _, name := range slices.Sorted(maps.Keys(set)) {
		_, err := strconv.ParseBool(set[name])
		if err != nil && set[name] != "" {
			reasons = append(reasons, fmt.Sprintf("%q of %s is neither true nor false", set[name], name))
		}
		part := append(strings.Split(name, "/"), "", "")
		switch version := part[0] + "/" + part[1]; {
		case slices.Contains([]string{"api/all", "api/ga", "api/beta", "api/alpha"}, name), slices.Contains(known, version):
		case part[1] == "":
			reasons = append(reasons, fmt.Sprintf("%q is no API such as batch/v1", name))
		default:
			reasons = append(reasons, fmt.Sprintf("Kubernetes 1.%d has no API %s%s", m.number, version, m.near(version, known, "apis")))
		}
	}
	return reasons
}

func unfitIssuer(value string) []string {
	if u, err := url.Parse(value); err == nil && u.Scheme == "https" && u.Host != "" {
		return nil
	}
	return []string{fmt.Sprintf("%q is no URL with https://, where kube-apiserver wants the issuer", value)}
}

// validateAPIServer refuses flags of which kube-apiserver takes the one or the other only, and
// those that need another.
func (b *builder) validateAPIServer(args []Arg) {
	field := "apiServer.extraArgs"
	given := map[string]string{}
	for _, a := range args {
		given[a.Name] = a.Value
	}
	refuse := func(name, why string) { b.bad(lastOf(field, args, name), "%s: %s", name, why) }
	for _, name := range slices.Sorted(maps.Keys(given)) {
		isOIDC := strings.HasPrefix(name, "oidc-")
		isMode := name == "authorization-mode" || strings.HasPrefix(name, "authorization-webhook-")
		switch {
		case isOIDC && given["authentication-config"] != "":
			refuse(name, "kube-apiserver does not take it beside authentication-config: say it in that file")
		case isOIDC && (given["oidc-issuer-url"] == "" || given["oidc-client-id"] == ""):
			refuse(name, "no oidc flag goes without both oidc-issuer-url and oidc-client-id")
		case isMode && given["authorization-config"] != "":
			refuse(name, "kube-apiserver does not take it beside authorization-config: say it in that file")
		}
	}
	b.validateModeFiles(given, refuse)
	for _, plugin := range words(given["enable-admission-plugins"]) {
		if slices.Contains(words(given["disable-admission-plugins"]), plugin) {
			refuse("disable-admission-plugins", plugin+" is in enable-admission-plugins as well")
		}
	}
}

// validateModeFiles wants the file of a mode that has one, and the mode of a file.
func (b *builder) validateModeFiles(given map[string]string, refuse func(name, why string)) {
	modes := words(given["authorization-mode"])
	for _, each := range []struct{ mode, flag string }{
		{"Webhook", "authorization-webhook-config-file"}, {"ABAC", "authorization-policy-file"},
	} {
		switch has := slices.Contains(modes, each.mode); {
		case has && given[each.flag] == "":
			refuse("authorization-mode", fmt.Sprintf("%s needs %s as well", each.mode, each.flag))
		case !has && given[each.flag] != "" && given["authorization-config"] == "":
			refuse(each.flag, fmt.Sprintf("it needs authorization-mode with %s in it", each.mode))
		}
	}
}
