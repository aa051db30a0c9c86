package podmanifest

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
)

func (c *check) probes(each container) {
	for name, p := range map[string]*corev1.Probe{
		"livenessProbe": each.LivenessProbe, "readinessProbe": each.ReadinessProbe, "startupProbe": each.StartupProbe,
	} {
		if p == nil {
			continue
		}
		field, h := each.field+"."+name, p.ProbeHandler
		c.refuse(each.ends, field, "an init container has none: leave it out, or make it a sidecar (restartPolicy: Always)")
		none := func(is bool) bool { return !is }
		there := slices.DeleteFunc([]bool{h.Exec != nil, h.HTTPGet != nil, h.TCPSocket != nil, h.GRPC != nil}, none)
		if len(there) != 1 {
			c.bad(field, "it has %d handlers, want one of exec, httpGet, tcpSocket, grpc", len(there))
		}
		if h.HTTPGet != nil {
			c.portOrName(field+".httpGet.port", h.HTTPGet.Port)
			c.oneOf(field+".httpGet.scheme", string(h.HTTPGet.Scheme), "HTTP", "HTTPS")
		}
		if h.TCPSocket != nil {
			c.portOrName(field+".tcpSocket.port", h.TCPSocket.Port)
		}
		many := p.SuccessThreshold > 1 && name != "readinessProbe"
		c.refuse(many, field+".successThreshold", "it is 1 for all probes but readinessProbe")
		lowest := min(p.InitialDelaySeconds, p.TimeoutSeconds, p.PeriodSeconds, p.SuccessThreshold, p.FailureThreshold)
		c.refuse(lowest < 0, field, "a number in it is less than nothing")
	}
}

func (c *check) hooks(each container) {
	if each.Lifecycle == nil {
		return
	}
	c.refuse(each.ends, each.field+".lifecycle", "an init container has none: leave it out, or make it a sidecar (restartPolicy: Always)")
	for name, h := range map[string]*corev1.LifecycleHandler{"postStart": each.Lifecycle.PostStart, "preStop": each.Lifecycle.PreStop} {
		if h == nil {
			continue
		}
		none := func(is bool) bool { return !is }
		there := slices.DeleteFunc([]bool{h.Exec != nil, h.HTTPGet != nil, h.TCPSocket != nil, h.Sleep != nil}, none)
		if len(there) != 1 {
			c.bad(each.field+".lifecycle."+name, "it has %d handlers, want one of exec, httpGet, tcpSocket, sleep", len(there))
		}
	}
}

func (c *check) portOrName(field string, port intstr.IntOrString) {
	if port.Type == intstr.String {
		c.valid(field, port.StrVal, validation.IsValidPortName)
		return
	}
	c.refuse(port.IntVal < 1 || port.IntVal > 65535, field, fmt.Sprintf("%d is no port: want 1 to 65535", port.IntVal))
}
