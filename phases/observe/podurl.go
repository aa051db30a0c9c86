package observe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"bootstrap/phases/config"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/spec"
)

// maxPodURL is how much of an answer the kubelet reads.
const maxPodURL = 10 << 20

// askPodURL fetches the static pods that the kubelet will be given by a URL, as the kubelet will.
func (o *Observer) askPodURL(ctx context.Context) (fill, error) {
	rendered, err := o.RenderKubeletConfig("") // as the phase kubelet writes it
	if err != nil {
		return nil, nil // a patch is wrong, and that phase says why
	}
	source, err := spec.PodURLIn(rendered)
	if err != nil || source.URL == "" {
		return nil, nil
	}
	found := diagnose.PodURL{URL: source.Shown(), Plain: isPlain(source.URL), Header: len(source.Header) > 0}
	before, err := KubeletPodURL(o.Host)
	found.Given = err == nil && before.URL == source.URL
	if o.Host.Real() {
		data, err := FetchPods(ctx, source)
		if err != nil {
			found.Error = err.Error()
		} else if _, err := PodsIn(data); err != nil {
			found.Wrong = err.Error()
		}
	}
	return func(m *diagnose.Machine) { m.PodURL = found }, nil
}

// KubeletPodURL is the URL that the kubelet on this machine fetches static pods from.
func KubeletPodURL(h *host.Host) (config.PodURL, error) {
	data, err := h.ReadFile(spec.KubeletConfig)
	if err != nil {
		return config.PodURL{}, err
	}
	return spec.PodURLIn(data)
}

func isPlain(given string) bool {
	u, err := url.Parse(given)
	if err != nil || u.Scheme != "http" || u.Hostname() == "localhost" {
		return false
	}
	a, err := netip.ParseAddr(u.Hostname())
	return err != nil || !a.IsLoopback()
}

// FetchPods reads what the URL of static pods gives. Its errors hold nothing that may be a key.
func FetchPods(ctx context.Context, source config.PodURL) ([]byte, error) {
	ctx, cancel := EvidenceTimeout.Bound(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, source.URL, nil)
	if err != nil {
		return nil, err
	}
	request.Header = source.Header
	answer, err := http.DefaultClient.Do(request)
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err // without the URL
	}
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", answer.Status)
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxPodURL+1))
	if err == nil && len(data) > maxPodURL {
		err = errors.New("its answer is longer than 10 MiB")
	}
	return data, err
}

// PodsIn reads a Pod or a PodList, as the kubelet does.
func PodsIn(data []byte) ([]corev1.Pod, error) {
	var list corev1.PodList
	if err := yaml.Unmarshal(data, &list); err == nil && list.Kind == "PodList" && list.APIVersion == "v1" {
		for i, pod := range list.Items {
			if err := podLacks(&pod); err != nil {
				return nil, fmt.Errorf("items[%d]: %w", i, err)
			}
		}
		return list.Items, nil
	}
	pod, err := ReadPod(data)
	if err != nil {
		return nil, err
	}
	return []corev1.Pod{*pod}, nil
}
