package podmanifest

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/utils/ptr"
)

const noneInInit = "an init container has none: leave it out, or make it a sidecar (restartPolicy: Always)"

func (c *check) probes(each container) {
	for name, p := range map[string]*corev1.Probe{
		"livenessProbe": each.LivenessProbe, "readinessProbe": each.ReadinessProbe, "startupProbe": each.StartupProbe,
	} {
		if p == nil {
			continue
		}
		field := each.field + "." + name
		c.refuse(each.ends, field, noneInInit)
		c.oneHandler(field, "exec, httpGet, tcpSocket, grpc", p.Exec != nil, p.HTTPGet != nil, p.TCPSocket != nil, p.GRPC != nil)
		if p.HTTPGet != nil {
			c.portOrName(field+".httpGet.port", p.HTTPGet.Port)
		}
		if p.TCPSocket != nil {
			c.portOrName(field+".tcpSocket.port", p.TCPSocket.Port)
		}
		many := p.SuccessThreshold > 1 && name != "readinessProbe"
		c.refuse(many, field+".successThreshold", "it is 1 for all probes but readinessProbe")
		lowest := min(p.InitialDelaySeconds, p.TimeoutSeconds, p.PeriodSeconds, p.SuccessThreshold, p.FailureThreshold)
		c.refuse(lowest < 0, field, "a number in it is less than nothing")
	}
}

func (c *check) hooks(each container) {
	hooks := ptr.Deref(each.Lifecycle, corev1.Lifecycle{})
	c.refuse(each.ends && each.Lifecycle != nil, each.field+".lifecycle", noneInInit)
	for name, h := range map[string]*corev1.LifecycleHandler{"postStart": hooks.PostStart, "preStop": hooks.PreStop} {
		if h != nil {
			c.oneHandler(each.field+".lifecycle."+name, "exec, httpGet, tcpSocket, sleep", h.Exec != nil, h.HTTPGet != nil, h.TCPSocket != nil, h.Sleep != nil)
		}
	}
}

func (c *check) oneHandler(field, kinds string, there ...bool) {
	if n := len(slices.DeleteFunc(there, func(is bool) bool { return !is })); n != 1 {
		c.bad(field, "it has %d handlers, want one of %s", n, kinds)
	}
}

func (c *check) portOrName(field string, port intstr.IntOrString) {
	if port.Type == intstr.String {
		c.valid(field, port.StrVal, validation.IsValidPortName)
		return
	}
	c.refuse(port.IntVal < 1 || port.IntVal > 65535, field, fmt.Sprintf("%d is no port: want 1 to 65535", port.IntVal))
}
