package phases

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"bootstrap/phases/cluster"
	"bootstrap/phases/host"
	"bootstrap/phases/machine"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

var leaveCluster = Phase{
	Name:  "leave-cluster",
	Short: "delete the Node object and etcd's member, where others of the cluster live on and answer",
	Run: func(ctx context.Context, env *Env) error {
		ctx, cancel := context.WithTimeout(ctx, leavePatience)
		defer cancel()
		return errors.Join(deleteNode(ctx, env), leaveEtcd(ctx, env))
	},
}

// leavePatience bounds all that is asked of a cluster that may be half dead. A member
// that has only just joined counts as unhealthy for 5 s, and none can leave until then.
const leavePatience = 15 * time.Second

// elsewhereError is about what stays in the cluster, where a look at this machine does not
// find it.
type elsewhereError struct{ error }

// Unwrap gives the error alone.
func (e *elsewhereError) Unwrap() error { return e.error }

func isElsewhere(err error) bool { return errors.As(err, new(*elsewhereError)) }

func elsewhere(what string, err error) error {
	if err == nil {
		return nil
	}
	return &elsewhereError{plan.About(what, err)}
}

// deleteNode does nothing if this machine never was in a cluster that could be asked. A
// directory that stands for a machine (--root) has no cluster to leave.
func deleteNode(ctx context.Context, env *Env) error {
	settings, err := env.State().SettledBefore()
	node := settings["nodeRegistration.name"]
	if err != nil || node == "" || !env.Host.Real() {
		return nil
	}
	admin, err := env.Host.ReadFile(spec.AdminConf)
	if err != nil {
		return nil
	}
	c, err := cluster.Connect(admin, "")
	if err != nil {
		return nil
	}
	soon, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	found, err := c.Node(soon, node)
	if err != nil {
		return nil // nobody answers, or it is gone
	}
	here, err := env.Host.Addresses()
	if err != nil {
		return elsewhere("Node "+node, err)
	}
	if others := othersAddresses(found, here); others != "" {
		env.Tell.Warn("Node %[1]s stays in its cluster: its addresses (%[2]s) are another machine's, of which this one may be a copy; "+
			"if it is of this one, which had them before: kubectl delete node %[1]s", node, others)
		return nil
	}
	err = env.Host.Do(host.OpObject, host.Remove, "Node "+node, func() error { return c.DeleteNode(ctx, node) })
	return elsewhere("Node "+node, err)
}

// othersAddresses are the addresses of a Node if none of them is of this machine. A copy of a machine has the
// kubeconfigs of the original, and would delete that one's Node; without it the pods there are ended.
func othersAddresses(node *corev1.Node, here []machine.LinkAddress) string {
	var others []string
	for _, a := range node.Status.Addresses {
		ip, err := netip.ParseAddr(a.Address)
		if err != nil {
			continue // a name
		}
		if slices.ContainsFunc(here, func(l machine.LinkAddress) bool { return l.Address == ip }) {
			return ""
		}
		others = append(others, a.Address)
	}
	return strings.Join(others, ", ")
}

// leaveEtcd removes this node's member while others are there to agree. The last
// member takes its data along; data that is kept needs its member.
func leaveEtcd(ctx context.Context, env *Env) error {
	if env.Keep.Etcd {
		return nil
	}
	client, err := env.EtcdClient()
	if err != nil || client == nil {
		return nil // without certificates etcd can't be asked
	}
	defer client.Close()
	members, err := client.Members(ctx)
	if err != nil || len(members) < 2 {
		return nil // nobody answers, or this is the last one
	}
	own := client.Own(members)
	if own == nil {
		return nil
	}
	err = env.Host.Do(host.OpMember, host.Remove, own.Name, func() error {
		if err := client.Remove(ctx, own.ID); err != nil {
			return plan.Hint(err, "on another node, as long as most members live: etcdctl member remove %x", own.ID)
		}
		return nil
	})
	return elsewhere("etcd's member "+own.Name, err)
}
