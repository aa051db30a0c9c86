package etcd

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const metrics = `# TYPE etcd_disk_wal_fsync_duration_seconds histogram
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.001"} 10
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.002"} 900
etcd_disk_wal_fsync_duration_seconds_bucket{le="0.004"} 990
etcd_disk_wal_fsync_duration_seconds_bucket{le="+Inf"} 1000
etcd_disk_wal_fsync_duration_seconds_sum 1.5
etcd_disk_wal_fsync_duration_seconds_count 1000
`

// TestQuantile reads etcd's own lines.
func TestQuantile(t *testing.T) {
	const name = "etcd_disk_wal_fsync_duration_seconds"
	for share, want := range map[float64]float64{0.001: 0.001, 0.5: 0.002, 0.99: 0.004, 0.999: 0} {
		if got := quantile(metrics, name, share); got != want {
			t.Errorf("%v: %v, want %v", share, got, want)
		}
	}
	if got := quantile("", name, 0.99) + quantile(strings.ReplaceAll(metrics, "1000", "0"), "other", 0.99); got != 0 {
		t.Errorf("without samples: %v", got)
	}
}

func TestFsyncP99(t *testing.T) {
	at := func(code int) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			io.WriteString(w, metrics)
		}))
		t.Cleanup(s.Close)
		return strings.TrimPrefix(s.URL, "http://")
	}
	if got, err := FsyncP99(t.Context(), at(http.StatusOK)); err != nil || got != 4*time.Millisecond {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := FsyncP99(t.Context(), at(http.StatusNotFound)); err == nil {
		t.Errorf("there are no metrics, got %s", got)
	}
}
