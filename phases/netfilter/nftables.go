package netfilter

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// This speaks to nftables itself, and does not use github.com/google/nftables: that
// decodes every expression of every rule, and one it can't decode (Debian's
// iptables-nft makes such) hides the whole chain. It also can't tie a change to the
// ruleset that the decision was made by, as the generation does here.

// ruleset is the tables of nftables at one moment.
type ruleset struct {
	generation uint32 // grows with every change
	tables     []ruleTable
}

// From linux/netfilter.h.
const (
	nfDrop        = 0 // NF_DROP
	nfAccept      = 1 // NF_ACCEPT
	nfInetForward = 2 // NF_INET_FORWARD
)

var errRulesetChanged = errors.New("the firewall changed while it was read")

const (
	nftTimeout = 10 * time.Second
	// A batch is one datagram; of kube-proxy's there can be tens of thousands of chains.
	nftBuffer = 64 << 20
)

var nftFamilies = map[string]byte{
	"inet": unix.NFPROTO_INET, "ip": unix.NFPROTO_IPV4, "ip6": unix.NFPROTO_IPV6,
	"arp": unix.NFPROTO_ARP, "netdev": unix.NFPROTO_NETDEV, "bridge": unix.NFPROTO_BRIDGE,
}

func splitTable(table string) (family byte, name string) {
	f, name, _ := strings.Cut(table, " ")
	return nftFamilies[f], name
}

// inetFamilies are those in which a packet is forwarded as pods' are.
var inetFamilies = []byte{unix.NFPROTO_INET, unix.NFPROTO_IPV4, unix.NFPROTO_IPV6}

type nftConn struct{ *netlink.Conn }

func dialNFT(ctx context.Context) (nftConn, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nftConn{}, err
	}
	deadline := time.Now().Add(nftTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	err = errors.Join(conn.SetDeadline(deadline), conn.SetWriteBuffer(nftBuffer))
	if err != nil {
		return nftConn{}, errors.Join(err, conn.Close())
	}
	return nftConn{conn}, nil
}

// close can't lose anything: what was asked for was answered.
func (c nftConn) close() { _ = c.Close() }

// readRuleset reads the tables that want is true for, with the jumps of their rules. A
// kernel without nftables has none.
func readRuleset(ctx context.Context, want func(table string) bool) (ruleset, error) {
	var r ruleset
	err := readNFT(ctx, func(c nftConn, generation uint32) (err error) {
		r.generation = generation
		if r.tables, err = c.tables(want); err != nil {
			return err
		}
		for i := range r.tables {
			if err := c.addRules(&r.tables[i]); err != nil {
				return err
			}
		}
		if now, err := c.generation(); err != nil || now != generation {
			return errors.Join(err, errRulesetChanged)
		}
		return nil
	})
	return r, err
}

// readNFT has do read the rules of a generation. There is nothing to read from a kernel
// that has no nftables.
func readNFT(ctx context.Context, do func(c nftConn, generation uint32) error) error {
	conn, err := dialNFT(ctx)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	defer conn.close()
	generation, err := conn.generation()
	if errors.Is(err, unix.EINVAL) { // nfnetlink knows no nftables
		return nil
	}
	if err == nil {
		err = do(conn, generation)
	}
	if err != nil {
		return fmt.Errorf("nftables: %w", err)
	}
	return nil
}

// tables are those that want is true for, with their chains.
func (c nftConn) tables(want func(string) bool) ([]ruleTable, error) {
	tables, err := c.ask(unix.NFT_MSG_GETTABLE, netlink.Dump, "")
	if err != nil {
		return nil, err
	}
	chains, err := c.ask(unix.NFT_MSG_GETCHAIN, netlink.Dump, "")
	if err != nil {
		return nil, err
	}
	var all []ruleTable
	for _, o := range tables {
		t := ruleTable{Name: o.table(unix.NFTA_TABLE_NAME), Uses: int(o.number(unix.NFTA_TABLE_USE))}
		if !want(t.Name) {
			continue
		}
		for _, o := range chains {
			if o.table(unix.NFTA_CHAIN_TABLE) != t.Name {
				continue
			}
			chain, err := o.chain()
			if err != nil {
				return nil, err
			}
			t.Chains = append(t.Chains, chain)
		}
		all = append(all, t)
	}
	return all, nil
}

