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

const nfAccept = 1 // NF_ACCEPT

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

func nftFamilyName(number byte) string {
	for name, n := range nftFamilies {
		if n == number {
			return name
		}
	}
	return fmt.Sprint(number)
}

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

// readRuleset reads the tables that want is true for. A kernel without nftables has
// none.
func readRuleset(ctx context.Context, want func(table string) bool) (ruleset, error) {
	conn, err := dialNFT(ctx)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return ruleset{}, nil
	}
	if err != nil {
		return ruleset{}, fmt.Errorf("nftables: %w", err)
	}
	defer conn.close()
	generation, err := conn.generation()
	if errors.Is(err, unix.EINVAL) { // nfnetlink knows no nftables
		return ruleset{}, nil
	}
	if err != nil {
		return ruleset{}, fmt.Errorf("nftables: %w", err)
	}
	tables, err := conn.read(want)
	if err != nil {
		return ruleset{}, fmt.Errorf("nftables: %w", err)
	}
	if now, err := conn.generation(); err != nil || now != generation {
		return ruleset{}, errors.Join(err, errRulesetChanged)
	}
	return ruleset{generation: generation, tables: tables}, nil
}

func (c nftConn) read(want func(string) bool) ([]ruleTable, error) {
	tables, err := c.tables(want)
	if err != nil {
		return nil, err
	}
	byName := map[string]*ruleTable{}
	for i := range tables {
		byName[tables[i].Name] = &tables[i]
	}
	if err := c.addChains(byName); err != nil {
		return nil, err
	}
	for i := range tables {
		if err := c.addRules(&tables[i]); err != nil {
			return nil, err
		}
	}
	return tables, nil
}

func (c nftConn) tables(want func(string) bool) ([]ruleTable, error) {
	messages, err := c.dump(unix.NFT_MSG_GETTABLE, unix.NFPROTO_UNSPEC, nil)
	if err != nil {
		return nil, err
	}
	var tables []ruleTable
	for _, m := range messages {
		a, err := attributes(m.Data)
		if err != nil {
			return nil, err
		}
		name := nftFamilyName(m.Data[0]) + " " + a.text(unix.NFTA_TABLE_NAME)
		if want(name) {
			tables = append(tables, ruleTable{Name: name, Uses: int(a.uint32(unix.NFTA_TABLE_USE))})
		}
	}
	return tables, nil
}

func (c nftConn) addChains(tables map[string]*ruleTable) error {
	messages, err := c.dump(unix.NFT_MSG_GETCHAIN, unix.NFPROTO_UNSPEC, nil)
	if err != nil {
		return err
	}
	for _, m := range messages {
		a, err := attributes(m.Data)
		if err != nil {
			return err
		}
		t := tables[nftFamilyName(m.Data[0])+" "+a.text(unix.NFTA_CHAIN_TABLE)]
		if t == nil {
			continue
		}
		chain := ruleChain{Name: a.text(unix.NFTA_CHAIN_NAME), Base: a[unix.NFTA_CHAIN_HOOK] != nil}
		chain.Accept = a.uint32(unix.NFTA_CHAIN_POLICY) == nfAccept && slices.Contains(builtInChains, chain.Name)
		t.Chains = append(t.Chains, chain)
	}
	return nil
}

