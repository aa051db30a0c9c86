package spec

import (
	"bootstrap/phases/config"
	"bootstrap/phases/machine"
)

// ResolverFile is what the kubelet makes pods' resolv.conf from.
func (s *Spec) ResolverFile() string {
	if own, ok := s.OwnResolver(); ok {
		return own
	}
	return resolvConf(s.Facts)
}

// OwnResolver is the user's choice: for the kubelet, a flag goes before its file.
func (s *Spec) OwnResolver() (file string, ok bool) {
	if flag := config.Argument(s.Config.KubeletExtraArgs, "resolv-conf"); flag != "" {
		return flag, true
	}
	file, ok = s.Config.Kubelet["resolvConf"].(string)
	return file, ok
}

// resolvConf is the file that pods' resolvers are made from. A missing one stops
// every pod, so none is better.
func resolvConf(f machine.Facts) string {
	switch {
	case f.ResolvedConf:
		return machine.ResolvedConfPath
	case f.ResolvConf:
		return "/etc/resolv.conf"
	}
	return ""
}
