package cluster

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// ListWith names all objects of a kind of core/v1 that an API server has, as the bearer of a token.
func ListWith(ctx context.Context, server string, ca []byte, token, resource string) ([]string, error) {
	config := &rest.Config{Host: server, BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: ca}, Timeout: 10 * time.Second}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	list, err := client.Resource(corev1.SchemeGroupVersion.WithResource(resource)).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, plain(err)
	}
	var names []string
	for _, object := range list.Items {
		names = append(names, object.GetName())
	}
	return names, nil
}
