package phases

import (
	"errors"

	"bootstrap/phases/spec"
)

// keepConntrack records what kube-proxy sets when it starts, before there is one: reset gives
// it back.
func (e *Env) keepConntrack() error {
	if e.Config.ProxyDisabled || e.Facts.FixedConntrack || e.Host.Made(spec.KubeletConf) {
		return nil
	}
	var errs []error
	for _, name := range []string{"max", "tcp_timeout_established", "tcp_timeout_close_wait"} {
		if name = "net/netfilter/nf_conntrack_" + name; e.Host.KernelSays(name) != "" { // else the module comes later, and has its own
			errs = append(errs, e.Host.KeepSysctl(name))
		}
	}
	return errors.Join(errs...)
}
