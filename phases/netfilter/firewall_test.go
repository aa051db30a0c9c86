package netfilter

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

var kubernetesNames = Names{
	Chains: []string{"KUBE-", "CNI-"},
	Tables: []string{"ip kube-proxy", "ip6 kube-proxy", "inet cni_plugins_masquerade", "ip cni_hostport", "ip6 cni_hostport"},
}

// daemonRules is what a kubelet and the plugins bridge and portmap make on a Debian 12
// node with a pod, as seen on a real one.
const daemonRules = `
iptables -w -t mangle -N KUBE-IPTABLES-HINT
iptables -w -t mangle -N KUBE-KUBELET-CANARY
iptables -w -t nat -N KUBE-KUBELET-CANARY
iptables -w -t filter -N KUBE-KUBELET-CANARY
iptables -w -t filter -N KUBE-FIREWALL
iptables -w -t filter -I OUTPUT -j KUBE-FIREWALL
iptables -w -t filter -I INPUT -j KUBE-FIREWALL
iptables -w -t filter -A KUBE-FIREWALL -m comment --comment "block incoming localnet connections" \
	--dst 127.0.0.0/8 ! --src 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
ip6tables -w -t mangle -N KUBE-IPTABLES-HINT
ip6tables -w -t nat -N KUBE-KUBELET-CANARY
iptables -w -t nat -N CNI-c80d50769344cfe96712e60c
iptables -w -t nat -A CNI-c80d50769344cfe96712e60c -d 10.244.0.0/24 -m comment --comment 'name: "x" id: "y"' -j ACCEPT
iptables -w -t nat -A CNI-c80d50769344cfe96712e60c ! -d 224.0.0.0/4 -j MASQUERADE
iptables -w -t nat -A POSTROUTING -s 10.244.0.2 -m comment --comment 'name: "x" id: "y"' -j CNI-c80d50769344cfe96712e60c
iptables -w -t nat -N CNI-HOSTPORT-DNAT
iptables -w -t nat -N CNI-HOSTPORT-SETMARK
iptables -w -t nat -N CNI-DN-c80d50769344cfe96712e
iptables -w -t nat -A CNI-HOSTPORT-SETMARK -j MARK --set-xmark 0x2000/0x2000
iptables -w -t nat -A CNI-DN-c80d50769344cfe96712e -s 10.244.0.0/24 -p tcp -m tcp --dport 8080 -j CNI-HOSTPORT-SETMARK
iptables -w -t nat -A CNI-HOSTPORT-DNAT -p tcp -m multiport --dports 8080 -j CNI-DN-c80d50769344cfe96712e
iptables -w -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
iptables -w -t nat -A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
`

const daemonTables = `
nft add table ip kube-proxy
nft 'add chain ip kube-proxy services { type nat hook prerouting priority -100; }'
nft 'add map ip kube-proxy ips { type ipv4_addr : verdict; }'
nft add table inet cni_plugins_masquerade
nft add table ip cni_hostport
`

// foreignRules stand before, between and after those of the daemons; some in ways
// that only iptables-nft or only nft writes.
const foreignRules = `
iptables -w -A INPUT -p tcp --dport 22 -m recent --name ssh --set -m comment --comment "-j KUBE-FIREWALL" -j ACCEPT
iptables -w -I INPUT 1 -m hashlimit --hashlimit-upto 10/sec --hashlimit-name x -j LOG --log-prefix "KUBE-"
iptables -w -N MINE
iptables -w -A MINE -m string --algo bm --string KUBE- -j REJECT
iptables -w -A OUTPUT -j MINE
iptables -w -P FORWARD DROP
iptables -w -t nat -A POSTROUTING -o eth9 -j MASQUERADE
iptables -w -t nat -A PREROUTING -p tcp --dport 80 -j REDIRECT --to-ports 8081
iptables -w -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu
nft 'add set ip filter blocked { type ipv4_addr; flags interval; elements = { 192.0.2.0/24 }; }'
nft 'add rule ip filter INPUT ip saddr @blocked numgen random mod 2 vmap { 0 : accept, 1 : drop }'
nft add table inet filter
nft 'add chain inet filter KUBE-NOT-OURS { type filter hook input priority 10; policy drop; }'
nft 'add rule inet filter KUBE-NOT-OURS iif lo accept'
nft add table ip kube-proxy-of-another
`

// netRules is the ruleset without counts of packets, which go on.
func netRules(t *testing.T) string {
	t.Helper()
	return sh(t, "nft -s list ruleset")
}

