package netfilter

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	nfDrop        = 0 // NF_DROP
	nfInetForward = 2 // NF_INET_FORWARD
)

// ForwardDrops names the chains that drop forwarded packets which no rule of theirs
// accepts, with their tables: "ip filter FORWARD".
func ForwardDrops(ctx context.Context) ([]string, error) {
	conn, err := dialNFT(ctx)
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return legacyForwardDrops(ctx)
	}
	if err != nil {
		return nil, err
	}
	defer conn.close()
	messages, err := conn.dump(unix.NFT_MSG_GETCHAIN, unix.NFPROTO_UNSPEC, nil)
	if errors.Is(err, unix.EINVAL) { // nfnetlink knows no nftables
		return legacyForwardDrops(ctx)
	}
	if err != nil {
		return nil, err
	}
	var drops []string
	for _, m := range messages {
		name, err := forwardDrop(m.Data)
		if err != nil {
			return nil, err
		}
		if name != "" {
			drops = append(drops, name)
		}
	}
	legacy, err := legacyForwardDrops(ctx)
	return append(drops, legacy...), err
}

// forwardDrop is the chain that a message is about if it drops what is forwarded.
func forwardDrop(data []byte) (string, error) {
	a, err := attributes(data)
	if err != nil || a[unix.NFTA_CHAIN_HOOK] == nil || a[unix.NFTA_CHAIN_POLICY] == nil {
		return "", err
	}
	hook, err := nested(a[unix.NFTA_CHAIN_HOOK])
	family := nftFamilyName(data[0])
	forwards := hook.uint32(unix.NFTA_HOOK_HOOKNUM) == nfInetForward && slices.Contains([]string{"ip", "ip6", "inet"}, family)
	if err != nil || !forwards || a.uint32(unix.NFTA_CHAIN_POLICY) != nfDrop {
		return "", err
	}
	return family + " " + a.text(unix.NFTA_CHAIN_TABLE) + " " + a.text(unix.NFTA_CHAIN_NAME), nil
}

// legacyForwardDrops asks the programs of xtables, if the kernel has such a table.
func legacyForwardDrops(ctx context.Context) ([]string, error) {
	var drops []string
	for _, family := range legacyFamilies {
		names, _ := os.ReadFile(family.list) // none: no such tables
		if !slices.Contains(strings.Fields(string(names)), "filter") {
			continue
		}
		save, err := runLegacy(ctx, family.prefix, "save", "")
		if errors.Is(err, errNoLegacyProgram) {
			continue
		}
		if err != nil {
			return drops, err
		}
		if legacyDrops(save) {
			drops = append(drops, legacy+family.name+" filter FORWARD")
		}
	}
	return drops, nil
}

// legacyDrops looks for the policy in what iptables-save prints.
func legacyDrops(save string) bool {
	table := ""
	for line := range strings.Lines(save) {
		if name, found := strings.CutPrefix(line, "*"); found {
			table = strings.TrimSpace(name)
		}
		if table == "filter" && strings.HasPrefix(line, ":FORWARD DROP ") {
			return true
		}
	}
	return false
}
