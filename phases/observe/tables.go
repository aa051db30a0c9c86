package observe

import (
	"context"
	"fmt"
	"slices"

	"bootstrap/phases/diagnose"
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

func (o *Observer) lookAtTables(ctx context.Context) (fill, error) {
	lost, err := o.LostTables(ctx)
	return func(m *diagnose.Machine) {
		for _, t := range lost {
			m.Firewall.Lost = append(m.Firewall.Lost, diagnose.LostTable{Name: t.Table, Container: t.Container})
		}
	}, err
}
