package config

import (
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"
)

func (b *builder) validateEnvs(field string, envs []EnvVar) {
	for i, e := range envs {
		field := at(field, i)
		b.badIf(validation.IsRelaxedEnvVarName(e.Name) != nil, field+".name", "%q is no name of an environment variable", e.Name)
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
		"etcd":                    {"etcd-certs": c.CertificatesDir + "/etcd", "etcd-data": c.Etcd.DataDir},
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
		field, mount := at(field, i), path.Clean(v.MountPath)
		switch {
		case validation.IsDNS1123Label(v.Name) != nil:
			b.bad(field+".name", "%q is no name of a volume: lower case letters, digits and '-'", v.Name)
		case slices.Contains(names, v.Name):
			b.bad(field+".name", "%q is a volume that the pod has already", v.Name)
		case own[v.Name] != "" && own[v.Name] == mount && path.Clean(v.HostPath) == mount:
			names = append(names, v.Name)
			continue // it is what the pod has anyway
		case own[v.Name] != "":
			b.bad(field+".name", "%q is a volume that the pod has already, of %s: give yours another name", v.Name, own[v.Name])
		}
		b.badIf(!isMountable(v.HostPath), field+".hostPath", "%q must be an absolute path without '..'", v.HostPath)
		b.badIf(!isMountable(v.MountPath) || mount == "/" || strings.Contains(mount, ":"), field+".mountPath",
			"%q must be an absolute path without '..' and ':', and not /", v.MountPath)
		b.badIf(slices.Contains(mounts, mount), field+".mountPath", "the pod mounts %q already", v.MountPath)
		// A pod that calls others, so that it has certificates, has the trusted CAs as well.
		b.badIf(mount == TrustedCAs[0] && v.Name != "ca-certs" && own["k8s-certs"] != "", field+".mountPath",
			"the pod mounts %q already: call the volume ca-certs to take its place", v.MountPath)
		b.validateOneOf(field+".pathType", v.PathType, pathTypes)
		names, mounts = append(names, v.Name), append(mounts, mount)
	}
}

func isMountable(p string) bool {
	return path.IsAbs(p) && !slices.Contains(strings.Split(p, "/"), "..") && isText(p)
}

// isText has no line breaks, and nothing that is no text.
func isText(s string) bool { return !strings.ContainsAny(s, "\x00\n\r") && utf8.ValidString(s) }

// filesOf are those that a flag names, which the program opens when it starts.
func filesOf(a Arg) []string {
	streams := []string{"", "-", "default", "stdout", "stderr", "systemd/journal"} // as log-outputs and audit-log-path have them
	isFile := strings.HasSuffix(a.Name, "file") || strings.HasSuffix(a.Name, "kubeconfig") || table("values/files.txt")[a.Name] != nil
	if !isFile || !isText(a.Value) {
		return nil
	}
	value := a.Value
	if a.Name == "tls-sni-cert-key" {
		value, _, _ = strings.Cut(value, ":") // names may follow
	}
	return slices.DeleteFunc(words(value), func(name string) bool { return slices.Contains(streams, name) })
}

// validateFiles refuses files that no volume shows to the pod, or to read only where the program writes: its own
// file system is read-only. Patches may add volumes, which are not known here.
func (b *builder) validateFiles(c *Config, p program) {
	mounts, remedy := c.mounts(p), "add it to "+p.beside("extraVolumes")
	if p.name == "etcd" {
		remedy = "put it below " + c.Etcd.DataDir
	}
	for i, a := range p.ExtraArgs {
		isWritten := slices.Contains(table("values/files.txt")[a.Name], "written")
		for _, file := range filesOf(a) {
			mount, field := innermost(path.Clean("/"+strings.TrimSpace(file)), mounts), at(p.field, i)+".value"
			switch {
			case c.PatchesDir != "":
			case mount == "":
				b.bad(field, "%s: %s is in no volume of the pod: %s", a.Name, file, remedy)
			case isWritten && !mounts[mount]:
				b.bad(field, "%s: %s is in a volume that is read-only, %s: %s", a.Name, file, mount, remedy)
			}
		}
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

// mounts are the paths that a pod of the control plane mounts, as in phases/spec, and whether it may write there.
func (c *Config) mounts(p program) map[string]bool {
	volumes, mounts := c.OwnVolumes(p.name), map[string]bool{"/dev": true}
	own := slices.Collect(maps.Values(volumes))
	if volumes["k8s-certs"] != "" { // a pod that calls others
		own = append(own, TrustedCAs...)
	}
	if etcd := c.Etcd.External; p.name == "kube-apiserver" && etcd != nil && etcd.CAFile != "" {
		own = append(own, path.Dir(etcd.CAFile), path.Dir(etcd.CertFile), path.Dir(etcd.KeyFile))
	}
	for _, mount := range own {
		mounts[mount] = p.name == "etcd" && mount == c.Etcd.DataDir
	}
	for _, v := range p.ExtraVolumes {
		mounts[path.Clean(v.MountPath)] = !v.ReadOnly
	}
	return mounts
}
