package config

import (
	"maps"
	"path"
	"slices"
	"strings"
)

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
