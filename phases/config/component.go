package config

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

func (c Component) withoutSlashes() Component {
	c.ExtraVolumes = slices.Clone(c.ExtraVolumes)
	for i, v := range c.ExtraVolumes {
		c.ExtraVolumes[i].HostPath, c.ExtraVolumes[i].MountPath = withoutSlash(v.HostPath), withoutSlash(v.MountPath)
	}
	return c
}

func (b *builder) validateComponents(c *Config) {
	for _, part := range []struct {
		field string
		Component
		mounts []string // that the pod cannot do without
	}{
		{"apiServer", c.APIServer, []string{c.CertificatesDir}},
		{"controllerManager", c.ControllerManager, []string{c.CertificatesDir, "/etc/kubernetes/controller-manager.conf"}},
		{"scheduler", c.Scheduler, []string{"/etc/kubernetes/scheduler.conf"}},
	} {
		b.validateEnvs(part.field, part.ExtraEnvs)
		b.validateVolumes(part.field+".extraVolumes", part.ExtraVolumes, part.mounts)
	}
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

func (b *builder) validateEnvs(field string, envs []EnvVar) {
	for i, e := range envs {
		field := at(field+".extraEnvs", i)
		if e.ValueFrom != nil {
			b.bad(field+".valueFrom", "only values can be given, as a static pod may not refer to other objects: write the value")
		}
		if !envName.MatchString(e.Name) {
			b.bad(field+".name", "%q is no name of an environment variable", e.Name)
		}
		if strings.Contains(e.Value, "\x00") || !utf8.ValidString(e.Value) {
			b.bad(field+".value", "that of %s holds NUL or bytes that are no text", e.Name)
		}
		if slices.ContainsFunc(envs[:i], func(other EnvVar) bool { return other.Name == e.Name }) {
			b.bad(field+".name", "%s is set twice", e.Name)
		}
	}
}

var (
	dnsLabel  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	pathTypes = []string{"DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"}
	// ownVolumes are the names that the static pods' own volumes have, and kubeadm's.
	ownVolumes = []string{
		"k8s-certs", "ca-certs", "kubeconfig", "etcd-certs", "etcd-data", "etc-pki", "etc-pki-ca-trust", "etc-pki-tls-certs", "etc-ca-certificates",
		"usr-share-ca-certificates", "usr-local-share-ca-certificates",
	}
)

func (b *builder) validateVolumes(field string, volumes []Volume, mounts []string) {
	for i, v := range volumes {
		field := at(field, i)
		switch {
		case !dnsLabel.MatchString(v.Name):
			b.bad(field+".name", "%q is no name of a volume: lower case letters, digits and '-'", v.Name)
		case slices.Contains(ownVolumes, v.Name), strings.HasPrefix(v.Name, "etcd-certs-"):
			b.bad(field+".name", "%q is a volume that the pod has already", v.Name)
		}
		if !isMountable(v.HostPath) {
			b.bad(field+".hostPath", "%q must be an absolute path without '..'", v.HostPath)
		}
		if !isMountable(v.MountPath) || v.MountPath == "/" || strings.Contains(v.MountPath, ":") {
			b.bad(field+".mountPath", "%q must be an absolute path without '..' and ':', and not /", v.MountPath)
		}
		if slices.Contains(mounts, v.MountPath) {
			b.bad(field+".mountPath", "the pod mounts %q already", v.MountPath)
		}
		if v.PathType != "" {
			b.validateOneOf(field+".pathType", v.PathType, pathTypes)
		}
		b.validateTwice(field, v, volumes[:i])
	}
}

func (b *builder) validateTwice(field string, v Volume, before []Volume) {
	for _, other := range before {
		if other.Name == v.Name {
			b.bad(field+".name", "there are two volumes with the name %q", v.Name)
		}
		if other.MountPath == v.MountPath {
			b.bad(field+".mountPath", "%s is mounted at %q as well", other.Name, v.MountPath)
		}
	}
}

func isMountable(p string) bool { return path.IsAbs(p) && path.Clean(p) == p && isText(p) }

// isText has no line breaks, and nothing that is no text.
func isText(s string) bool { return !strings.ContainsAny(s, "\x00\n\r") && utf8.ValidString(s) }
