package config

import (
	"crypto/tls"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"
)

func (b *builder) validateComponents(c *Config) {
	etcd := Component{ExtraArgs: c.Etcd.ExtraArgs, ExtraEnvs: c.Etcd.ExtraEnvs}
	for _, part := range []struct {
		field, program string
		Component
		rules []decided
	}{
		{"etcd.local", "etcd", etcd, c.etcdRules()},
		{"apiServer", "kube-apiserver", c.APIServer, c.apiServerRules()},
		{"controllerManager", "kube-controller-manager", c.ControllerManager, c.controllerManagerRules()},
		{"scheduler", "kube-scheduler", c.Scheduler, nil},
	} {
		b.validateEnvs(part.field, part.ExtraEnvs)
		b.validateVolumes(part.field+".extraVolumes", part.ExtraVolumes, c.OwnVolumes(part.program))
		b.validateArgs(c, part.field+".extraArgs", part.program, part.ExtraArgs, part.rules)
		b.warnOfCiphers(part.field+".extraArgs", part.ExtraArgs)
	}
	b.warnOfCiphers("nodeRegistration.kubeletExtraArgs", c.KubeletExtraArgs)
	b.warnOfCloud(c.KubeletExtraArgs)
	b.validateArgs(c, "nodeRegistration.kubeletExtraArgs", "kubelet", c.KubeletExtraArgs, c.kubeletFlagRules())
}

// warnOfCiphers tells of suites that Go calls insecure, as the components do.
func (b *builder) warnOfCiphers(field string, args []Arg) {
	for i, a := range args {
		for _, insecure := range tls.InsecureCipherSuites() {
			if a.Name == "tls-cipher-suites" && slices.Contains(strings.Split(a.Value, ","), insecure.Name) {
				b.warn(at(field, i)+".value", "%s is insecure: leave it out", insecure.Name)
			}
		}
	}
}

// warnOfCloud tells of a cloud that the kubelet has nothing to do with any more.
func (b *builder) warnOfCloud(args []Arg) {
	for i, a := range args {
		if a.Name == "cloud-provider" && a.Value != "" && a.Value != "external" {
			b.warn(at("nodeRegistration.kubeletExtraArgs", i)+".value",
				"a kubelet knows no cloud %q: leave it out, or write external where a cloud controller manager runs", a.Value)
		}
	}
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

func (b *builder) validateEnvs(field string, envs []EnvVar) {
	for i, e := range envs {
		field := at(field+".extraEnvs", i)
		b.badIf(!envName.MatchString(e.Name), field+".name", "%q is no name of an environment variable", e.Name)
		b.validateValueFrom(field+".valueFrom", e)
		b.badIf(strings.Contains(string(e.Value), "\x00") || !utf8.ValidString(string(e.Value)), field+".value",
			"that of %s holds NUL or bytes that are no text", e.Name)
	}
}

// podFields are those that an environment variable can have the value of.
var podFields = regexp.MustCompile(
	`^(metadata\.(name|namespace|uid|(labels|annotations)\['[^']+'\])|spec\.(nodeName|serviceAccountName)|status\.(hostIP|podIP)s?)$`)

func (b *builder) validateValueFrom(field string, e EnvVar) {
	if e.ValueFrom == nil {
		return
	}
	from := e.ValueFrom.FieldRef
	b.badIf(e.Value != "", field, "give either this or value")
	b.badIf(from.APIVersion != "" && from.APIVersion != "v1", field+".fieldRef.apiVersion", "%q is unknown, want v1", from.APIVersion)
	b.badIf(!podFields.MatchString(from.FieldPath), field+".fieldRef.fieldPath", "%q is no field of a pod such as status.podIP", from.FieldPath)
}

// OwnVolumes are the paths that a component's pod cannot do without, by the names of the volumes.
func (c *Config) OwnVolumes(program string) map[string]string {
	const certs, kubeconfig = "k8s-certs", "kubeconfig"
	return map[string]map[string]string{
		"kube-apiserver":          {certs: c.CertificatesDir},
		"kube-controller-manager": {certs: c.CertificatesDir, kubeconfig: "/etc/kubernetes/controller-manager.conf"},
		"kube-scheduler":          {kubeconfig: "/etc/kubernetes/scheduler.conf"},
	}[program]
}

var pathTypes = []string{"", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"}

// validateVolumes takes names and paths of mounts that the pod has not yet. As with kubeadm, one
// with the name of an own volume takes its place; of own, which are paths by names, it has to be
// the same.
func (b *builder) validateVolumes(field string, volumes []Volume, own map[string]string) {
	var names []string
	mounts := slices.Collect(maps.Values(own))
	for i, v := range volumes {
		field, mount := at(field, i), withoutSlash(v.MountPath)
		switch {
		case validation.IsDNS1123Label(v.Name) != nil:
			b.bad(field+".name", "%q is no name of a volume: lower case letters, digits and '-'", v.Name)
		case slices.Contains(names, v.Name):
			b.bad(field+".name", "%q is a volume that the pod has already", v.Name)
		case own[v.Name] != "" && own[v.Name] == mount && withoutSlash(v.HostPath) == mount:
			names = append(names, v.Name)
			continue // it is what the pod has anyway
		case own[v.Name] != "":
			b.bad(field+".name", "%q is a volume that the pod has already, of %s: give yours another name", v.Name, own[v.Name])
		}
		b.badIf(!isMountable(v.HostPath), field+".hostPath", "%q must be an absolute path without '..'", v.HostPath)
		b.badIf(!isMountable(v.MountPath) || mount == "/" || strings.Contains(mount, ":"), field+".mountPath",
			"%q must be an absolute path without '..' and ':', and not /", v.MountPath)
		b.badIf(slices.Contains(mounts, mount), field+".mountPath", "the pod mounts %q already", v.MountPath)
		b.validateOneOf(field+".pathType", v.PathType, pathTypes)
		names, mounts = append(names, v.Name), append(mounts, mount)
	}
}

func isMountable(p string) bool {
	return path.IsAbs(p) && path.Clean(p) == withoutSlash(p) && isText(p)
}

// isText has no line breaks, and nothing that is no text.
func isText(s string) bool { return !strings.ContainsAny(s, "\x00\n\r") && utf8.ValidString(s) }
