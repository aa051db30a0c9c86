package observe

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestProxyHasSynced: a kube-proxy that has written nothing yet, or does not answer, has lost nothing.
func TestProxyHasSynced(t *testing.T) {
	const metric = "kubeproxy_sync_proxy_rules_last_timestamp_seconds"
	for text, want := range map[string]bool{
		metric + `{ip_family="IPv4"} 1.796140516e+09`: true,
		metric + " 1.796140516e+09":                   true, // Kubernetes 1.33
		metric + " 0":                                 false,
		"kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds 1.796140516e+09": false,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "# HELP x\n%s\n", text) }))
		o := testObserver(t, "default")
		o.Config.KubeProxy = map[string]any{"metricsBindAddress": strings.TrimPrefix(server.URL, "http://")}
		if got := o.proxyHasSynced(t.Context()); got != want {
			t.Errorf("%s: %t", text, got)
		}
		server.Close()
		if o.proxyHasSynced(t.Context()) {
			t.Error("nobody answers")
		}
	}
}
