// Package netfilter knows the packet filter's tables and chains, of nftables and of the
// older xtables: which of them daemons such as kube-proxy and network plugins have made,
// how to take those away again with all that leads to them, and which chains drop what
// is forwarded.
//
// It must not know which daemons there are, nor the ledger: package host records what
// was there before, and asks for the removal. It makes no rules.
package netfilter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Names says what daemons make in the firewall.
type Names struct {
	Chains []string `json:"chains"` // prefixes, in the tables of iptables: "KUBE-"
	Tables []string `json:"tables"` // whole tables of nftables, with their family: "ip kube-proxy"
}

// ruleTable is a table of the firewall, as far as it matters here.
type ruleTable struct {
	Name   string // with its family: "ip nat", or "legacy ip nat" if it is of xtables
	Uses   int    // how many chains, sets and other objects it holds
	Chains []ruleChain
	Hidden bool // there is no program to look into it
}

type ruleChain struct {
	Name   string
	Base   bool // the kernel sends packets into it
	Accept bool // it can go when it is empty, and nothing changes by that

	DropsForwarded bool // what is forwarded, and no rule of the chain accepts
	Rules          []chainRule
}

type chainRule struct {
	Handle uint64
	Jumps  []string // chains of the same table
	Text   string   // as iptables-save prints it; of xtables only
}

// ruleRemoval is one thing that goes from the firewall.
type ruleRemoval struct {
	Table string
	Chain string // empty: it is the table that goes
	Rule  chainRule
}

// State is which tables there are, and which of their chains matter later: those that
// are there already are not removed.
type State map[string][]string

const legacy = "legacy "

var (
	iptablesTables = []string{"filter", "nat", "mangle", "raw", "security"}
	builtInChains  = []string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}
)

// isIptables tells whether the programs of iptables use a table of this name.
func isIptables(table string) bool {
	family, name, _ := strings.Cut(strings.TrimPrefix(table, legacy), " ")
	return (family == "ip" || family == "ip6") && slices.Contains(iptablesTables, name)
}

func (n Names) concerns(table string) bool {
	return isIptables(table) || slices.Contains(n.Tables, table)
}

func (n Names) matches(chain string) bool {
	return slices.ContainsFunc(n.Chains, func(p string) bool { return strings.HasPrefix(chain, p) })
}

// State reads what there is now, so that a later Remove leaves it.
func (n Names) State(ctx context.Context) (State, error) {
	tables, err := n.read(ctx)
	return n.state(tables), err
}

// state is what of the tables plan must know later, to leave it.
func (n Names) state(tables []ruleTable) State {
	s := State{}
	for _, t := range tables {
		if !n.concerns(t.Name) {
			continue
		}
		s[t.Name] = []string{}
		for _, c := range t.Chains {
			if c.Base || n.matches(c.Name) {
				s[t.Name] = append(s[t.Name], c.Name)
			}
		}
		slices.Sort(s[t.Name])
	}
	return s
}

// Find reads which tables and chains of these names there are, as a user looks for them.
func (n Names) Find(ctx context.Context) ([]string, error) {
	tables, err := n.read(ctx)
	return n.found(tables), err
}

// found are the tables and chains of these names, as a user looks for them.
func (n Names) found(tables []ruleTable) []string {
	var names []string
	for _, t := range tables {
		if slices.Contains(n.Tables, t.Name) {
			names = append(names, "table "+t.Name)
			continue
		}
		for _, c := range t.Chains {
			if isIptables(t.Name) && n.matches(c.Name) {
				names = append(names, "chain "+c.Name+" in table "+t.Name)
			}
		}
	}
	return names
}

// plan is what must go from the tables: what matches and was not there before.
func (n Names) plan(before State, tables []ruleTable) []ruleRemoval {
	var all []ruleRemoval
	for _, t := range tables {
		all = append(all, n.planTable(before, t)...)
	}
	return all
}

