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

// From linux/netfilter.h.
const (
	nfDrop   = 0 // NF_DROP
	nfAccept = 1 // NF_ACCEPT
)

var errRulesetChanged = errors.New("the firewall changed while it was read")

const (
	nftTimeout = 10 * time.Second
	// A batch is one datagram; of kube-proxy's there can be tens of thousands of chains.
	nftBuffer = 64 << 20
)

var nftFamilies = map[byte]string{
	unix.NFPROTO_INET: "inet", unix.NFPROTO_IPV4: "ip", unix.NFPROTO_IPV6: "ip6",
	unix.NFPROTO_ARP: "arp", unix.NFPROTO_NETDEV: "netdev", unix.NFPROTO_BRIDGE: "bridge",
}

// inetFamilies are those in which a packet is forwarded as pods' are.
var inetFamilies = []byte{unix.NFPROTO_INET, unix.NFPROTO_IPV4, unix.NFPROTO_IPV6}

type nftConn struct{ *netlink.Conn }

// withNFT does something with a connection to the kernel.
func withNFT(ctx context.Context, do func(nftConn) error) error {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }() // nothing can get lost: what was asked for was answered
	ctx, cancel := context.WithTimeout(ctx, nftTimeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	if err := errors.Join(conn.SetDeadline(deadline), conn.SetWriteBuffer(nftBuffer)); err != nil {
		return err
	}
	return do(nftConn{conn})
}

// readNFT reads the tables that want is true for, with the jumps of their rules. A kernel
// without nftables has none.
func readNFT(ctx context.Context, want func(table string) bool) (tables []ruleTable, err error) {
	err = withNFT(ctx, func(c nftConn) error {
		tables, err = c.read(want)
		return err
	})
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("nftables: %w", err)
	}
	return tables, nil
}

// Tables names all tables of nftables, with their families: "ip kube-proxy". It does not look into them, which would
// take time.
func Tables(ctx context.Context) (names []string, err error) {
	err = retry(ctx, func() error {
		return withNFT(ctx, func(c nftConn) error {
			all, err := c.ask(nft|unix.NFT_MSG_GETTABLE, netlink.Dump, 0)
			names = nil
			for _, o := range all {
				names = append(names, o.table())
			}
			return err
		})
	})
	return names, err
}

func (c nftConn) read(want func(string) bool) ([]ruleTable, error) {
	generation, err := c.generation()
	if errors.Is(err, unix.EINVAL) { // nfnetlink knows no nftables
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	tables, err := c.tables(want)
	if err != nil {
		return nil, err
	}
	for i := range tables {
		tables[i].generation = generation
		if err := c.addRules(tables[i]); err != nil {
			return nil, err
		}
	}
	if now, err := c.generation(); err != nil || now != generation {
		return nil, errors.Join(err, errRulesetChanged)
	}
	return tables, nil
}

// tables are those that want is true for, with their chains.
func (c nftConn) tables(want func(string) bool) ([]ruleTable, error) {
	tables, err := c.ask(nft|unix.NFT_MSG_GETTABLE, netlink.Dump, 0)
	if err != nil {
		return nil, err
	}
	chains, err := c.ask(nft|unix.NFT_MSG_GETCHAIN, netlink.Dump, 0)
	if err != nil {
		return nil, err
	}
	var all []ruleTable
	for _, o := range tables {
		t := ruleTable{Name: o.table(), Uses: int(o.number(unix.NFTA_TABLE_USE)), family: o.family}
		if !want(t.Name) {
			continue
		}
		for _, o := range chains {
			if o.table() == t.Name {
				t.Chains = append(t.Chains, o.chain())
			}
		}
		all = append(all, t)
	}
	return all, nil
}

// addRules asks for the rules of one table; an older kernel gives those of its whole family.
func (c nftConn) addRules(t ruleTable) error {
	rules, err := c.ask(nft|unix.NFT_MSG_GETRULE, netlink.Dump, t.family, t.attribute())
	if err != nil {
		return err
	}
	chains := map[string]*ruleChain{}
	for _, c := range t.Chains {
		chains[c.Name] = c
	}
	for _, o := range rules {
		chain := chains[o.text(unix.NFTA_RULE_CHAIN)]
		if chain == nil || o.table() != t.Name {
			continue
		}
		chain.Rules = append(chain.Rules, chainRule{
			Chain:  chain.Name,
			Handle: o.number(unix.NFTA_RULE_HANDLE),
			Jumps:  jumpsOf(o.attributes[unix.NFTA_RULE_EXPRESSIONS]),
		})
	}
	return nil
}

// jumpsOf looks only at the expressions that send packets to another chain.
func jumpsOf(expressions []byte) []string {
	var jumps []string
	list, _ := netlink.UnmarshalAttributes(expressions) // what is malformed has none, as below
	for _, each := range list {
		e := parseAttributes(each.Data)
		if e.text(unix.NFTA_EXPR_NAME) != "immediate" {
			continue
		}
		verdict := e.nested(unix.NFTA_EXPR_DATA).nested(unix.NFTA_IMMEDIATE_DATA).nested(unix.NFTA_DATA_VERDICT)
		if chain := verdict.text(unix.NFTA_VERDICT_CHAIN); chain != "" {
			jumps = append(jumps, chain)
		}
	}
	return jumps
}

// removeNFT makes all the changes, or none if the ruleset is not what the table was read from.
func removeNFT(ctx context.Context, t ruleTable, r removal) error {
	batch, err := nftBatch(t, r)
	if err != nil {
		return err
	}
	return withNFT(ctx, func(c nftConn) error {
		if _, err := c.SendMessages(batch); err != nil {
			return err
		}
		_, err := c.Receive()
		return err
	})
}

// nftBatch is one transaction. It empties all chains before it deletes any: they may lead to
// each other. Only its last change asks for an answer: answers come in order, an error before
// any other, and thousands of them would not fit.
func nftBatch(t ruleTable, r removal) ([]netlink.Message, error) {
	var batch []netlink.Message
	var errs []error
	add := func(kind netlink.HeaderType, attrs ...netlink.Attribute) {
		m, err := nftMessage(kind, t.family, attrs...)
		batch, errs = append(batch, m), append(errs, err)
	}
	table := t.attribute()
	add(unix.NFNL_MSG_BATCH_BEGIN,
		netlink.Attribute{Type: unix.NFNL_BATCH_GENID, Data: binary.BigEndian.AppendUint32(nil, t.generation)})
	if r.Table {
		add(nft|unix.NFT_MSG_DELTABLE, table)
	}
	for _, rule := range r.Rules {
		add(nft|unix.NFT_MSG_DELRULE, table, text(unix.NFTA_RULE_CHAIN, rule.Chain),
			netlink.Attribute{Type: unix.NFTA_RULE_HANDLE, Data: binary.BigEndian.AppendUint64(nil, rule.Handle)})
	}
	for _, chain := range r.Chains {
		add(nft|unix.NFT_MSG_DELRULE, table, text(unix.NFTA_RULE_CHAIN, chain))
	}
	for _, chain := range r.Chains {
		add(nft|unix.NFT_MSG_DELCHAIN, table, text(unix.NFTA_CHAIN_NAME, chain))
	}
	batch[len(batch)-1].Header.Flags |= netlink.Acknowledge
	add(unix.NFNL_MSG_BATCH_END)
	return batch, errors.Join(errs...)
}

// nft marks the kinds of messages that are for nftables.
const nft = unix.NFNL_SUBSYS_NFTABLES << 8

// nftMessage is about one family, or, where that is 0, all of them.
func nftMessage(kind netlink.HeaderType, family byte, attrs ...netlink.Attribute) (netlink.Message, error) {
	data, err := netlink.MarshalAttributes(attrs)
	// struct nfgenmsg: family, version, subsystem in network order.
	head := []byte{family, 0, 0, unix.NFNL_SUBSYS_NFTABLES}
	return netlink.Message{
		Header: netlink.Header{Type: kind, Flags: netlink.Request},
		Data:   append(head, data...),
	}, err
}

// nftTable is the attribute that names the table of whatever a message is about.
const nftTable = unix.NFTA_TABLE_NAME

func (t ruleTable) attribute() netlink.Attribute {
	_, name, _ := strings.Cut(t.Name, " ")
	return text(nftTable, name)
}

func text(kind uint16, value string) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: append([]byte(value), 0)}
}