func (c nftConn) addRules(t *ruleTable) error {
	_, name := splitTable(t.Name)
	rules, err := c.ask(unix.NFT_MSG_GETRULE, netlink.Dump, t.Name, text(unix.NFTA_RULE_TABLE, name))
	if err != nil {
		return err
	}
	chains := map[string]*ruleChain{}
	for i := range t.Chains {
		chains[t.Chains[i].Name] = &t.Chains[i]
	}
	for _, o := range rules {
		chain := chains[o.text(unix.NFTA_RULE_CHAIN)]
		if chain == nil || o.text(unix.NFTA_RULE_TABLE) != name {
			continue
		}
		jumps, err := jumpsOf(o.attributes[unix.NFTA_RULE_EXPRESSIONS])
		if err != nil {
			return err
		}
		chain.Rules = append(chain.Rules, chainRule{Handle: o.number(unix.NFTA_RULE_HANDLE), Jumps: jumps})
	}
	return nil
}

// jumpsOf looks only at the expressions that send packets to another chain.
func jumpsOf(expressions []byte) ([]string, error) {
	list, err := netlink.UnmarshalAttributes(expressions)
	if err != nil {
		return nil, err
	}
	var jumps []string
	for _, each := range list {
		chain, err := jumpOf(each.Data)
		if err != nil {
			return nil, err
		}
		if chain != "" {
			jumps = append(jumps, chain)
		}
	}
	return jumps, nil
}

func jumpOf(expression []byte) (string, error) {
	e, err := parseAttributes(expression)
	if err != nil || e.text(unix.NFTA_EXPR_NAME) != "immediate" {
		return "", err
	}
	for _, kind := range []uint16{unix.NFTA_EXPR_DATA, unix.NFTA_IMMEDIATE_DATA, unix.NFTA_DATA_VERDICT} {
		if e, err = parseAttributes(e[kind]); err != nil {
			return "", err
		}
	}
	return e.text(unix.NFTA_VERDICT_CHAIN), nil
}

// remove makes all the changes, or none if the ruleset is not what was read.
func (r ruleset) remove(ctx context.Context, plan []ruleRemoval) error {
	if len(plan) == 0 {
		return nil
	}
	messages, err := nftChanges(plan)
	if err != nil {
		return err
	}
	conn, err := dialNFT(ctx)
	if err != nil {
		return err
	}
	defer conn.close()
	return conn.commit(r.generation, messages)
}

// nftChanges empties all chains before it deletes any: they may lead to each other.
func nftChanges(plan []ruleRemoval) ([]netlink.Message, error) {
	var flush, remove []netlink.Message
	var errs []error
	add := func(to *[]netlink.Message, kind uint16, r ruleRemoval, attrs ...netlink.Attribute) {
		m, err := nftMessage(kind, r.Table, attrs...)
		*to, errs = append(*to, m), append(errs, err)
	}
	for _, r := range plan {
		_, table := splitTable(r.Table)
		switch {
		case r.Chain == "":
			add(&remove, unix.NFT_MSG_DELTABLE, r, text(unix.NFTA_TABLE_NAME, table))
		case r.Rule.Handle != 0:
			add(&flush, unix.NFT_MSG_DELRULE, r, text(unix.NFTA_RULE_TABLE, table), text(unix.NFTA_RULE_CHAIN, r.Chain),
				netlink.Attribute{Type: unix.NFTA_RULE_HANDLE, Data: binary.BigEndian.AppendUint64(nil, r.Rule.Handle)})
		default:
			add(&flush, unix.NFT_MSG_DELRULE, r, text(unix.NFTA_RULE_TABLE, table), text(unix.NFTA_RULE_CHAIN, r.Chain))
			add(&remove, unix.NFT_MSG_DELCHAIN, r, text(unix.NFTA_CHAIN_TABLE, table), text(unix.NFTA_CHAIN_NAME, r.Chain))
		}
	}
	return append(flush, remove...), errors.Join(errs...)
}

// commit sends one transaction. Only its last change asks for an answer: answers
// come in order, an error before any other, and thousands of them would not fit.
func (c nftConn) commit(generation uint32, changes []netlink.Message) error {
	changes[len(changes)-1].Header.Flags |= netlink.Acknowledge
	id, err := netlink.MarshalAttributes([]netlink.Attribute{
		{Type: unix.NFNL_BATCH_GENID, Data: binary.BigEndian.AppendUint32(nil, generation)},
	})
	if err != nil {
		return err
	}
	batch := append([]netlink.Message{batchMark(unix.NFNL_MSG_BATCH_BEGIN, id)}, changes...)
	batch = append(batch, batchMark(unix.NFNL_MSG_BATCH_END, nil))
	if _, err := c.SendMessages(batch); err != nil {
		return err
	}
	_, err = c.Receive()
	return err
}

