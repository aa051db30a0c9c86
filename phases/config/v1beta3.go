package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"bootstrap/phases/locate"
)

// kubeadm.k8s.io/v1beta3 is what kubeadm read before v1beta4. It is read as that, with three
// differences: flags are a mapping, the timeout of the control plane stands with the API
// server, and the fields that came later are unknown.

const (
	healthCheckField = "timeouts.controlPlaneComponentHealthCheck"
	oldTimeoutField  = "apiServer.timeoutForControlPlane"
)

// laterFields are those that v1beta4 added.
func laterFields(kind string) []string {
	if kind == initKind {
		return []string{"dryRun", "timeouts", "nodeRegistration.imagePullSerial"}
	}
	return []string{
		"encryptionAlgorithm", "certificateValidityPeriod", "caCertificateValidityPeriod", "dns.disabled", "proxy",
		"etcd.local.extraEnvs", "etcd.external.httpEndpoints", "apiServer.extraEnvs", "controllerManager.extraEnvs", "scheduler.extraEnvs",
	}
}

func (d *documents) initV1beta3(root *yaml.Node, part document) error {
	findings := part.asV1beta4(root, initKind, &d.init)
	findings = append(findings, flagsV1beta3(root, "nodeRegistration.kubeletExtraArgs", &d.init.NodeRegistration.KubeletExtraArgs)...)
	d.init.APIVersion = kubeadmV1beta4
	return typeError(findings)
}

func (d *documents) clusterV1beta3(root *yaml.Node, part document) error {
	cl := &d.cluster
	findings := part.asV1beta4(root, clusterKind, cl)
	if cl.Etcd.Local != nil {
		findings = append(findings, flagsV1beta3(root, "etcd.local.extraArgs", &cl.Etcd.Local.ExtraArgs)...)
	}
	findings = slices.Concat(findings,
		flagsV1beta3(root, "apiServer.extraArgs", &cl.APIServer.ExtraArgs),
		flagsV1beta3(root, "controllerManager.extraArgs", &cl.ControllerManager.ExtraArgs),
		flagsV1beta3(root, "scheduler.extraArgs", &cl.Scheduler.ExtraArgs))
	if timeout := locate.Node(root, oldTimeoutField); timeout != nil {
		findings = append(findings, messages(timeout.Decode(&d.oldTimeout))...)
	}
	cl.APIVersion = kubeadmV1beta4
	return typeError(findings)
}

// asV1beta4 decodes what is the same in both versions, and finds what is in neither.
func (part document) asV1beta4(root *yaml.Node, kind string, into any) []string {
	var findings []string
	for _, field := range laterFields(kind) {
		if locate.Node(root, field) != nil {
			name := field[strings.LastIndex(field, ".")+1:]
			findings = append(findings, fmt.Sprintf("line %d: field %s not found in type v1beta3", locate.Line(root, field), name))
		}
	}
	return append(findings, slices.DeleteFunc(messages(part.strict(into)), isV1beta3)...)
}

// isV1beta3 tells whether the decoder of v1beta4 complains of what v1beta3 has.
func isV1beta3(message string) bool {
	return strings.HasSuffix(message, "cannot unmarshal !!map into []config.Arg") ||
		strings.HasSuffix(message, "field timeoutForControlPlane not found in type config.apiServer")
}

// flagsV1beta3 reads flags written as a mapping. They come sorted by name, and so
// locate.Line finds them.
func flagsV1beta3(root *yaml.Node, field string, into *[]Arg) []string {
	n := locate.Node(root, field)
	if n == nil {
		return nil
	}
	var flags map[string]string
	err := n.Decode(&flags)
	*into = nil
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		*into = append(*into, Arg{name, flags[name]})
	}
	return slices.DeleteFunc(messages(err), func(m string) bool {
		return strings.Contains(m, "already defined at line") // the other decoder says it too
	})
}

// messages are the decoder's, of which typeError makes an error again.
func messages(err error) []string {
	var typed *yaml.TypeError
	if errors.As(err, &typed) {
		return typed.Errors
	}
	if err != nil {
		return []string{err.Error()}
	}
	return nil
}

func typeError(messages []string) error {
	if len(messages) == 0 {
		return nil
	}
	return &yaml.TypeError{Errors: messages}
}

// moveTimeout puts v1beta3's timeout where v1beta4 has it. Findings about it name the old field.
func (d *documents) moveTimeout() error {
	if d.oldTimeout == nil {
		return nil
	}
	if d.init.Timeouts.ControlPlaneComponentHealthCheck != nil {
		return fmt.Errorf("line %d: %s is given as well, as %s", d.line(oldTimeoutField), oldTimeoutField, healthCheckField)
	}
	d.init.Timeouts.ControlPlaneComponentHealthCheck = d.oldTimeout
	return nil
}