func removeNow(t *testing.T, before State) {
	t.Helper()
	if err := kubernetesNames.Remove(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	if left, err := kubernetesNames.CameSince(t.Context(), before); left || err != nil {
		t.Errorf("left: %v, %v", left, err)
	}
}

// stateNow is the state, as it comes back from the ledger.
func stateNow(t *testing.T) State {
	t.Helper()
	state, err := kubernetesNames.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	var back State
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	return back
}

func TestFirewallOfFreshMachineIsEmptyAgain(t *testing.T) {
	if !inNamespace(t, syscall.CLONE_NEWNET) {
		return
	}
	before := stateNow(t)
	sh(t, daemonRules+daemonTables)
	removeNow(t, before)
	if left := netRules(t); left != "" {
		t.Errorf("left:\n%s", left)
	}
	removeNow(t, before)
}

func TestFirewallKeepsForeignRules(t *testing.T) {
	orders := map[string][]string{
		"there before":     {foreignRules, "snapshot", daemonRules, daemonTables},
		"came since":       {"snapshot", daemonRules, daemonTables, foreignRules},
		"tables were bare": {"iptables -w -t nat -L -n; iptables -w -A INPUT -i x; iptables -w -D INPUT -i x", "snapshot", foreignRules, daemonRules},
	}
	if !inNamespace(t, syscall.CLONE_NEWNET) {
		return
	}
	for name, scripts := range orders {
		t.Run(name, func(t *testing.T) {
			want, got := "", ""
			for _, without := range []bool{true, false} {
				sh(t, "nft flush ruleset")
				var before State
				for _, script := range scripts {
					switch {
					case script == "snapshot":
						before = stateNow(t)
					case !without || !strings.Contains(daemonRules+daemonTables, script):
						sh(t, script)
					}
				}
				if without {
					want = iptablesView(t)
					continue
				}
				removeNow(t, before)
				got = iptablesView(t)
			}
			if !strings.Contains(want, `log prefix "KUBE-"`) || !strings.Contains(want, "jump MINE") {
				t.Errorf("the foreign rules are not all there:\n%s", want)
			}
			if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("rules differ from a machine without daemons (-want +got):\n%s", diff)
			}
		})
	}
}

// iptablesView is all rules in order, and the chains by name: nft lists chains by age.
// iptables-save refuses the table filter, for the rule that only nft could write.
func iptablesView(t *testing.T) string {
	t.Helper()
	return sh(t, `
for table in nat mangle; do
	echo "# $table"
	for family in iptables ip6tables; do
		$family-save -t $table | grep -e ^: | sed 's/\[.*//' | sort
		$family-save -t $table | grep -e ^-A | sort -s -k 2,2
	done
done
nft list tables | sort
nft -s list table inet filter
nft list set ip filter blocked
nft list chains ip | grep -c chain
for chain in INPUT FORWARD OUTPUT MINE; do
	nft -s list chain ip filter $chain
done`)
}

