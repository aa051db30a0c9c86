package podmanifest

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"
)

var (
	index = regexp.MustCompile(`\[\d+\]`)

	podField = regexp.MustCompile(
		`^(metadata\.(name|namespace|uid|(labels|annotations)\['[^']+'\])|spec\.(nodeName|serviceAccountName)|status\.(hostIP|podIP)s?)$`)
	resourceField = regexp.MustCompile(`^(limits|requests)\.(cpu|memory|ephemeral-storage|hugepages-.+)$`)
	sysctlName    = regexp.MustCompile(`^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$`)
)

// value wants of a field what reasons.yaml has of words and numbers.
func (c *check) value(field string, value any) {
	path := "." + index.ReplaceAllString(field, "")
	if text, is := value.(string); is {
		for name, words := range c.why.Words {
			if strings.HasSuffix(path, "."+name) {
				c.oneOf(field, text, words...)
			}
		}
	}
	if number, is := value.(int64); is {
		for name, least := range c.why.Least {
			c.refuse(strings.HasSuffix(path, "."+name) && number < least, field, fmt.Sprintf("%d is less than %d", number, least))
		}
	}
}

func (c *check) env(each container) {
	for i, e := range each.Env {
		field := fmt.Sprintf("%s.env[%d]", each.field, i)
		c.refuse(e.Name == "", field, "its name is missing")
		if e.Name != "" {
			c.valid(field+".name", e.Name, validation.IsRelaxedEnvVarName)
		}
		from := ptr.Deref(e.ValueFrom, corev1.EnvVarSource{})
		c.refuse(e.ValueFrom != nil && e.Value != "", field+".valueFrom", "there is a value too: leave one of them out")
		if from.FieldRef != nil && !podField.MatchString(from.FieldRef.FieldPath) {
			c.bad(field+".valueFrom.fieldRef.fieldPath", "%q is no field of a pod such as status.podIP", from.FieldRef.FieldPath)
		}
		if from.ResourceFieldRef != nil && !resourceField.MatchString(from.ResourceFieldRef.Resource) {
			c.bad(field+".valueFrom.resourceFieldRef.resource", "%q is unknown, want one such as limits.cpu", from.ResourceFieldRef.Resource)
		}
	}
}

func (c *check) security(each container) {
	s, field := ptr.Deref(each.SecurityContext, corev1.SecurityContext{}), each.field+".securityContext"
	c.profiles(field, s.SeccompProfile, s.AppArmorProfile)
	if ptr.Deref(s.Privileged, false) && !ptr.Deref(s.AllowPrivilegeEscalation, true) {
		c.bad(field+".allowPrivilegeEscalation", "it can't be false in a privileged container")
	}
}

// profiles wants the name of a local one.
func (c *check) profiles(field string, s *corev1.SeccompProfile, a *corev1.AppArmorProfile) {
	const missing = "it is missing: type Localhost is that of a file on this machine"
	isUnnamed := s != nil && s.Type == corev1.SeccompProfileTypeLocalhost && ptr.Deref(s.LocalhostProfile, "") == ""
	c.refuse(isUnnamed, field+".seccompProfile.localhostProfile", missing)
	isUnnamed = a != nil && a.Type == corev1.AppArmorProfileTypeLocalhost && ptr.Deref(a.LocalhostProfile, "") == ""
	c.refuse(isUnnamed, field+".appArmorProfile.localhostProfile", missing)
}

// host is what a pod shares with the machine, and what can't go together there.
func (c *check) host(pod *corev1.Pod) {
	spec, s := pod.Spec, ptr.Deref(pod.Spec.SecurityContext, corev1.PodSecurityContext{})
	c.profiles("spec.securityContext", s.SeccompProfile, s.AppArmorProfile)
	for i, each := range s.Sysctls {
		isName := sysctlName.MatchString(each.Name)
		c.refuse(!isName, fmt.Sprintf("spec.securityContext.sysctls[%d].name", i), fmt.Sprintf("%q is no sysctl", each.Name))
	}
	c.refuse(ptr.Deref(spec.ShareProcessNamespace, false) && spec.HostPID, "spec.shareProcessNamespace", "it can't stand beside hostPID")
	if !ptr.Deref(spec.HostUsers, true) {
		const why = "it can't stand beside hostUsers: false"
		c.refuse(spec.HostNetwork, "spec.hostNetwork", why)
		c.refuse(spec.HostPID, "spec.hostPID", why)
		c.refuse(spec.HostIPC, "spec.hostIPC", why)
	}
}

func (c *check) network(pod *corev1.Pod) {
	for field, name := range map[string]string{"spec.hostname": pod.Spec.Hostname, "spec.subdomain": pod.Spec.Subdomain} {
		if name != "" {
			c.valid(field, name, validation.IsDNS1123Label)
		}
	}
	for i, alias := range pod.Spec.HostAliases {
		c.address(fmt.Sprintf("spec.hostAliases[%d].ip", i), alias.IP)
	}
	dns := ptr.Deref(pod.Spec.DNSConfig, corev1.PodDNSConfig{})
	for i, server := range dns.Nameservers {
		c.address(fmt.Sprintf("spec.dnsConfig.nameservers[%d]", i), server)
	}
	c.refuse(len(dns.Nameservers) > 3, "spec.dnsConfig.nameservers", "want 3 at most")
	isNone := pod.Spec.DNSPolicy == corev1.DNSNone && len(dns.Nameservers) == 0
	c.refuse(isNone, "spec.dnsPolicy", "None needs spec.dnsConfig.nameservers")
}

func (c *check) address(field, text string) {
	_, err := netip.ParseAddr(text)
	c.refuse(err != nil, field, fmt.Sprintf("%q is no IP address", text))
}

func (c *check) tolerations(pod *corev1.Pod) {
	for i, t := range pod.Spec.Tolerations {
		field, isExists := fmt.Sprintf("spec.tolerations[%d]", i), t.Operator == corev1.TolerationOpExists
		if t.Key != "" {
			c.valid(field+".key", t.Key, validation.IsQualifiedName)
		}
		c.refuse(t.Key == "" && !isExists, field+".operator", "want Exists, as there is no key")
		c.refuse(isExists && t.Value != "", field+".value", "leave it out: operator is Exists")
		isLate := t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute
		c.refuse(isLate, field+".tolerationSeconds", "it is for the effect NoExecute only")
	}
}
