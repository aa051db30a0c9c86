package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// survey is all that reset must give back: see ./survey, whose unwatched.go lists
// what is left out and why.
type survey struct {
	files       tree
	facts       map[string]string
	modulesStay bool // see butModules
}

// butModules is the survey for a reset without a reboot after it: loaded modules of the
// kernel stay, and so do the settings that came with them.
func (s survey) butModules() survey {
	s.modulesStay = true
	return s
}

const surveyProgram = ".cache/e2e/survey"

// buildSurvey makes the program that Up puts into each node.
func buildSurvey() error {
	build := exec.Command("go", "build", "-o", path(surveyProgram), "./testdata/e2e/survey")
	build.Dir = checkout
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build survey: %w\n%s", err, out)
	}
	return nil
}

func (n *Node) survey() survey {
	n.t.Helper()
	n.Eventually(10*time.Second, "addresses that no other node has", func() error {
		if r := n.Sh("ip -6 address show tentative"); r.Out != "" {
			return errors.New(r.Out) // the kernel still asks; it adds a route when it is through
		}
		return nil
	})
	files, facts := n.askSurvey()
	s := survey{files: files, facts: map[string]string{}}
	for name, lines := range facts {
		s.facts[name] = strings.Join(lines, "\n")
	}
	// A node's kernel is this machine's: what its modules are, no reset gives back.
	s.modulesStay = n.script == nodeScript && s.facts["modules"] != ""
	if len(s.files) < 1000 || len(s.facts) < 20 {
		n.t.Fatalf("the survey saw only %d files and %d facts", len(s.files), len(s.facts))
	}
	return s
}

// Tree lists the files below dir.
func (n *Node) Tree(dir string) tree {
	n.t.Helper()
	files, _ := n.askSurvey("files", dir)
	return files
}

func (n *Node) askSurvey(args ...string) (tree, map[string][]string) {
	n.t.Helper()
	out := n.MustExec(append([]string{"/root/survey"}, args...)...)
	var all struct {
		Files tree
		Facts map[string][]string
	}
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		n.t.Fatalf("survey: %v", err)
	}
	return all.Files, all.Facts
}

// diff lists what differs, - what was, + what is.
func (s survey) diff(now survey) []string {
	list := first(s.files.diff(now.files))
	for _, name := range slices.Sorted(maps.Keys(s.facts)) {
		was, is := s.facts[name], now.facts[name]
		if s.modulesStay && (name == "modules" || name == "sysctls") {
			is = onlyLinesOf(was, is)
		}
		if was != is {
			list = append(list, name+":")
			list = append(list, first(diffLines(was, is))...)
		}
	}
	return list
}

// onlyLinesOf drops what has no counterpart: a line with the same text, or the same name
// of a setting before " = ".
func onlyLinesOf(was, is string) string {
	known := map[string]bool{}
	for line := range strings.SplitSeq(was, "\n") {
		name, _, _ := strings.Cut(line, " = ")
		known[name] = true
	}
	return strings.Join(slices.DeleteFunc(strings.Split(is, "\n"), func(line string) bool {
		name, _, _ := strings.Cut(line, " = ")
		return !known[name]
	}), "\n")
}

// first is enough to see what went wrong.
func first(list []string) []string {
	const most = 40
	if len(list) <= most {
		return list
	}
	return append(list[:most:most], fmt.Sprintf("  ... and %d more", len(list)-most))
}

// diffLines compares lines that may repeat, and says so when only the order differs.
func diffLines(was, is string) []string {
	gone, added := countLines(was), countLines(is)
	for line := range gone {
		both := min(gone[line], added[line])
		gone[line] -= both
		added[line] -= both
	}
	var list []string
	for _, side := range []struct {
		sign  string
		lines map[string]int
	}{{"-", gone}, {"+", added}} {
		for _, line := range slices.Sorted(maps.Keys(side.lines)) {
			for range side.lines[line] {
				list = append(list, "  "+side.sign+" "+line)
			}
		}
	}
	if len(list) == 0 {
		list = append(list, "  the same lines in another order:", is)
	}
	return list
}

func countLines(text string) map[string]int {
	counts := map[string]int{}
	for line := range strings.SplitSeq(text, "\n") {
		if line != "" {
			counts[line]++
		}
	}
	return counts
}

// SameSurvey fails when the node is not what it was, save below some folders.
func (n *Node) SameSurvey(what string, before survey, but ...string) {
	n.t.Helper()
	before.files = before.files.without(but...)
	var list []string
	for range surveyTries {
		now := n.survey()
		now.files = now.files.without(but...)
		if list = before.diff(now); len(list) == 0 {
			return
		}
	}
	n.t.Errorf("%s, - was, + is:\n%s", what, strings.Join(list, "\n"))
}

// surveyTries: systemd forgets a mount or a device that is gone only some time later,
// and each survey takes half a second.
const surveyTries = 6

