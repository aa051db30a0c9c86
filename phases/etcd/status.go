package etcd

import (
	"context"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"time"
)

// Status is what a member says of itself.
type Status struct {
	Version    string   `json:"version,omitempty"`
	Member     uint64   `json:"-"` // its own ID
	Leader     uint64   `json:"-"` // ID of a member
	Revision   int64    `json:"revision"`
	SizeBytes  int64    `json:"sizeBytes"`
	InUseBytes int64    `json:"inUseBytes"`
	Alarms     []string `json:"alarms,omitempty"`
}

// Status asks the member. It answers also without a leader.
func (c *Client) Status(ctx context.Context) (Status, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := c.etcd.Status(ctx, c.etcd.Endpoints()[0])
	if err != nil {
		return Status{}, err
	}
	return Status{
		Version: answer.Version, Member: answer.Header.GetMemberId(), Leader: answer.Leader, Revision: answer.Header.GetRevision(),
		SizeBytes: answer.DbSize, InUseBytes: answer.DbSizeInUse, Alarms: answer.Errors,
	}, nil
}

// FsyncP99 is how long 99 of 100 writes to the log took at most until the disk had them,
// since etcd began; zero if there were none. It asks where etcd tells its metrics: an
// address and a port, over plain HTTP.
func FsyncP99(ctx context.Context, metrics string) (time.Duration, error) {
	url := "http://" + metrics + "/metrics"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s", url, response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return 0, err
	}
	seconds := quantile(string(body), "etcd_disk_wal_fsync_duration_seconds", 0.99)
	return time.Duration(seconds * float64(time.Second)), nil
}

// quantile is the upper bound of the bucket of a Prometheus histogram that a share of
// all samples lies below; 0 without samples.
func quantile(metrics, name string, share float64) float64 {
	var total, bound, count float64
	_, rest, _ := strings.Cut(metrics, name+"_count ")
	_, _ = fmt.Sscan(rest, &total) // else it stays 0
	for line := range strings.Lines(metrics) {
		n, _ := fmt.Sscanf(line, name+`_bucket{le="%g"} %g`, &bound, &count)
		if n == 2 && total > 0 && count >= share*total && !math.IsInf(bound, 1) {
			return bound
		}
	}
	return 0
}
