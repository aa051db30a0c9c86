package config

import (
	"fmt"
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
func (b *builder) validateFiles(c *Config, p part) {
	m, _ := minorOf(c.KubernetesVersion)
	types, volumes := m.flagTypes(p.program), slices.Concat(c.ownVolumesOf(p.program), p.ExtraVolumes)
	if b.docs.init.Patches.Directory != "" {
		return
	}
	for i, a := range p.ExtraArgs {
		paths, written := filesOf(a)
		for _, file := range paths {
			why := missing(file, written, volumes)
			b.badIf(why != "" && types[a.Name] != "" && isText(file), at(p.field+".extraArgs", i)+".value",
				"%s: %s is in %s%s", a.Name, file, why, p.remedy(volumes))
		}
	}
}

// remedy is where files of a pod belong: etcd's has no volumes of the user's.
func (p part) remedy(volumes []Volume) string {
	if p.program == "etcd" {
		return ": put it below " + volumes[0].MountPath
	}
	return fmt.Sprintf(": add it to %s.extraVolumes", p.field)
}

// missing says why a component does not find a file, or can't write it; empty if it does.
func missing(file string, written bool, volumes []Volume) string {
	switch v := volumeOf(path.Clean("/"+strings.TrimSpace(file)), volumes); {
	case v.MountPath == "":
		return "no volume of the pod"
	case written && v.ReadOnly:
		return "a volume of the pod that is read-only, " + v.MountPath
	}
	return ""
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
