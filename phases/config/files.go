package config

import (
	"path"
	"slices"
	"strings"
)

// fileFlags name files and have no name that says so.
var fileFlags = []string{
	"config", "cloud-config", "authentication-config", "authorization-config", "encryption-provider-config", "leader-migration-config",
	"kubelet-certificate-authority", "kubelet-client-certificate", "kubelet-client-key", "allow-metric-labels-manifest", "wal-dir",
}

// filesOf are those that a flag names, which the component opens when it starts, and whether it
// writes them.
func filesOf(a Arg) (paths []string, written bool) {
	switch {
	case a.Value == "":
		return nil, false
	case a.Name == "tls-sni-cert-key":
		pair, _, _ := strings.Cut(a.Value, ":")
		return strings.Split(pair, ","), false
	case a.Name == "log-outputs":
		isStream := func(out string) bool {
			return slices.Contains([]string{"default", "stdout", "stderr", "systemd/journal"}, out)
		}
		return slices.DeleteFunc(strings.Split(a.Value, ","), isStream), true
	case a.Name == "audit-log-path" && a.Value == "-":
		return nil, true
	case strings.HasSuffix(a.Name, "file"), strings.HasSuffix(a.Name, "kubeconfig"), slices.Contains(fileFlags, a.Name), a.Name == "audit-log-path":
		return []string{a.Value}, a.Name == "audit-log-path" || a.Name == "wal-dir"
	}
	return nil, false
}

// validateFiles refuses files that no volume shows to the pod, or to read only where the component
// writes: its own file system is read-only. Patches may add volumes, which are not known here.
func (b *builder) validateFiles(field string, args []Arg, volumes []Volume) {
	for i, a := range args {
		paths, written := filesOf(a)
		for _, file := range paths {
			v := volumeOf(path.Clean("/"+strings.TrimSpace(file)), volumes)
			switch {
			case b.docs.init.Patches.Directory != "", !isText(file):
			case v.MountPath == "" && strings.HasPrefix(field, "etcd"):
				b.bad(at(field, i)+".value", "%s: %s is in no volume of the pod: put it below %s", a.Name, file, volumes[0].MountPath)
			case v.MountPath == "":
				b.bad(at(field, i)+".value", "%s: %s is in no volume of the pod: add it to %s", a.Name, file, strings.Replace(field, "extraArgs", "extraVolumes", 1))
			case written && v.ReadOnly:
				b.bad(at(field, i)+".value", "%s: %s is in a volume of the pod that is read-only, %s", a.Name, file, v.MountPath)
			}
		}
	}
}

// volumeOf is the volume that shows a file, the innermost one; empty without.
func volumeOf(file string, volumes []Volume) (innermost Volume) {
	for _, v := range append([]Volume{{MountPath: "/dev"}}, volumes...) {
		mount := path.Clean(v.MountPath)
		if within(file, mount) && len(mount) > len(innermost.MountPath) {
			innermost = v
			innermost.MountPath = mount
		}
	}
	return innermost
}

// ownVolumesOf are what a pod of the control plane mounts anyway, as in phases/spec.
func (c *Config) ownVolumesOf(program string) []Volume {
	readOnly := func(mounts ...string) (all []Volume) {
		for _, mount := range mounts {
			all = append(all, Volume{MountPath: mount, ReadOnly: true})
		}
		return all
	}
	certs := append([]string{c.CertificatesDir}, TrustedCAs...)
	switch program {
	case "etcd":
		return append([]Volume{{MountPath: c.Etcd.DataDir}}, readOnly(c.CertificatesDir+"/etcd")...)
	case "kube-scheduler":
		return readOnly("/etc/kubernetes/scheduler.conf")
	case "kube-controller-manager":
		return readOnly(append(certs, "/etc/kubernetes/controller-manager.conf")...)
	}
	if e := c.Etcd.External; e != nil && e.CAFile != "" {
		certs = append(certs, path.Dir(e.CAFile), path.Dir(e.CertFile), path.Dir(e.KeyFile))
	}
	return readOnly(certs...)
}