func (n Names) planTable(before State, t ruleTable) []ruleRemoval {
	known, there := before[t.Name]
	if t.Hidden || slices.Contains(n.Tables, t.Name) {
		if there {
			return nil
		}
		return []ruleRemoval{{Table: t.Name}}
	}
	if !isIptables(t.Name) {
		return nil
	}
	return n.planIptables(t, known, there)
}

func (n Names) planIptables(t ruleTable, known []string, there bool) []ruleRemoval {
	doomed := map[string]bool{}
	for _, c := range t.Chains {
		doomed[c.Name] = n.matches(c.Name) && !slices.Contains(known, c.Name)
	}
	var rules, chains []ruleRemoval
	for _, c := range t.Chains {
		jumps := t.jumps(c, doomed)
		switch {
		case doomed[c.Name]:
			chains = append(chains, ruleRemoval{Table: t.Name, Chain: c.Name})
		case c.Base && c.Accept && len(jumps) == len(c.Rules) && !slices.Contains(known, c.Name):
			rules = append(rules, jumps...)
			chains = append(chains, ruleRemoval{Table: t.Name, Chain: c.Name})
		default:
			rules = append(rules, jumps...)
		}
	}
	if !there && len(chains) == t.Uses {
		return []ruleRemoval{{Table: t.Name}}
	}
	return append(rules, chains...)
}

// jumps is the rules of a chain that lead to one that goes.
func (t ruleTable) jumps(c ruleChain, doomed map[string]bool) []ruleRemoval {
	var found []ruleRemoval
	for _, r := range c.Rules {
		if slices.ContainsFunc(r.Jumps, func(to string) bool { return doomed[to] }) {
			found = append(found, ruleRemoval{Table: t.Name, Chain: c.Name, Rule: r})
		}
	}
	return found
}

// read gives the tables that concern these names.
func (n Names) read(ctx context.Context) ([]ruleTable, error) {
	var rules ruleset
	err := retry(ctx, func() (err error) {
		rules, err = readRuleset(ctx, n.concerns)
		return err
	})
	if err != nil {
		return nil, err
	}
	old, err := readLegacy(ctx)
	return append(rules.tables, old...), err
}

// CameSince tells whether there is anything of these names that was not there before.
func (n Names) CameSince(ctx context.Context, before State) (bool, error) {
	tables, err := n.read(ctx)
	return len(n.plan(before, tables)) > 0, err
}

// Remove takes out of the firewall what matches and was not there before, and goes
// on with the other tables where one can't be changed.
func (n Names) Remove(ctx context.Context, before State) error {
	tables, err := n.read(ctx)
	errs := []error{err} // what could be read is cleaned all the same
	for _, t := range tables {
		if len(n.planTable(before, t)) == 0 {
			continue
		}
		remove := n.removeFrom
		if strings.HasPrefix(t.Name, legacy) {
			remove = n.removeFromLegacy
		}
		err := retry(ctx, func() error { return remove(ctx, before, t.Name) })
		if err != nil {
			errs = append(errs, fmt.Errorf("clean table %s: %w", t.Name, err))
		}
	}
	return errors.Join(errs...)
}

func (n Names) removeFrom(ctx context.Context, before State, table string) error {
	rules, err := readRuleset(ctx, func(name string) bool { return name == table })
	if err != nil {
		return err
	}
	return rules.remove(ctx, n.plan(before, rules.tables))
}

const (
	firewallAttempts = 5
	firewallPause    = 100 * time.Millisecond
)

// retry tries again when somebody else changed the firewall in between.
func retry(ctx context.Context, do func() error) error {
	for attempt := 1; ; attempt++ {
		err := do()
		if err == nil || attempt == firewallAttempts || !changedMeanwhile(err) {
			return err
		}
		select {
		case <-time.After(firewallPause):
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		}
	}
}

func changedMeanwhile(err error) bool {
	for _, code := range []unix.Errno{unix.ERESTART, unix.EINTR, unix.EBUSY, unix.EEXIST, unix.ENOENT, unix.EAGAIN} {
		if errors.Is(err, code) {
			return true
		}
	}
	return errors.Is(err, errRulesetChanged)
}
