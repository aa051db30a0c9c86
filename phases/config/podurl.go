package config

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// PodURL is where the kubelet fetches static pods, as its configuration has it.
type PodURL struct {
	URL    string
	Header http.Header // secret
}

// The fields of a KubeletConfiguration by which it fetches static pods.
const (
	PodURLField    = "staticPodURL"
	podHeaderField = "staticPodURLHeader"
)

// WithoutPodURL cuts off where the kubelet fetches static pods, and what it sends there: both
// are this node's, and may hold a key. podURL is a document of its own.
func WithoutPodURL(kubelet map[string]any) (rest, podURL map[string]any) {
	rest, podURL = maps.Clone(kubelet), map[string]any{"apiVersion": kubeletVersion, "kind": kubeletKind}
	for _, name := range []string{PodURLField, podHeaderField} {
		if value, ok := rest[name]; ok {
			podURL[name] = value
			delete(rest, name)
		}
	}
	return rest, podURL
}

// PodURLOf is empty for a kubelet that fetches none. The fields must have been read
// strictly.
func PodURLOf(kubelet map[string]any) PodURL {
	p := PodURL{URL: textOf(kubelet, PodURLField), Header: http.Header{}}
	header, _ := kubelet[podHeaderField].(map[string]any)
	for name := range header {
		values, _, _ := unstructured.NestedStringSlice(header, name)
		for _, value := range values {
			p.Header.Add(name, value)
		}
	}
	return p
}

// Shown is the URL as it may be told: what follows its path may be a key.
func (p PodURL) Shown() string {
	u, err := url.Parse(p.URL)
	if err != nil {
		return "a URL that can't be read"
	}
	if u.RawQuery != "" {
		u.RawQuery = "..."
	}
	u.User, u.Fragment = nil, ""
	return u.String()
}

// Secrets are what must stand in no output.
func (p PodURL) Secrets() []string {
	var all []string
	for _, values := range p.Header {
		for _, value := range values {
			all = append(all, value, value[strings.LastIndex(value, " ")+1:]) // Bearer TOKEN
		}
	}
	if u, err := url.Parse(p.URL); err == nil {
		all = append(all, u.RawQuery)
		for _, values := range u.Query() {
			all = append(all, values...)
		}
	}
	return all
}

var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

func (b *builder) validatePodURL(kubelet map[string]any) {
	p := PodURLOf(kubelet)
	u, err := url.Parse(p.URL)
	switch {
	case p.URL == "" && len(p.Header) > 0:
		b.badKubelet(podHeaderField, "it is sent to staticPodURL, and there is none")
	case p.URL == "":
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		b.badKubelet(PodURLField, "it must be a URL such as https://pods.example.com/web.yaml")
	case u.User != nil:
		b.badKubelet(PodURLField, "a password does not belong into it, the kubelet logs it: set Authorization in staticPodURLHeader")
	}
	for _, name := range slices.Sorted(maps.Keys(p.Header)) {
		if !headerName.MatchString(name) {
			b.badKubelet(podHeaderField, "%q is no name of a header", name)
		}
		for _, value := range p.Header[name] {
			if !isText(value) {
				b.badKubelet(podHeaderField, "that of %s holds a line break, NUL or bytes that are no text", name)
			}
		}
	}
}