// TestSurvey: surveys of a node that is left alone are equal, what is done to it
// shows, and when that is undone it is as before.
func TestSurvey(t *testing.T) {
	n := Up(t, 2*time.Minute)
	before := n.survey()
	n.SameSurvey("nothing was done", before)
	var do, undo []string
	for _, c := range disturbances {
		do, undo = append(do, c.do), append([]string{c.undo}, undo...)
	}
	n.MustSh(strings.Join(do, "\n") + "\nsleep 0.5") // until what was started listens, or has failed
	shown := n.disturbed(before)
	for _, c := range disturbances {
		if !regexp.MustCompile("(?m)^ *[-+] " + c.shows).MatchString(shown) {
			t.Errorf("%s: no line %q", c.do, c.shows)
		}
	}
	if t.Failed() {
		t.Log(shown)
	}
	n.MustSh(strings.Join(undo, "\n"))
	n.SameSurvey("everything is undone", before)
}

// disturbed is the whole difference.
func (n *Node) disturbed(before survey) string {
	n.t.Helper()
	now := n.survey()
	list := before.files.diff(now.files)
	for name, was := range before.facts {
		list = append(list, diffLines(was, now.facts[name])...)
	}
	return strings.Join(list, "\n")
}

// disturbances are done to a node and undone. Shows begins a line of the difference.
var disturbances = []struct{ do, undo, shows string }{
	{"echo >>/etc/hosts", "sed -i '$d' /etc/hosts", "/etc/hosts "},
	{"chmod 750 /opt", "chmod 755 /opt", "/opt  d 750 "},
	{"chown 7 /srv", "chown 0 /srv", "/srv  d 755 7:0"},
	{"ln -s a /var/opt/link", "rm /var/opt/link", "/var/opt/link  l 777 0:0 a"},
	{"setcap cap_net_raw+ep /usr/bin/true", "setcap -r /usr/bin/true", "/usr/bin/true .*security.capability="},
	{"touch '/home/a b'", "rm '/home/a b'", "/home/a b  f "},
	{"touch /run/x", "rm /run/x", "/run/x  f "},
	{"mount -t tmpfs none /mnt", "umount /mnt", "/mnt tmpfs none"},
	{"mount -o remount,ro,bind /dev/hugepages", "mount -o remount,rw,bind /dev/hugepages", "/dev/hugepages hugetlbfs .* ro,"},
	{"systemctl mask -q dbus", "systemctl unmask -q dbus", "dbus.service masked"},
	{"systemd-run -q --unit=x1 sleep 1000", "systemctl stop x1", "x1.service loaded active running"},
	{"systemd-run -q --unit=x2 sleep 2000", "systemctl stop x2", "/usr/bin/sleep 2000"},
	{"systemd-run -q --unit=x3 sleep 3000", "systemctl stop x3", "/sys/fs/cgroup/.*/x3.service"},
	{"systemd-run -q --unit=x4 false", "systemctl reset-failed x4", "x4.service loaded failed failed"},
	{"echo '# x' >>/etc/systemd/system/node-mounts.service", "sed -i '$d' /etc/systemd/system/node-mounts.service; systemctl daemon-reload", "Id=node-mounts.service"},
	{"ip link add x type bridge", "ip link del x", "x: <BROADCAST"},
	{"ip link set eth0 mtu 1400", "ip link set eth0 mtu 1500", "eth0: .* mtu 1400"},
	{"ip address add 192.0.2.1/32 dev lo", "ip address del 192.0.2.1/32 dev lo", "1: lo inet 192.0.2.1/32"},
	{"ip -6 route add 2001:db8::/64 dev eth0", "ip -6 route del 2001:db8::/64 dev eth0", "2001:db8::/64 dev eth0"},
	{"ip rule add from 192.0.2.1 table 7", "ip rule del from 192.0.2.1 table 7", ".*from 192.0.2.1 lookup 7"},
	{"tc qdisc replace dev lo root pfifo", "tc qdisc del dev lo root", "qdisc pfifo .* dev lo"},
	{"nft add table inet x", "nft delete table inet x", "table inet x"},
	{"iptables-nft -N KUBE-X", "nft delete table ip filter", ":KUBE-X"},
	{"ip6tables-nft -t nat -N KUBE-Y", "nft delete table ip6 nat", ":KUBE-Y"},
	{"echo 1 >/proc/sys/net/ipv4/ip_forward", "echo 0 >/proc/sys/net/ipv4/ip_forward", "net/ipv4/ip_forward = 1"},
	{"echo x:x:7:7::/:/x >>/etc/passwd", "sed -i '$d' /etc/passwd", "x:x:7:7::/:/x"},
	{"echo x:x:7777: >>/etc/group", "sed -i '$d' /etc/group", "x:x:7777:"},
	// With cgroup v2, memory is a name like any other; with v1 it is mounted and stays.
	{"mkdir -p /sys/fs/cgroup/memory/x", "rmdir /sys/fs/cgroup/memory/x; rmdir /sys/fs/cgroup/memory 2>/dev/null || true", "/sys/fs/cgroup/memory/x"},
	{"ip netns add x", "ip netns del x; umount /run/netns; rmdir /run/netns", "/run/netns/x nsfs"},
	{"unshare --net sh -c 'exec sleep 4000 >&- 2>&-' &", "pkill -f 'sleep [4]000'", "2 in use"},
	{"systemd-run -q --unit=x5 socat TCP-LISTEN:81 /dev/null", "systemctl kill -s KILL x5; systemctl reset-failed x5", "tcp LISTEN .*:81 "},
	{"systemd-run -q --unit=x6 socat UNIX-LISTEN:/run/xx,unlink-close /dev/null", "systemctl kill -s KILL x6; systemctl reset-failed x6; rm -f /run/xx", "u_str /run/xx"},
}
