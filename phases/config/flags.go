package config

import (
	_ "embed" // of the lists of flags
	"regexp"
	"slices"
	"strings"

	"bootstrap/phases/locate"
)

// The flags of the newest minor, one a line, made by scripts/components/flags.
var (
	//go:embed flags/etcd.txt
	etcdFlags string
	//go:embed flags/kube-apiserver.txt
	apiServerFlags string
	//go:embed flags/kube-controller-manager.txt
	controllerManagerFlags string
	//go:embed flags/kube-scheduler.txt
	schedulerFlags string
	//go:embed flags/kubelet.txt
	kubeletFlags string
)

// flagNames are the flags of a component in that minor.
func (m minor) flagNames(component, newest string) []string {
	known := slices.DeleteFunc(strings.Fields(newest), func(name string) bool { return flagSince[name] > m.number })
	if component == "kubelet" && m.number <= 34 {
		known = append(known, podInfraFlag)
	}
	return known
}

func (b *builder) validateFlags(c *Config) {
	m, _ := minorOf(c.KubernetesVersion)
	for _, part := range []struct {
		field, component, flags string
		args                    []Arg
		rules                   []decided
	}{
		{"etcd.local.extraArgs", "etcd", etcdFlags, c.Etcd.ExtraArgs, c.etcdRules()},
		{"apiServer.extraArgs", "kube-apiserver", apiServerFlags, c.APIServer.ExtraArgs, c.apiServerRules()},
		{"controllerManager.extraArgs", "kube-controller-manager", controllerManagerFlags, c.ControllerManager.ExtraArgs, c.controllerManagerRules()},
		{"scheduler.extraArgs", "kube-scheduler", schedulerFlags, c.Scheduler.ExtraArgs, nil},
		{"nodeRegistration.kubeletExtraArgs", "kubelet", kubeletFlags, c.KubeletExtraArgs, c.kubeletFlagRules()},
	} {
		known := m.flagNames(part.component, part.flags)
		if part.component == "etcd" && !strings.HasSuffix(c.Images.Etcd, "/etcd:"+m.etcdTag) {
			known = nil // another etcd, whose flags are not known here
		}
		for i, a := range part.args {
			field := at(part.field, i)
			b.validateFlag(field, a, part.rules)
			if known != nil && flagName.MatchString(a.Name) && !slices.Contains(known, a.Name) {
				b.bad(field+".name", "%s of Kubernetes 1.%d has no flag %q%s", part.component, m.number, a.Name, locate.DidYouMean(a.Name, known))
			}
		}
	}
}

var flagName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`)

func (b *builder) validateFlag(field string, a Arg, rules []decided) {
	if !flagName.MatchString(a.Name) {
		b.bad(field+".name", "%q is no flag name (write it without dashes)", a.Name)
	}
	if !isText(a.Value) {
		b.bad(field+".value", "that of %s holds a line break, NUL or bytes that are no text", a.Name)
		return
	}
	for _, r := range rules {
		if why := r.refusal(a.Value); r.field == a.Name && why != "" {
			b.bad(field+".value", "%s: %s", a.Name, why)
		}
	}
}
