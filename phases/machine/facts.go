package machine

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/vishvananda/netlink/nl"
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
	ResolvedConf bool // systemd-resolved's list of real servers is there, and this machine asks systemd-resolved

	// NodeIPs is at most one IPv4 and one IPv6 address: of the link with the default
	// route, or, on a machine without, of the first link that is up. IPv4 first.
	NodeIPs []netip.Addr
	MTUs    map[netip.Addr]int // of the links, by their addresses
}

// ResolvedConfPath lists the servers systemd-resolved asks, without its own stub,
// which no pod can reach.
const ResolvedConfPath = "/run/systemd/resolve/resolv.conf"

// Facts reads the facts of the machine. That its addresses or routes can't be read is an
// error.
func (m Machine) Facts() (Facts, error) {
	f := Facts{
		Arch:           runtime.GOARCH,
		Kernel:         m.value("/proc/sys/kernel/osrelease"),
		Hostname:       m.value("/proc/sys/kernel/hostname"),
		CPUs:           strings.Count("\n"+m.read("/proc/cpuinfo"), "\nprocessor"),
		Memory:         1024 * number(m.field("/proc/meminfo", "MemTotal:"), 10),
		CgroupVersion:  m.cgroupVersion(),
		SysResource:    number(m.field("/proc/self/status", "CapEff:"), 16)&(1<<unix.CAP_SYS_RESOURCE) != 0,
		Swap:           len(m.table("/proc/swaps", 1)) > 1, // the first line is a heading
		Systemd:        m.Exists("/run/systemd/system"),
		ResolvConf:     m.Exists("/etc/resolv.conf"),
		ResolvedConf:   m.Exists(ResolvedConfPath) && m.asksResolved(),
		FixedConntrack: m.fixedConntrack(),
	}
	f.NFTables = isNewer(f.Kernel, 5, 13) && m.nftables()
	addresses, err := m.Addresses()
	routes, routesErr := m.Routes()
	f.NodeIPs, f.MTUs = nodeIPs(addresses, routes), mtus(addresses)
	return f, errors.Join(err, routesErr)
}

// asksResolved tells whether /etc/resolv.conf leads to systemd-resolved, or to nobody whom a pod could ask. When
// systemd-resolved is turned off, its files stay until the next boot, and a kubelet that is told one that is gone
// starts no pod.
func (m Machine) asksResolved() bool {
	const file = "/etc/resolv.conf"
	if to, err := os.Readlink(m.Path(file)); err == nil && strings.Contains(to, "run/systemd/resolve/") {
		return true
	}
	servers, _ := m.NameServers(file) // none where it is not there
	return !slices.ContainsFunc(servers, PodReaches)
}

// field is the word that follows name in a line of the file.
func (m Machine) field(file, name string) string {
	for _, row := range m.table(file, 2) {
		if row[0] == name {
			return row[1]
		}
	}
	return ""
}

// number is zero for what is none: the kernel writes no such thing.
func number(text string, base int) uint64 {
	n, _ := strconv.ParseUint(text, base, 64)
	return n
}

// cgroupVersion is 2 only if the whole hierarchy is: with the hybrid layout the
// kubelet uses version 1.
func (m Machine) cgroupVersion() int {
	var fs unix.Statfs_t
	if err := unix.Statfs(m.Path("/sys/fs/cgroup"), &fs); err != nil {
		return 0
	}
	if fs.Type == unix.CGROUP2_SUPER_MAGIC {
		return 2
	}
	return 1
}

// isNewer tells whether a release is this version or a later one.
func isNewer(release string, major, minor int) bool {
	var gotMajor, gotMinor int
	_, err := fmt.Sscanf(release, "%d.%d", &gotMajor, &gotMinor)
	return err == nil && (gotMajor > major || gotMajor == major && gotMinor >= minor)
}

// nftables is true where the kernel does not say no. Below another root it can't be asked.
func (m Machine) nftables() bool {
	if !m.Real() {
		return true
	}
	ask := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_GETGEN, 0)
	ask.AddData(&nl.Nfgenmsg{NfgenFamily: unix.NFPROTO_UNSPEC})
	_, err := ask.Execute(unix.NETLINK_NETFILTER, 0)
	return err == nil || errors.Is(err, unix.EPERM)
}

// fixedConntrack asks the setting itself. It is not there before its module is loaded: then the network
// namespace is asked, as only the kernel's first one has netdev_max_backlog, and limits that can be set.
func (m Machine) fixedConntrack() bool {
	const limit, ofAny = "/proc/sys/net/netfilter/nf_conntrack_max", "/proc/sys/net/core/somaxconn"
	if m.Exists(limit) {
		return readOnly(m.Path(limit))
	}
	return m.Exists(ofAny) && !m.Exists("/proc/sys/net/core/netdev_max_backlog")
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

// Older tells whether a release, as of the kernel, is older than this version; one that
// can't be read is not.
func Older(release string, major, minor int) bool {
	return isNewer(release, 0, 0) && !isNewer(release, major, minor)
}
