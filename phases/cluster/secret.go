package cluster

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// newSecret is a Secret of kube-system, as it is to be applied.
func newSecret(name string, data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: name},
		Data:       data,
	}
}

// secret reads a Secret of kube-system. In a plan whose API server is still to be made
// there is none.
func (c *Cluster) secret(ctx context.Context, name string) (*corev1.Secret, bool, error) {
	secret := &corev1.Secret{}
	err := c.get(ctx, c.core("secrets", metav1.NamespaceSystem), name, secret)
	if IsNotFound(err) || err != nil && c.plans {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("get Secret %s: %w", name, err)
	}
	return secret, true, nil
}

// applySecret gives the Secret as it is then, nil if a plan can't know.
func (c *Cluster) applySecret(ctx context.Context, secret *corev1.Secret) (*unstructured.Unstructured, error) {
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(secret)
	if err != nil {
		return nil, err
	}
	applied, after, err := c.apply(ctx, &unstructured.Unstructured{Object: object}, Created)
	c.told(applied)
	return after, err
}
