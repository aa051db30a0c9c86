package e2e

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// peopleFile is a file of testdata/config/people. How its verdict is proven stands in its comments, see
// people.md there:
//
//	# want: NAME:LINE: FIELD: MESSAGE    all that bootstrap says of a file that it refuses
//	# proof: PROGRAM: WORDS              who refuses it too (or warns of it), and what that says
//	# needs: THING ARGUMENT...           what has to be on the machine first, see needs
//	# pending: WHAT: REASON              pods of kube-system that do not become ready, and why
//	# compare: REASON                    why no cluster of it runs on a node of the tests: its manifests are compared only
//	# images: REASON                    its images have other names than the bundle's
//	# leaves: PATH...                    folders that the kubelet makes for the user's volumes, and nobody removes
type peopleFile struct {
	name, text string
	wants      []string
	proofs     []proof
	needs      [][]string
	pending    map[string]string // by how the name of the pods begins
	compare    string
	images     bool
	leaves     []string
}

// proof is what a real program says. One that goes on nevertheless is "PROGRAM, running".
type proof struct {
	program, words string
	running        bool
}

const peopleDir = "testdata/config/people"

func readPeople(t *testing.T, pattern string) []peopleFile {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(path(peopleDir), pattern))
	if err != nil || len(names) < 20 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	var files []peopleFile
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, parsePeople(t, filepath.Base(name), string(text)))
	}
	return files
}

func parsePeople(t *testing.T, name, text string) peopleFile {
	t.Helper()
	f := peopleFile{name: name, text: text, pending: map[string]string{}}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		mark, rest, _ := strings.Cut(line, ": ")
		switch mark {
		case "# want":
			f.wants = append(f.wants, rest)
		case "# proof":
			f.proofs = append(f.proofs, parseProof(t, name, rest))
		case "# needs":
			f.needs = append(f.needs, strings.Fields(rest))
		case "# pending":
			what, reason, _ := strings.Cut(rest, ": ")
			f.pending[what] = reason
		case "# compare":
			f.compare = rest
		case "# images":
			f.images = true
		case "# leaves":
			f.leaves = strings.Fields(rest)
		}
	}
	return f
}

func parseProof(t *testing.T, file, text string) proof {
	t.Helper()
	program, words, ok := strings.Cut(text, ": ")
	if !ok || words == "" {
		t.Fatalf("%s: # proof: %s: no words", file, text)
	}
	program, running := strings.CutSuffix(program, ", running")
	return proof{program, words, running}
}

// byComponent tells whether it is a component that says it, and not kubeadm.
func (p proof) byComponent() bool { return !strings.HasPrefix(p.program, "kubeadm ") }

func (f peopleFile) refused() bool { return strings.HasPrefix(f.name, "invalid-") }
func (f peopleFile) warned() bool  { return strings.HasPrefix(f.name, "warned-") }

// path is where it lies in a node.
func (f peopleFile) path() string { return "/root/people/" + f.name }

// documented are the blocks of addresses that are nobody's, for documentation.
var documented = []netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8::/32"),
}

var addressLike = regexp.MustCompile(`[0-9A-Fa-f:.]+/?`)

// addresses are those of documentation that the file names, ranges left out.
func (f peopleFile) addresses() []netip.Addr {
	seen := map[netip.Addr]bool{}
	var all []netip.Addr
	for _, word := range addressLike.FindAllString(f.text, -1) {
		a, err := netip.ParseAddr(strings.TrimRight(word, "."))
		if host, _, ok := strings.Cut(word, ":"); err != nil && ok {
			a, err = netip.ParseAddr(host) // its port follows
		}
		for _, block := range documented {
			if err == nil && block.Contains(a) && !seen[a] {
				seen[a] = true
				all = append(all, a)
			}
		}
	}
	return all
}

// place puts the file into the node as it is, and there gives the node what the file takes for
// given: the addresses that it names, and its needs. The node may have addresses that the file
// names as others' too, as of a load balancer: all of them lead to the node then.
func (n *Node) place(f peopleFile) {
	n.t.Helper()
	n.Write(f.path(), f.text)
	for _, a := range f.addresses() {
		how := ""
		if a.Is6() {
			how = "nodad"
		}
		n.MustSh(fmt.Sprintf("ip address replace %s/%d dev eth0 %s", a, a.BitLen(), how))
	}
	for _, need := range f.needs {
		n.provide(need[0], need[1:])
	}
}

// validated is what bootstrap says of the file, in whose folder it is asked.
func (n *Node) validated(f peopleFile) Result {
	n.t.Helper()
	const script = `cd "$1"; exec /root/bootstrap config validate --config "$2"`
	return n.Exec("sh", "-ec", script, "_", filepath.Dir(f.path()), f.name)
}

// dryDir is where kubeadm's dry run writes: manifests, certificates and the kubelet's files.
const dryDir = "/root/dry"

// namesAll is a file that asks kubeadm by itself to ignore all errors of preflight, which goes with no other name.
var namesAll = regexp.MustCompile(`(?i)ignorePreflightErrors:\s*\[?\s*"?all\b`)

// notOfFiles are kubeadm's checks of the machine that a fresh node fails, or one on which parts of a
// cluster run by themselves. They say nothing of a config.
const notOfFiles = "CRI,ContainerRuntimeVersion,KubeletVersion,SystemVerification,NumCPU,Mem,Swap,Hostname," +
	"FileContent--proc-sys-net-ipv4-ip_forward,FileContent--proc-sys-net-ipv6-conf-default-forwarding," +
	"FileContent--proc-sys-net-bridge-bridge-nf-call-iptables,ExternalEtcdVersion,ExternalEtcdClientCertificates," +
	"DirAvailable--etc-kubernetes-manifests,DirAvailable--var-lib-etcd," +
	"Port-6443,Port-8443,Port-10250,Port-10257,Port-10259,Port-2379,Port-2380"

// kubeadmDryRun lets kubeadm do all of init but the changes.
func (n *Node) kubeadmDryRun(f peopleFile) Result {
	n.t.Helper()
	ignored := notOfFiles
	if namesAll.MatchString(f.text) {
		ignored = ""
	}
	return n.Exec("sh", "-ec", `rm -rf "$1"; mkdir -m 700 "$1"; export KUBEADM_INIT_DRYRUN_DIR="$1"
		exec timeout -k 3 90 kubeadm init --dry-run --config "$2" --ignore-preflight-errors="$3"`,
		"_", dryDir, f.path(), ignored)
}

// says tells whether a program has said the words. Logs put a backslash before quotes.
func (p proof) says(r Result) bool {
	return strings.Contains(strings.ReplaceAll(r.Out+r.Err, `\"`, `"`), p.words)
}

// TestPeopleFiles: the comments of all files can be read, and say how each verdict is proven.
func TestPeopleFiles(t *testing.T) {
	for _, f := range readPeople(t, "*.yaml") {
		if f.refused() && (len(f.proofs) == 0 || len(f.wants) == 0) {
			t.Errorf("%s: no # proof: or no # want: line", f.name)
		}
		for _, p := range f.proofs {
			if _, known := provers[p.program]; !known {
				t.Errorf("%s: # proof: nobody knows how to ask %q", f.name, p.program)
			}
		}
		for _, need := range f.needs {
			if _, known := needs[need[0]]; !known {
				t.Errorf("%s: # needs: nobody knows how to provide %q", f.name, need[0])
			}
		}
	}
}
