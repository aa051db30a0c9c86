package ready

import "testing"

func TestHealthzOf(t *testing.T) {
	for text, want := range map[string]string{
		"": "127.0.0.1:10248", "healthzPort: 0": "", "healthzPort: 9": "127.0.0.1:9", "healthzBindAddress: '::1'": "[::1]:10248",
	} {
		if got, err := healthzOf([]byte(text)); err != nil || got != want {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
