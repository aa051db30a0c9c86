package spec

import (
	"testing"

	"bootstrap/phases/config/configtest"
)

// TestNoProxy: what the environment of all units says is completed, and only where it names a proxy.
func TestNoProxy(t *testing.T) {
	c := configtest.Valid(t, "default")
	const own = "192.0.2.10,10.96.0.0/12,10.244.0.0/16"
	for name, tc := range map[string]struct {
		environment []string
		want        string
	}{
		"no proxy":             {[]string{"LANG=C", "NO_PROXY=a.example"}, ""},
		"a proxy alone":        {[]string{"HTTPS_PROXY=http://192.0.2.80:3128"}, own},
		"in lower case":        {[]string{"https_proxy=http://p", "no_proxy=localhost, b.example"}, "localhost, b.example," + own},
		"the upper case first": {[]string{"HTTP_PROXY=http://p", "no_proxy=b.example", "NO_PROXY=a.example"}, "a.example," + own},
		"a part is there":      {[]string{"HTTP_PROXY=http://p", "NO_PROXY=10.96.0.0/12"}, "10.96.0.0/12,192.0.2.10,10.244.0.0/16"},
		"in wider ranges":      {[]string{"HTTPS_PROXY=http://p", "NO_PROXY=10.0.0.0/8,192.0.2.0/24"}, ""},
		"all is there":         {[]string{"HTTP_PROXY=http://p", "NO_PROXY=" + own}, ""},
		"no use of it":         {[]string{"HTTP_PROXY=http://p", "NO_PROXY=*"}, ""},
	} {
		if got := NoProxy(c, tc.environment); got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
	if got := NoProxy(configtest.Valid(t, "standalone"), []string{"HTTP_PROXY=http://p"}); got != "" {
		t.Errorf("there is no API server: %q", got)
	}
}
