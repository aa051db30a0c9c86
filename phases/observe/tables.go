package observe

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/lazyregexp"
	"bootstrap/phases/netfilter"
	"bootstrap/phases/spec"
)

// LostTables are those tables of pods of ours that are not in the firewall. A program that uses iptables, as somebody
// has chosen in the cluster, or as with an older kernel, has chains in place of one.
func (o *Observer) LostTables(ctx context.Context) ([]spec.OwnTable, error) {
	own := o.OwnTables()
	if len(own) == 0 || !o.Host.Real() {
		return nil, nil
	}
	there, err := netfilter.Tables(ctx)
	if err != nil {
		return nil, fmt.Errorf("firewall: %w", err)
	}
	usesIPTables := func(t spec.OwnTable) bool {
		chains, err := netfilter.Names{Chains: []string{t.Chain}}.Find(ctx)
		return err != nil || len(chains) > 0
	}
	return slices.DeleteFunc(own, func(t spec.OwnTable) bool { return slices.Contains(there, t.Table) || usesIPTables(t) }), nil
}

// FlushedTables are those of the lost ones that were there, as far as is known: on a slow machine kube-proxy takes minutes
// until it writes its own, and tells by its metrics when it has.
func (o *Observer) FlushedTables(ctx context.Context) ([]spec.OwnTable, error) {
	lost, err := o.LostTables(ctx)
	return slices.DeleteFunc(lost, func(t spec.OwnTable) bool { return t.Container == "kube-proxy" && !o.proxyHasSynced(ctx) }), err
}

var proxySynced = lazyregexp.New(`(?m)^kubeproxy_sync_proxy_rules_last_timestamp_seconds(\{.*\})? [1-9]`)

// proxyHasSynced is false of a kube-proxy that does not answer.
func (o *Observer) proxyHasSynced(ctx context.Context) bool {
	at := spec.ProxyMetrics(o.Config)
	if at.Addr().IsUnspecified() {
		at = netip.AddrPortFrom(o.Config.Loopback(), at.Port())
	}
	ctx, cancel := answerTimeout.Bound(ctx)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.String()+"/metrics", nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 10<<20))
	return err == nil && proxySynced().Match(text)
}

func (o *Observer) lookAtTables(ctx context.Context) (fill, error) {
	lost, err := o.FlushedTables(ctx)
	return func(m *diagnose.Machine) {
		for _, t := range lost {
			m.Firewall.Lost = append(m.Firewall.Lost, diagnose.LostTable{Name: t.Table, Container: t.Container})
		}
	}, err
}