func TestFirewallKeepsChainsThatWereThere(t *testing.T) {
	if !inNamespace(t, syscall.CLONE_NEWNET) {
		return
	}
	sh(t, `
iptables -w -t nat -N CNI-HOSTPORT-DNAT
iptables -w -t nat -A CNI-HOSTPORT-DNAT -p tcp --dport 81 -j RETURN
iptables -w -t nat -A PREROUTING -j CNI-HOSTPORT-DNAT
nft add table ip6 kube-proxy`)
	before, rules := stateNow(t), netRules(t)
	sh(t, `
iptables -w -t nat -N CNI-DN-1
iptables -w -t nat -A CNI-DN-1 -p tcp -j DNAT --to-destination 10.0.0.1:80
iptables -w -t nat -I CNI-HOSTPORT-DNAT -p tcp --dport 80 -j CNI-DN-1
iptables -w -t nat -A OUTPUT -g CNI-HOSTPORT-DNAT
iptables -w -t nat -D OUTPUT -g CNI-HOSTPORT-DNAT
nft add table ip kube-proxy`)
	removeNow(t, before)
	if diff := cmp.Diff(rules, netRules(t)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// TestFirewallOfLargeCluster: a transaction is one datagram, and nobody reads its
// answers while it is at work.
func TestFirewallOfLargeCluster(t *testing.T) {
	if !inNamespace(t, syscall.CLONE_NEWNET) {
		return
	}
	sh(t, "iptables -w -t nat -A POSTROUTING -o eth9 -j MASQUERADE")
	before, rules := stateNow(t), netRules(t)
	script := strings.Builder{}
	script.WriteString("*nat\n:KUBE-SERVICES - [0:0]\n-A POSTROUTING -j KUBE-SERVICES\n")
	for i := range 4000 {
		fmt.Fprintf(&script, ":KUBE-SVC-%[1]d - [0:0]\n-A KUBE-SERVICES -j KUBE-SVC-%[1]d\n", i)
	}
	script.WriteString("COMMIT\n")
	file := t.TempDir() + "/rules"
	if err := os.WriteFile(file, []byte(script.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	sh(t, "iptables-restore --noflush "+file)
	removeNow(t, before)
	if diff := cmp.Diff(rules, netRules(t)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// TestFirewallChangedMeanwhile: what was decided by an older ruleset is not done.
func TestFirewallChangedMeanwhile(t *testing.T) {
	if !inNamespace(t, syscall.CLONE_NEWNET) {
		return
	}
	sh(t, "nft add table ip filter")
	all := func(string) bool { return true }
	tables, err := readNFT(t.Context(), all)
	if err != nil || len(tables) != 1 {
		t.Fatal(tables, err)
	}
	sh(t, "nft 'add chain ip filter foreign'")
	err = removeNFT(t.Context(), tables[0], kubernetesNames.plan(nil, tables[0]))
	if !errors.Is(err, unix.ERESTART) || !changedMeanwhile(err) {
		t.Errorf("error is %v, want ERESTART", err)
	}
	sh(t, "nft list chain ip filter foreign")
	if tables, err = readNFT(t.Context(), all); err != nil {
		t.Fatal(err)
	}
	if plan := kubernetesNames.plan(nil, tables[0]); !plan.isEmpty() {
		t.Errorf("a foreign chain's table would go: %v", plan)
	}
}

// TestFirewallBusyChain: one table that can't be cleaned doesn't stop the others.
func TestFirewallBusyChain(t *testing.T) {
	if !inNamespace(t, syscall.CLONE_NEWNET) {
		return
	}
	before := stateNow(t)
	sh(t, daemonRules+`
nft 'add map ip filter m { type ipv4_addr : verdict; elements = { 192.0.2.1 : jump KUBE-FIREWALL }; }'`)
	err := kubernetesNames.Remove(t.Context(), before)
	if !errors.Is(err, unix.EBUSY) || !strings.Contains(err.Error(), "clean table ip filter: ") {
		t.Errorf("error is %v", err)
	}
	if got := strings.TrimSpace(sh(t, "nft list tables")); got != "table ip filter" {
		t.Errorf("tables are %q", got)
	}
}

func TestLegacyFirewall(t *testing.T) {
	if !inNamespace(t, syscall.CLONE_NEWNET) {
		return
	}
	toLegacy := strings.NewReplacer("ip6tables ", "ip6tables-legacy ", "iptables ", "iptables-legacy ")
	sh(t, `iptables-legacy -A INPUT -m comment --comment "x \" -j KUBE-FIREWALL" -j ACCEPT`)
	before := stateNow(t)
	view := func() string {
		return sh(t, "iptables-legacy-save | grep -v ^# | sed 's/\\[.*//' ; ip6tables-legacy-save | grep ^-A || :")
	}
	sh(t, "iptables-legacy -t nat -L; iptables-legacy -t mangle -L; ip6tables-legacy -t nat -L; ip6tables-legacy -t mangle -L") // these stay, empty
	rules := view()
	sh(t, toLegacy.Replace(daemonRules))
	if now := view(); now == rules || strings.TrimSpace(sh(t, "nft list tables")) != "" {
		t.Fatal("the rules are not in xtables")
	}
	removeNow(t, before)
	if diff := cmp.Diff(rules, view()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func TestLegacyScript(t *testing.T) {
	const save = `# Generated by iptables-save
*filter
:INPUT ACCEPT [1:2]
:KUBE-FIREWALL - [0:0]
:MINE - [0:0]
-A INPUT -m comment --comment "a \" -j KUBE-FIREWALL" -j MINE
-A INPUT -m comment --comment "b -g x" -g KUBE-FIREWALL
-A KUBE-FIREWALL -j DROP
COMMIT
`
	const want = `*filter
-D INPUT -m comment --comment "b -g x" -g KUBE-FIREWALL
-F KUBE-FIREWALL
-X KUBE-FIREWALL
COMMIT
`
	tables := parseLegacy("ip", save)
	got := legacyScript(tables[0], kubernetesNames.plan(nil, tables[0]))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if plan := kubernetesNames.plan(kubernetesNames.state(tables), tables[0]); !plan.isEmpty() {
		t.Errorf("what was there would go: %v", plan)
	}
}

// TestHiddenTable: a table of xtables that came since, and that nothing can look
// into, is told of; one that was there before is not.
func TestHiddenTable(t *testing.T) {
	tables := hiddenTables("ip6", "nat\nfilter\n")
	before := State{"legacy ip6 nat": {}}
	for _, table := range tables {
		want := table.Name == "legacy ip6 filter"
		if plan := kubernetesNames.plan(before, table); plan.Table != want || plan.isEmpty() == want {
			t.Errorf("%s: %v", table.Name, plan)
		}
		if err := removeLegacy(t.Context(), table, removal{Table: true}); !errors.Is(err, errNoLegacyProgram) {
			t.Errorf("%s: %v", table.Name, err)
		}
	}
}

func TestPlan(t *testing.T) {
	if !inNamespace(t, syscall.CLONE_NEWNET) {
		return
	}
	sh(t, "iptables -w -A INPUT -i x -j DROP")
	before := stateNow(t)
	sh(t, "iptables -w -N KUBE-A; iptables -w -A INPUT -j KUBE-A; iptables -w -A OUTPUT -g KUBE-A; nft add table ip kube-proxy")
	tables, err := read(t.Context(), kubernetesNames.concerns)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, table := range tables {
		plan := kubernetesNames.plan(before, table)
		if plan.Table {
			got = append(got, table.Name)
		}
		for _, r := range plan.Rules {
			got = append(got, fmt.Sprint(table.Name, " ", r.Chain, r.Jumps))
		}
		for _, chain := range plan.Chains {
			got = append(got, table.Name+" "+chain)
		}
	}
	want := []string{"ip filter INPUT[KUBE-A]", "ip filter OUTPUT[KUBE-A]", "ip filter KUBE-A", "ip filter OUTPUT", "ip kube-proxy"}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRetryEnds(t *testing.T) {
	start, calls := time.Now(), 0
	err := retry(t.Context(), func() error { calls++; return fmt.Errorf("x: %w", unix.EBUSY) })
	if !errors.Is(err, unix.EBUSY) || calls != firewallAttempts {
		t.Errorf("%d calls in %v, error %v", calls, time.Since(start), err)
	}
	calls = 0
	err = retry(t.Context(), func() error { calls++; return unix.EPERM })
	if !errors.Is(err, unix.EPERM) || calls != 1 {
		t.Errorf("%d calls, error %v", calls, err)
	}
}

func FuzzParseLegacy(f *testing.F) {
	f.Add("*filter\n:INPUT ACCEPT [0:0]\n:KUBE-A - [0:0]\n-A INPUT -m comment --comment \"x \\\" -j y\" -j KUBE-A\nCOMMIT\n")
	f.Fuzz(func(t *testing.T, save string) {
		for _, table := range parseLegacy("ip", save) {
			plan := kubernetesNames.plan(nil, table)
			for _, chain := range plan.Chains {
				if !kubernetesNames.matches(chain) {
					t.Errorf("chain %q would go", chain)
				}
			}
			for _, rule := range plan.Rules {
				if !strings.Contains(save, rule.Text) {
					t.Errorf("rule %q was never there", rule.Text)
				}
			}
			if !plan.isEmpty() && strings.Contains(table.Name, " filter") {
				legacyScript(table, plan)
			}
		}
	})
}

func FuzzJumps(f *testing.F) {
	f.Add([]byte("\x0c\x00\x01\x00\x08\x00\x01\x00immediate\x00"))
	f.Fuzz(func(_ *testing.T, expressions []byte) { jumpsOf(expressions) })
}

// TestFind: only what daemons of these names take for their own is foreign.
func TestFind(t *testing.T) {
	if !inNamespace(t, syscall.CLONE_NEWNET) {
		return
	}
	sh(t, `
iptables -w -t nat -N KUBE-FOREIGN
iptables -w -t nat -N KUBE-SERVICES
nft add table ip kube-proxy
nft add chain ip kube-proxy KUBE-SERVICES
nft add table inet theirs
nft add chain inet theirs KUBE-SERVICES`)
	got, err := Names{Chains: []string{"KUBE-SERVICES"}, Tables: []string{"ip kube-proxy"}}.Find(t.Context())
	slices.Sort(got)
	want := []string{"chain KUBE-SERVICES in table ip nat", "table ip kube-proxy"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, want %q, %v", got, want, err)
	}
}
