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
	Chains []*ruleChain
	Hidden bool // there is no program to look into it

	// Of nftables only.
	family     byte
	generation uint32 // of the whole ruleset: it grows with every change
}

type ruleChain struct {
	Name   string
	Base   bool // the kernel sends packets into it
	Accept bool // it can go when it is empty, and nothing changes by that

	DropsForwarded bool // what is forwarded, and no rule of the chain accepts
	Rules          []chainRule
}

type chainRule struct {
	Chain  string // that it is in
	Handle uint64
	Jumps  []string // chains of the same table
	Text   string   // as iptables-save prints it; of xtables only
}

// removal is what goes from one table.
type removal struct {
	Table  bool        // it goes as a whole, and nothing else is said
	Rules  []chainRule // those that lead to chains which go
	Chains []string    // with their rules
}

func (r removal) isEmpty() bool { return !r.Table && len(r.Rules)+len(r.Chains) == 0 }

// State is which tables there are, and which of their chains matter later: those that
// are there already are not removed.
type State map[string][]string

const legacy = "legacy "

var (
	iptablesTables = []string{"filter", "nat", "mangle", "raw", "security"}
	builtInChains  = []string{"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}
)

// concerns tells whether what is looked for may be in a table: those of iptables, and our own.
func (n Names) concerns(table string) bool {
	family, name, _ := strings.Cut(strings.TrimPrefix(table, legacy), " ")
	isIptables := (family == "ip" || family == "ip6") && slices.Contains(iptablesTables, name)
	return isIptables || slices.Contains(n.Tables, table)
}

func (n Names) matches(chain string) bool {
	return slices.ContainsFunc(n.Chains, func(p string) bool { return strings.HasPrefix(chain, p) })
}

// State reads what there is now, so that a later Remove leaves it.
func (n Names) State(ctx context.Context) (State, error) {
	tables, err := read(ctx, n.concerns)
	return n.state(tables), err
}

// state is what of the tables plan must know later, to leave it.
func (n Names) state(tables []ruleTable) State {
	s := State{}
	for _, t := range tables {
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
	tables, err := read(ctx, n.concerns)
	var found []string
	for _, t := range tables {
		if slices.Contains(n.Tables, t.Name) {
			found = append(found, "table "+t.Name)
			continue
		}
		for _, c := range t.Chains {
			if n.matches(c.Name) {
				found = append(found, "chain "+c.Name+" in table "+t.Name)
			}
		}
	}
	return found, err
}

// ForwardDrops names the chains that drop forwarded packets which no rule of theirs
// accepts, with their tables: "ip filter FORWARD".
func ForwardDrops(ctx context.Context) ([]string, error) {
	tables, err := read(ctx, func(string) bool { return true })
	var drops []string
	for _, t := range tables {
		for _, c := range t.Chains {
			if c.DropsForwarded {
				drops = append(drops, t.Name+" "+c.Name)
			}
		}
	}
	return drops, err
}

// plan is what must go from a table that concerns these names: what matches and was not there
// before, and what is left without use by that.
func (n Names) plan(before State, t ruleTable) removal {
	known, there := before[t.Name]
	if t.Hidden || slices.Contains(n.Tables, t.Name) {
		return removal{Table: !there}
	}
	var r removal
	doomed := func(chain string) bool { return n.matches(chain) && !slices.Contains(known, chain) }
	for _, c := range t.Chains {
		if doomed(c.Name) {
			r.Chains = append(r.Chains, c.Name)
			continue
		}
		keeps := func(rule chainRule) bool { return !slices.ContainsFunc(rule.Jumps, doomed) }
		r.Rules = append(r.Rules, slices.DeleteFunc(slices.Clone(c.Rules), keeps)...)
		if c.Base && c.Accept && !slices.ContainsFunc(c.Rules, keeps) && !slices.Contains(known, c.Name) {
			r.Chains = append(r.Chains, c.Name)
		}
	}
	if !there && len(r.Chains) == t.Uses {
		return removal{Table: true}
	}
	return r
}

// read gives the tables that want is true for.
func read(ctx context.Context, want func(table string) bool) ([]ruleTable, error) {
	var tables []ruleTable
	err := retry(ctx, func() (err error) {
		tables, err = readNFT(ctx, want)
		return err
	})
	if err != nil {
		return nil, err
	}
	old, err := readLegacy(ctx, want)
	return append(tables, old...), err
}

// CameSince tells whether there is anything of these names that was not there before.
func (n Names) CameSince(ctx context.Context, before State) (bool, error) {
	tables, err := read(ctx, n.concerns)
	return slices.ContainsFunc(tables, func(t ruleTable) bool { return !n.plan(before, t).isEmpty() }), err
}

// Remove takes out of the firewall what matches and was not there before, and goes
// on with the other tables where one can't be changed.
func (n Names) Remove(ctx context.Context, before State) error {
	tables, err := read(ctx, n.concerns)
	errs := []error{err} // what could be read is cleaned all the same
	for _, t := range tables {
		err := retry(ctx, func() error { return n.clean(ctx, before, t) })
		if err != nil {
			errs = append(errs, fmt.Errorf("clean table %s: %w", t.Name, err))
		}
	}
	return errors.Join(errs...)
}

// clean takes out of a table what must go. It reads the table again, if anything must.
func (n Names) clean(ctx context.Context, before State, t ruleTable) error {
	if n.plan(before, t).isEmpty() {
		return nil
	}
	readAgain, remove := readNFT, removeNFT
	if strings.HasPrefix(t.Name, legacy) {
		readAgain, remove = readLegacy, removeLegacy
	}
	tables, err := readAgain(ctx, func(table string) bool { return table == t.Name })
	if err != nil {
		return err
	}
	for _, t := range tables {
		if r := n.plan(before, t); !r.isEmpty() {
			return remove(ctx, t, r)
		}
	}
	return nil
}

const (
	firewallAttempts = 5
	firewallPause    = 100 * time.Millisecond
)

// retry tries again when somebody else changed the firewall in between.
func retry(ctx context.Context, do func() error) error {
	for attempt := 1; ; attempt++ {
		err := do()
		if attempt == firewallAttempts || !changedMeanwhile(err) {
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
	return slices.ContainsFunc([]error{
		errRulesetChanged, unix.ERESTART, unix.EINTR, unix.EBUSY, unix.EEXIST, unix.ENOENT, unix.EAGAIN,
	}, func(code error) bool { return errors.Is(err, code) })
}
