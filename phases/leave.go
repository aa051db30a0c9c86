package phases

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"bootstrap/phases/cluster"
	"bootstrap/phases/config"
	"bootstrap/phases/health"
	"bootstrap/phases/host"
)

var leaveCluster = Phase{
	Name:  "leave-cluster",
	Short: "delete the Node object and etcd's member, where others of the cluster live on and answer",
	Run: func(ctx context.Context, env *Env) error {
		ctx, cancel := context.WithTimeout(ctx, leavePatience)
		defer cancel()
		return errors.Join(env.deleteNode(ctx), env.leaveEtcd(ctx))
	},
}

// leavePatience bounds all that is asked of a cluster that may be half dead. A member
// that has only just joined counts as unhealthy for 5 s, and none can leave until then.
const leavePatience = 15 * time.Second

// elsewhereError is about what stays in the cluster: a look at this machine does not
// find it.
type elsewhereError struct{ error }

// Unwrap gives the error alone.
func (e *elsewhereError) Unwrap() error { return e.error }

func elsewhere(what string, err error) error {
	if err == nil {
		return nil
	}
	return &elsewhereError{about(what, err)}
}

func (e *Env) deleteNode(ctx context.Context) error {
	c, node := e.clusterToLeave()
	if c == nil {
		return nil
	}
	soon, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if _, err := c.Node(soon, node); err != nil {
		return nil // nobody answers, or it is gone
	}
	err := e.Host.Do(host.OpObject, host.Remove, "Node "+node, func() error { return c.DeleteNode(ctx, node) })
	return elsewhere("Node "+node, err)
}

// clusterToLeave is nil if this machine never was in one that could be asked.
func (e *Env) clusterToLeave() (*cluster.Cluster, string) {
	if !e.Host.Real() {
		return nil, "" // the machine that the directory stands for is not here to leave
	}
	before, err := e.settledBefore()
	node := before["nodeRegistration.name"]
	if err != nil || node == "" {
		return nil, ""
	}
	data, err := e.Host.ReadFile(adminConf)
	if err != nil {
		return nil, ""
	}
	c, err := cluster.Connect(data, "")
	if err != nil {
		return nil, ""
	}
	return c, node
}

// leaveEtcd removes this node's member while others are there to agree. The last
// member takes its data along; data that is kept needs its member.
func (e *Env) leaveEtcd(ctx context.Context) error {
	client, ok := e.etcdClient()
	if !ok || e.Keep.Etcd {
		return nil
	}
	if client.program == "" {
		return e.memberStays(ctx, client.name)
	}
	members, err := client.members(ctx)
	if err != nil || len(members) < 2 {
		return nil // nobody answers, or this is the last one
	}
	i := slices.IndexFunc(members, func(m etcdMember) bool { return m.Name == client.name })
	if i < 0 {
		return nil
	}
	err = e.Host.Do(host.OpMember, host.Remove, client.name, func() error { return client.remove(ctx, members[i]) })
	return elsewhere("etcd's member "+client.name, err)
}

// etcdClient asks this node's etcd by etcdctl.
type etcdClient struct {
	host    *host.Host
	program string // empty where the machine has none
	name    string // this node's member
	args    []string
}

type etcdMember struct {
	ID   uint64 `json:"ID"`
	Name string `json:"name"`
}

func (e *Env) etcdClient() (etcdClient, bool) {
	before, err := e.settledBefore()
	dir := before["certificatesDir"]
	if err != nil || dir == "" || !e.Host.Real() || !e.exists(manifestFile("etcd")) {
		return etcdClient{}, false
	}
	loopback := netip.MustParseAddr("127.0.0.1")
	if a, err := netip.ParseAddr(before["localAPIEndpoint.advertiseAddress"]); err == nil && a.Is6() {
		loopback = netip.IPv6Loopback()
	}
	return etcdClient{host: e.Host, program: e.programAt("etcdctl"), name: before["nodeRegistration.name"], args: []string{
		"--endpoints", etcdURL(loopback, 2379), "--cacert", dir + "/etcd/ca.crt",
		"--cert", dir + "/etcd/healthcheck-client.crt", "--key", dir + "/etcd/healthcheck-client.key",
		"--dial-timeout", "1s", "--command-timeout", "5s",
	}}, true
}

func (c etcdClient) members(ctx context.Context) ([]etcdMember, error) {
	out, err := c.host.Output(ctx, c.program, append(c.args, "member", "list", "--write-out", "json")...)
	if err != nil {
		return nil, err
	}
	var answer struct{ Members []etcdMember }
	err = json.Unmarshal([]byte(out), &answer)
	return answer.Members, err
}

// activePeer is of a member that is there: of one that was, the count stays, at 0.
var activePeer = regexp.MustCompile(`(?m)^etcd_network_active_peers\{.*\} [1-9]`)

// memberStays says that the member is left, where nobody can remove it and etcd tells of others.
func (e *Env) memberStays(ctx context.Context, name string) error {
	c, err := e.RememberedConfig()
	if err != nil {
		return err
	}
	if c == nil {
		c = &config.Config{} // of a cluster that was adopted
	}
	text, err := etcdMetricsText(ctx, c)
	if err != nil || !activePeer.MatchString(text) {
		return nil // nobody answers, or this is the last one
	}
	return elsewhere("etcd's member "+name, withHint(errors.New("this machine has no etcdctl to remove it"),
		"on another node, as long as most members live: etcdctl member list; etcdctl member remove ID"))
}

// remove tries again while the others are not yet healthy enough to lose a member.
func (c etcdClient) remove(ctx context.Context, m etcdMember) error {
	id := strconv.FormatUint(m.ID, 16)
	for {
		_, err := c.host.Output(ctx, c.program, append(c.args, "member", "remove", id)...)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || !strings.Contains(err.Error(), "unhealthy cluster") {
			return withHint(err, "on another node, as long as most members live: etcdctl member remove %s", id)
		}
		health.Sleep(ctx, 500*time.Millisecond)
	}
}
