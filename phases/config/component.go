package config

import (
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
		rules  []decided
		mounts []string // that the pod cannot do without
	}{
		{"etcd.local", "etcd", etcd, c.etcdRules(), nil},
		{"apiServer", "kube-apiserver", c.APIServer, c.apiServerRules(), []string{c.CertificatesDir}},
		{
			"controllerManager", "kube-controller-manager", c.ControllerManager, c.controllerManagerRules(),
			[]string{c.CertificatesDir, "/etc/kubernetes/controller-manager.conf"},
		},
		{"scheduler", "kube-scheduler", c.Scheduler, nil, []string{"/etc/kubernetes/scheduler.conf"}},
	} {
		b.validateEnvs(part.field, part.ExtraEnvs)
		b.validateVolumes(part.field+".extraVolumes", part.ExtraVolumes, part.mounts)
		b.validateArgs(c, part.field+".extraArgs", part.program, part.ExtraArgs, part.rules)
	}
	b.validateArgs(c, "nodeRegistration.kubeletExtraArgs", "kubelet", c.KubeletExtraArgs, c.kubeletFlagRules())
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

func (b *builder) validateEnvs(field string, envs []EnvVar) {
	for i, e := range envs {
		field := at(field+".extraEnvs", i)
		b.badIf(!envName.MatchString(e.Name), field+".name", "%q is no name of an environment variable", e.Name)
		b.badIf(strings.Contains(string(e.Value), "\x00") || !utf8.ValidString(string(e.Value)), field+".value",
			"that of %s holds NUL or bytes that are no text", e.Name)
	}
}

var (
	pathTypes = []string{"", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"}
	// ownVolumes are the names that the static pods' own volumes have, and kubeadm's.
	ownVolumes = []string{
		"k8s-certs", "ca-certs", "kubeconfig", "etcd-certs", "etcd-data", "etc-pki", "etc-pki-ca-trust", "etc-pki-tls-certs", "etc-ca-certificates",
		"usr-share-ca-certificates", "usr-local-share-ca-certificates",
	}
)

// validateVolumes takes names and paths of mounts that the pod has not yet.
func (b *builder) validateVolumes(field string, volumes []Volume, mounts []string) {
	names := slices.Clone(ownVolumes)
	for i, v := range volumes {
		field, mount := at(field, i), withoutSlash(v.MountPath)
		switch {
		case validation.IsDNS1123Label(v.Name) != nil:
			b.bad(field+".name", "%q is no name of a volume: lower case letters, digits and '-'", v.Name)
		case slices.Contains(names, v.Name), strings.HasPrefix(v.Name, "etcd-certs-"):
			b.bad(field+".name", "%q is a volume that the pod has already", v.Name)
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