func batchMark(kind netlink.HeaderType, attrs []byte) netlink.Message {
	// struct nfgenmsg: family, version, subsystem in network order.
	return netlink.Message{
		Header: netlink.Header{Type: kind, Flags: netlink.Request},
		Data:   append([]byte{unix.AF_UNSPEC, 0, 0, unix.NFNL_SUBSYS_NFTABLES}, attrs...),
	}
}

// nftMessage is about a table, or, where that is empty, all of them.
func nftMessage(kind uint16, table string, attrs ...netlink.Attribute) (netlink.Message, error) {
	data, err := netlink.MarshalAttributes(attrs)
	family, _ := splitTable(table)
	return netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind), Flags: netlink.Request},
		Data:   append([]byte{family, 0, 0, 0}, data...),
	}, err
}

func text(kind uint16, value string) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: append([]byte(value), 0)}
}

func (c nftConn) generation() (uint32, error) {
	found, err := c.ask(unix.NFT_MSG_GETGEN, 0, "")
	if err != nil {
		return 0, err
	}
	if len(found) == 0 || found[0].attributes[unix.NFTA_GEN_ID] == nil {
		return 0, errors.New("the kernel tells no generation")
	}
	return uint32(found[0].number(unix.NFTA_GEN_ID)), nil
}

func (c nftConn) ask(kind uint16, flags netlink.HeaderFlags, table string, attrs ...netlink.Attribute) ([]nftObject, error) {
	question, err := nftMessage(kind, table, attrs...)
	if err != nil {
		return nil, err
	}
	question.Header.Flags |= flags
	messages, err := c.Execute(question)
	if err != nil {
		return nil, err
	}
	found := make([]nftObject, len(messages))
	for i, m := range messages {
		if m.Header.Flags&netlink.DumpInterrupted != 0 {
			return nil, errRulesetChanged
		}
		if len(m.Data) < 4 {
			return nil, fmt.Errorf("short message %v", m.Header.Type)
		}
		found[i].family = m.Data[0]
		if found[i].attributes, err = parseAttributes(m.Data[4:]); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// nftObject is a table, a chain or a rule as the kernel tells of it.
type nftObject struct {
	family byte
	attributes
}

// table is the name of the table that an attribute gives, with its family.
func (o nftObject) table(kind uint16) string {
	for family, number := range nftFamilies {
		if number == o.family {
			return family + " " + o.text(kind)
		}
	}
	return fmt.Sprint(o.family, " ", o.text(kind))
}

func (o nftObject) chain() (ruleChain, error) {
	c := ruleChain{Name: o.text(unix.NFTA_CHAIN_NAME), Base: o.attributes[unix.NFTA_CHAIN_HOOK] != nil}
	hook, err := parseAttributes(o.attributes[unix.NFTA_CHAIN_HOOK])
	if err != nil || o.attributes[unix.NFTA_CHAIN_POLICY] == nil {
		return c, err
	}
	policy := o.number(unix.NFTA_CHAIN_POLICY)
	c.Accept = policy == nfAccept && slices.Contains(builtInChains, c.Name)
	c.DropsForwarded = policy == nfDrop && hook.number(unix.NFTA_HOOK_HOOKNUM) == nfInetForward && slices.Contains(inetFamilies, o.family)
	return c, nil
}

// attributes are those of one object, by type.
type attributes map[uint16][]byte

func parseAttributes(data []byte) (attributes, error) {
	list, err := netlink.UnmarshalAttributes(data)
	if err != nil {
		return nil, err
	}
	all := attributes{}
	for _, a := range list {
		all[a.Type&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER)] = a.Data
	}
	return all, nil
}

func (a attributes) text(kind uint16) string { return strings.TrimRight(string(a[kind]), "\x00") }

// number is 0 for an attribute that is not there.
func (a attributes) number(kind uint16) uint64 {
	switch len(a[kind]) {
	case 4:
		return uint64(binary.BigEndian.Uint32(a[kind]))
	case 8:
		return binary.BigEndian.Uint64(a[kind])
	}
	return 0
}