func (c nftConn) addRules(t *ruleTable) error {
	family, name := splitTable(t.Name)
	messages, err := c.dump(unix.NFT_MSG_GETRULE, family, []netlink.Attribute{textAttribute(unix.NFTA_RULE_TABLE, name)})
	if err != nil {
		return err
	}
	chains := map[string]*ruleChain{}
	for i := range t.Chains {
		chains[t.Chains[i].Name] = &t.Chains[i]
	}
	for _, m := range messages {
		a, err := attributes(m.Data)
		if err != nil {
			return err
		}
		chain := chains[a.text(unix.NFTA_RULE_CHAIN)]
		if chain == nil || a.text(unix.NFTA_RULE_TABLE) != name {
			continue
		}
		rule := chainRule{Handle: a.uint64(unix.NFTA_RULE_HANDLE)}
		rule.Jumps, err = jumpsOf(a[unix.NFTA_RULE_EXPRESSIONS])
		if err != nil {
			return err
		}
		chain.Rules = append(chain.Rules, rule)
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
	e, err := nested(expression)
	if err != nil || e.text(unix.NFTA_EXPR_NAME) != "immediate" {
		return "", err
	}
	for _, kind := range []uint16{unix.NFTA_EXPR_DATA, unix.NFTA_IMMEDIATE_DATA, unix.NFTA_DATA_VERDICT} {
		if e, err = nested(e[kind]); err != nil {
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
	add := func(to *[]netlink.Message, kind uint16, table string, attrs ...netlink.Attribute) {
		m, err := nftMessage(kind, table, attrs)
		*to, errs = append(*to, m), append(errs, err)
	}
	for _, r := range plan {
		_, name := splitTable(r.Table)
		switch {
		case r.Chain == "":
			add(&remove, unix.NFT_MSG_DELTABLE, r.Table, textAttribute(unix.NFTA_TABLE_NAME, name))
		case r.Rule.Handle != 0:
			add(&flush, unix.NFT_MSG_DELRULE, r.Table, textAttribute(unix.NFTA_RULE_TABLE, name),
				textAttribute(unix.NFTA_RULE_CHAIN, r.Chain),
				netlink.Attribute{Type: unix.NFTA_RULE_HANDLE, Data: binary.BigEndian.AppendUint64(nil, r.Rule.Handle)})
		default:
			add(&flush, unix.NFT_MSG_DELRULE, r.Table, textAttribute(unix.NFTA_RULE_TABLE, name),
				textAttribute(unix.NFTA_RULE_CHAIN, r.Chain))
			add(&remove, unix.NFT_MSG_DELCHAIN, r.Table, textAttribute(unix.NFTA_CHAIN_TABLE, name),
				textAttribute(unix.NFTA_CHAIN_NAME, r.Chain))
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

func nftMessage(kind uint16, table string, attrs []netlink.Attribute) (netlink.Message, error) {
	data, err := netlink.MarshalAttributes(attrs)
	family, _ := splitTable(table)
	return netlink.Message{
		Header: netlink.Header{Type: nftType(kind), Flags: netlink.Request},
		Data:   append([]byte{family, 0, 0, 0}, data...),
	}, err
}

func nftType(kind uint16) netlink.HeaderType {
	return netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | kind)
}

func (c nftConn) generation() (uint32, error) {
	messages, err := c.ask(unix.NFT_MSG_GETGEN, unix.NFPROTO_UNSPEC, 0, nil)
	if err != nil {
		return 0, err
	}
	for _, m := range messages {
		a, err := attributes(m.Data)
		if err != nil {
			return 0, err
		}
		if id := a[unix.NFTA_GEN_ID]; len(id) == 4 {
			return binary.BigEndian.Uint32(id), nil
		}
	}
	return 0, errors.New("the kernel tells no generation")
}

func (c nftConn) dump(kind uint16, family byte, attrs []netlink.Attribute) ([]netlink.Message, error) {
	return c.ask(kind, family, netlink.Dump, attrs)
}

func (c nftConn) ask(kind uint16, family byte, flags netlink.HeaderFlags, attrs []netlink.Attribute) ([]netlink.Message, error) {
	data, err := netlink.MarshalAttributes(attrs)
	if err != nil {
		return nil, err
	}
	messages, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: nftType(kind), Flags: netlink.Request | flags},
		Data:   append([]byte{family, 0, 0, 0}, data...),
	})
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		if m.Header.Flags&netlink.DumpInterrupted != 0 {
			return nil, errRulesetChanged
		}
		if len(m.Data) < 4 {
			return nil, fmt.Errorf("short message %v", m.Header.Type)
		}
	}
	return messages, nil
}

func splitTable(table string) (family byte, name string) {
	f, name, _ := strings.Cut(table, " ")
	return nftFamilies[f], name
}

func textAttribute(kind uint16, text string) netlink.Attribute {
	return netlink.Attribute{Type: kind, Data: append([]byte(text), 0)}
}

// nftAttributes is the attributes of one message, by type.
type nftAttributes map[uint16][]byte

// attributes reads what follows the nfgenmsg.
func attributes(data []byte) (nftAttributes, error) { return nested(data[4:]) }

func nested(data []byte) (nftAttributes, error) {
	list, err := netlink.UnmarshalAttributes(data)
	if err != nil {
		return nil, err
	}
	all := nftAttributes{}
	for _, a := range list {
		all[a.Type&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER)] = a.Data
	}
	return all, nil
}

func (a nftAttributes) text(kind uint16) string { return strings.TrimRight(string(a[kind]), "\x00") }

// uint32 is 0 for an attribute that is not there.
func (a nftAttributes) uint32(kind uint16) uint32 {
	if len(a[kind]) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(a[kind])
}

func (a nftAttributes) uint64(kind uint16) uint64 {
	if len(a[kind]) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(a[kind])
}
