package config

import (
	"cmp"
	"strconv"
	"time"
)

// part is a program of the control plane, and its field.
type part struct {
	field, program string
	Component
}

// validateTogether looks at what the flags of a component say together, and with its volumes.
func (b *builder) validateTogether(c *Config) {
	for _, p := range []part{
		{"etcd.local", "etcd", Component{ExtraArgs: c.Etcd.ExtraArgs}},
		{"apiServer", "kube-apiserver", c.APIServer},
		{"controllerManager", "kube-controller-manager", c.ControllerManager},
		{"scheduler", "kube-scheduler", c.Scheduler},
	} {
		b.validateFiles(c, p)
		b.validateSuites(p.field+".extraArgs", p.ExtraArgs)
		b.validateElection(p.field+".extraArgs", p.ExtraArgs)
	}
	b.validateSuites("nodeRegistration.kubeletExtraArgs", c.KubeletExtraArgs)
	b.validateAPIServer(c.APIServer.ExtraArgs)
	b.validateTrustedCAs("apiServer.extraVolumes", c.APIServer.ExtraVolumes)
	b.validateTrustedCAs("controllerManager.extraVolumes", c.ControllerManager.ExtraVolumes)
}

// validateElection wants what k8s.io/client-go/tools/leaderelection does.
func (b *builder) validateElection(field string, args []Arg) {
	of := func(flag, byDefault string) time.Duration {
		d, _ := time.ParseDuration(cmp.Or(Argument(args, flag), byDefault)) // said already
		return d
	}
	if on, err := strconv.ParseBool(Argument(args, "leader-elect")); err == nil && !on {
		return
	}
	const renew = "leader-elect-renew-deadline"
	lease, deadline, retry := of("leader-elect-lease-duration", "15s"), of(renew, "10s"), of("leader-elect-retry-period", "2s")
	b.badIf(lease <= deadline, lastOf(field, args, "leader-elect-lease-duration"),
		"leader-elect-lease-duration, %s, must be longer than %s, %s", lease, renew, deadline)
	b.badIf(deadline <= retry*12/10, lastOf(field, args, renew),
		"%s, %s, must be longer than 1.2 times leader-elect-retry-period, %s", renew, deadline, retry)
}

// validateTrustedCAs: in every distribution a pod that calls others has /etc/ssl/certs, in kubeadm
// under this name, and no pod may mount a path twice. A volume of the name takes its place.
func (b *builder) validateTrustedCAs(field string, volumes []Volume) {
	for i, v := range volumes {
		b.badIf(withoutSlash(v.MountPath) == TrustedCAs[0] && v.Name != "ca-certs", at(field, i)+".mountPath",
			"the pod mounts %q already: call the volume ca-certs to take its place, or mount it elsewhere", v.MountPath)
	}
}