func (c nftConn) generation() (uint32, error) {
	found, err := c.ask(nft|unix.NFT_MSG_GETGEN, 0, 0)
	if err != nil {
		return 0, err
	}
	if len(found) == 0 || found[0].number(unix.NFTA_GEN_ID) == 0 {
		return 0, errors.New("the kernel tells no generation")
	}
	return uint32(found[0].number(unix.NFTA_GEN_ID)), nil
}

func (c nftConn) ask(kind netlink.HeaderType, flags netlink.HeaderFlags, family byte, attrs ...netlink.Attribute) ([]nftObject, error) {
	question, err := nftMessage(kind, family, attrs...)
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
		found[i] = nftObject{m.Data[0], parseAttributes(m.Data[4:])}
		if found[i].attributes == nil {
			return nil, fmt.Errorf("malformed message %v", m.Header.Type)
		}
	}
	return found, nil
}

// nftObject is a table, a chain or a rule as the kernel tells of it.
type nftObject struct {
	family byte
	attributes
}

// table is the name of its table, with its family.
func (o nftObject) table() string { return nftFamilies[o.family] + " " + o.text(nftTable) }

func (o nftObject) chain() *ruleChain {
	c := &ruleChain{Name: o.text(unix.NFTA_CHAIN_NAME), Base: o.attributes[unix.NFTA_CHAIN_HOOK] != nil}
	if o.attributes[unix.NFTA_CHAIN_POLICY] == nil {
		return c
	}
	policy, hook := o.number(unix.NFTA_CHAIN_POLICY), o.nested(unix.NFTA_CHAIN_HOOK).number(unix.NFTA_HOOK_HOOKNUM)
	c.Accept = policy == nfAccept && slices.Contains(builtInChains, c.Name)
	c.DropsForwarded = policy == nfDrop && hook == unix.NF_INET_FORWARD && slices.Contains(inetFamilies, o.family)
	return c
}

// attributes are those of one object, by type.
type attributes map[uint16][]byte

// parseAttributes gives nil for what is malformed, which the kernel does not send.
func parseAttributes(data []byte) attributes {
	list, err := netlink.UnmarshalAttributes(data)
	if err != nil {
		return nil
	}
	all := attributes{}
	for _, a := range list {
		all[a.Type&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER)] = a.Data
	}
	return all
}

func (a attributes) nested(kind uint16) attributes { return parseAttributes(a[kind]) }

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
