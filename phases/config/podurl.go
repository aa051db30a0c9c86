package config

import (
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// PodURL is where the kubelet fetches static pods, as its configuration has it.
type PodURL struct {
	URL    string
	Header http.Header // secret
}

// PodURLOf is empty for a kubelet that fetches none. The fields must have been read
// strictly.
func PodURLOf(kubelet map[string]any) PodURL {
	p := PodURL{URL: textOf(kubelet, "staticPodURL"), Header: http.Header{}}
	header, _ := kubelet["staticPodURLHeader"].(map[string]any)
	for name, values := range header {
		all, _ := values.([]any)
		for _, value := range all {
			text, _ := value.(string)
			p.Header.Add(name, text)
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
		b.badIn(kubeletKind, "staticPodURLHeader", "it is sent to staticPodURL, and there is none")
	case p.URL == "":
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		b.badIn(kubeletKind, "staticPodURL", "it must be a URL such as https://pods.example.com/web.yaml")
	case u.User != nil:
		b.badIn(kubeletKind, "staticPodURL", "a password does not belong into it, the kubelet logs it: set Authorization in staticPodURLHeader")
	}
	for _, name := range slices.Sorted(maps.Keys(p.Header)) {
		if !headerName.MatchString(name) {
			b.badIn(kubeletKind, "staticPodURLHeader", "%q is no name of a header", name)
		}
		for _, value := range p.Header[name] {
			if !isText(value) {
				b.badIn(kubeletKind, "staticPodURLHeader", "that of %s holds a line break, NUL or bytes that are no text", name)
			}
		}
	}
}
