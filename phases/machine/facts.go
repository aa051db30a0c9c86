package machine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"net/netip"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Facts is what a machine is, as far as it matters to what is put on it. It is read,
// never guessed; what can't be told is left zero.
type Facts struct {
	Arch     string // as Go names it: amd64, arm64
	Kernel   string // release, as uname -r
	Hostname string
	CPUs     int
	Memory   uint64 // bytes

	CgroupVersion int  // 1 or 2
	SysResource   bool // this process has CAP_SYS_RESOURCE
	Swap          bool // some swap is on
	Systemd       bool // systemd is PID 1

	// NFTables is whether the kernel has nf_tables in the age that kube-proxy wants,
	// 5.13. To a user who may not ask for the former only the age is known.
	NFTables       bool
	FixedConntrack bool // the limits of connection tracking can't be set here

	ResolvConf   bool // /etc/resolv.conf is there
	ResolvedConf bool // systemd-resolved's list of real servers is there

	// NodeIPs is at most one IPv4 and one IPv6 address: of the link with the default
	// route, or, on a machine without, of the first link that is up. IPv4 first.
	NodeIPs []netip.Addr
	MTUs    map[netip.Addr]int // of the links, by their addresses
}

// ResolvedConfPath lists the servers systemd-resolved asks, without its own stub,
// which no pod can reach.
const ResolvedConfPath = "/run/systemd/resolve/resolv.conf"

// Facts reads the facts of the machine.
func (m Machine) Facts() (Facts, error) {
	r := factReader{Machine: m}
	f := Facts{
		Arch:          runtime.GOARCH,
		Kernel:        r.line("/proc/sys/kernel/osrelease"),
		Hostname:      r.line("/proc/sys/kernel/hostname"),
		CPUs:          r.cpus(),
		Memory:        r.memory(),
		CgroupVersion: r.cgroupVersion(),
		SysResource:   r.sysResource(),
		Swap:          len(r.lines("/proc/swaps")) > 1, // the first line is a heading
		Systemd:       r.exists("/run/systemd/system"),
		ResolvConf:    r.exists("/etc/resolv.conf"),
		ResolvedConf:  r.exists(ResolvedConfPath),
	}
	f.NFTables = isNewer(f.Kernel, 5, 13) && r.nftables()
	f.FixedConntrack = readOnly(m.Path("/proc/sys/net/netfilter/nf_conntrack_max"))
	addresses, addressErr := m.Addresses()
	routes, routeErr := m.Routes()
	f.NodeIPs, f.MTUs = nodeIPs(addresses, routes), mtus(addresses)
	return f, errors.Join(r.err, addressErr, routeErr)
}

// factReader reads small kernel files, and keeps the first error that isn't a
// missing file.
type factReader struct {
	Machine
	err error
}

func (r *factReader) lines(path string) []string {
	data, err := os.ReadFile(r.Path(path))
	if err != nil && !errors.Is(err, os.ErrNotExist) && r.err == nil {
		r.err = err
	}
	data = bytes.TrimRight(data, "\n")
	if len(data) == 0 {
		return nil
	}
	return strings.Split(string(data), "\n")
}

func (r *factReader) line(path string) string {
	if lines := r.lines(path); len(lines) > 0 {
		return strings.TrimSpace(lines[0])
	}
	return ""
}

// value is what follows "name:" in a file of such lines.
func (r *factReader) value(path, name string) string {
	for _, line := range r.lines(path) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

func (r *factReader) cpus() int {
	n := 0
	for _, line := range r.lines("/proc/cpuinfo") {
		if strings.HasPrefix(line, "processor") {
			n++
		}
	}
	return n
}

func (r *factReader) memory() uint64 {
	kib, _, _ := strings.Cut(r.value("/proc/meminfo", "MemTotal"), " ")
	return 1024 * r.number(kib, 10)
}

func (r *factReader) sysResource() bool {
	set := r.number(r.value("/proc/self/status", "CapEff"), 16)
	return set&(1<<unix.CAP_SYS_RESOURCE) != 0
}

func (r *factReader) number(text string, base int) uint64 {
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, base, 64)
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("kernel facts: %w", err)
	}
	return n
}

// cgroupVersion is 2 only if the whole hierarchy is: with the hybrid layout the
// kubelet uses version 1.
func (r *factReader) cgroupVersion() int {
	var fs unix.Statfs_t
	if err := unix.Statfs(r.Path("/sys/fs/cgroup"), &fs); err != nil {
		return 0
	}
	if fs.Type == unix.CGROUP2_SUPER_MAGIC {
		return 2
	}
	return 1
}

// isNewer tells whether a kernel's release is this version or a later one.
func isNewer(release string, major, minor int) bool {
	var gotMajor, gotMinor int
	_, err := fmt.Sscanf(release, "%d.%d", &gotMajor, &gotMinor)
	return err == nil && (gotMajor > major || gotMajor == major && gotMinor >= minor)
}

// nftTimeout bounds a kernel that does not answer.
const nftTimeout = 10 * time.Second

// nftables is true where the kernel does not say no. Below another root it can't be asked.
func (r *factReader) nftables() bool {
	if !r.Real() {
		return true
	}
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }() // nothing was changed by it
	if err := conn.SetDeadline(time.Now().Add(nftTimeout)); err != nil {
		return false
	}
	_, err = conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_GETGEN, Flags: netlink.Request},
		Data:   []byte{unix.NFPROTO_UNSPEC, 0, 0, 0}, // struct nfgenmsg
	})
	return err == nil || errors.Is(err, unix.EPERM)
}

// readOnly tells whether even root can't write a file: by its mode, as that of a
// setting that belongs to another network namespace, or by its mount.
func readOnly(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	return info.Mode()&0o200 == 0 || errors.Is(unix.Access(path, unix.W_OK), unix.EROFS)
}

// OlderKernel tells whether a kernel's release is older than this version; one that
// can't be read is not.
func OlderKernel(release string, major, minor int) bool {
	return isNewer(release, 0, 0) && !isNewer(release, major, minor)
}
