// Package manifests holds the API objects that bootstrap stores in every
// cluster, as plain YAML; the few variable fields are set in Go by the caller.
// A file holds one object, or several that are applied together. They are never
// static pods: those are rendered from templates/staticpod.
package manifests

import (
	_ "embed"
	"encoding/json"
)

// ClusterAdmins gives the group of admin.conf its rights.
//
//go:embed cluster-admins.yaml
var ClusterAdmins []byte

// KubeletAPIAdmin lets the API server reach kubelets, for logs and exec.
//
//go:embed kubelet-api-admin.yaml
var KubeletAPIAdmin []byte

// SystemNodeCritical is a class that the API server also makes by itself, but only
// a second or more after it begins to answer.
//
//go:embed system-node-critical.yaml
var SystemNodeCritical []byte

// BootstrapPolicy is a part of the rights that the API server also gives by itself, but
// only a second or two after it begins to answer.
//
//go:embed bootstrap-policy.yaml
var BootstrapPolicy []byte

// UploadConfig lets nodes read kubeadm-config and kubelet-config.
//
//go:embed upload-config.yaml
var UploadConfig []byte

// UploadCerts lets control plane nodes that join read kubeadm-certs.
//
//go:embed upload-certs.yaml
var UploadCerts []byte

// BootstrapToken lets nodes join by bootstrap tokens, and renew their certificates.
//
//go:embed bootstrap-token.yaml
var BootstrapToken []byte

// ConfigMap is the manifest of a ConfigMap. Keys that others add to it stay.
func ConfigMap(namespace, name string, data map[string]string) ([]byte, error) {
	return json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]string{"namespace": namespace, "name": name},
		"data":     data,
	})
}
