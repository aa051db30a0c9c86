package observe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strconv"
	"time"

	"bootstrap/phases/cluster"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/machine"
	"bootstrap/phases/plan"
	"bootstrap/phases/runtime"
	"bootstrap/phases/spec"
)

// Patience is how long an answer is waited for on an idle machine. Where processes wait for a CPU,
// who takes longer need not hang, and gets up to four times as long.
type Patience time.Duration

const (
	// EvidenceTimeout bounds each part of the evidence, so that it can still write down that
	// somebody does not answer.
	EvidenceTimeout = Patience(1500 * time.Millisecond)
	// answerTimeout bounds questions to the API server. It is shorter still: one that waits for
	// etcd takes connections and says nothing, and each look would last until the timeout.
	answerTimeout = Patience(time.Second)
)

// Now is how long to wait on this machine, by how many processes wait for a CPU now.
func (p Patience) Now() time.Duration {
	return time.Duration(float64(p) * min(machine.Crowding(), 4))
}

// Bound is a context that ends after p, and always some time before ctx does.
func (p Patience) Bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, min(p.Now(), left(ctx)))
}

// Rushed tells whether ctx ends so soon that a daemon which is only slow would look like one
// that does not answer.
func (p Patience) Rushed(ctx context.Context) bool { return left(ctx) < p.Now() }

// left is how long to wait for an answer at most, so that there is time to use it before ctx ends.
func left(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return math.MaxInt64
	}
	return time.Until(end) * 5 / 6
}

// daemons are the units whose state and journal are evidence.
var daemons = []string{"containerd.service", spec.KubeletService}

// Stage is how far this run of init is. What a later phase of it will write is no evidence yet.
type Stage int

// The stages of init, as far as evidence differs. Whoever does not run init means Complete.
const (
	Begun     Stage = iota // nothing need be as the config asks for
	Certified              // certificates and kubeconfigs are as it asks for
	Serving                // and the manifests of etcd and kube-apiserver; no others need run
	Written                // and all files
	Complete               // and the addons
)

// Query says what evidence is wanted for.
type Query struct {
	Stage Stage
	Since time.Time // log lines from before belong to another run
	Waits time.Time // when the wait began that this is for, zero if there is none: what was so before may be mended
	Looks *Looks    // all those of that wait; nil if there is none
}

func (q Query) gather(ctx context.Context, found *diagnose.Evidence, parts ...[]part) {
	looks := cmp.Or(q.Looks, &Looks{})
	looks.gather(ctx, &found.Machine, slices.Concat(parts...))
}

// Evidence looks at all that diagnose judges. It needs no API server, and ends in time even where
// a disk hangs.
func (o *Observer) Evidence(ctx context.Context, q Query) *diagnose.Evidence {
	found := newEvidence(q, o.settings(q.Stage))
	found.Addons = q.Stage == Complete
	q.gather(ctx, found, o.quickParts(o.usedDisks), o.daemonParts(found, o.pods), o.evidenceParts(found, q.Stage))
	return found
}

// DaemonEvidence looks at the machine and its daemons alone, whoever set them up, and at pods that
// the caller looks for in the runtime.
func (o *Observer) DaemonEvidence(ctx context.Context, q Query, s diagnose.Settings, pods LookAtPods) *diagnose.Evidence {
	found := newEvidence(q, s) // what only bootstrap writes to may be read-only by now
	q.gather(ctx, found, o.quickParts(func() []diagnose.Disk { return daemonDisks(0) }), o.daemonParts(found, pods))
	return found
}

// LookAtPods gives pods as the runtime has them, or why it does not answer.
type LookAtPods func(context.Context) ([]runtime.Sandbox, error)

// daemonDisks are where the daemons write. images is the space that those to come need.
func daemonDisks(images uint64) []diagnose.Disk {
	return []diagnose.Disk{
		{Path: spec.ContainerdDir, Use: "images", Needs: images},
		{Path: spec.KubeletDir, Use: "the kubelet", Daemon: "kubelet"},
		{Path: spec.PodLogDir, Use: "logs of pods"},
	}
}

// newEvidence is what is known before anything was looked at.
func newEvidence(q Query, s diagnose.Settings) *diagnose.Evidence {
	return &diagnose.Evidence{
		Machine: diagnose.Machine{Settings: s, Now: time.Now(), Crowding: machine.Crowding()},
		Since:   q.Since, Waits: q.Waits, RuntimeError: "it, or a disk, does not answer",
	}
}

// daemonParts look at the kubelet, the runtime and its pods, and at who may be in their way.
func (o *Observer) daemonParts(found *diagnose.Evidence, pods LookAtPods) []part {
	h := o.Host
	return []part{
		into(&found.Units, "units", func(ctx context.Context) map[string]machine.UnitState {
			states, _ := unitStates(ctx, h, daemons) // one that can't be asked for is no evidence
			return states
		}),
		into(&found.Stopped, "stopped processes", func(context.Context) map[int]string { return h.Stopped() }),
		into(&found.Listening, "listening sockets", func(context.Context) []string { return listening(h) }),
		into(&found.Journal, "journal", func(ctx context.Context) map[string][]machine.LogLine { return journalEvidence(ctx, h, found.Since) }),
		{"pods", func(ctx context.Context) (fill, error) {
			seen, err := pods(ctx)
			for _, p := range seen {
				readLogs(p)
			}
			return func(*diagnose.Machine) {
				if found.Pods, found.RuntimeError = seen, ""; err != nil {
					found.RuntimeError = err.Error()
				}
			}, nil
		}},
	}
}

// evidenceParts look at what is there once a kubelet of ours runs, or should run.
func (o *Observer) evidenceParts(found *diagnose.Evidence, stage Stage) []part {
	parts := []part{
		into(&found.Manifests, "manifests", func(context.Context) []diagnose.Manifest { return manifestEvidence(o.Host, stage) }),
	}
	if stage >= Written {
		parts = append(parts, into(&found.Files, "files", o.Host.Drift))
	}
	if o.Config.Box.Standalone {
		return parts
	}
	if stage == Complete {
		parts = append(parts, part{"firewall's tables", o.lookAtTables})
	}
	return append(parts,
		part{"etcd's data", func(context.Context) (fill, error) {
			gone, mount := o.lostEtcdData()
			return func(m *diagnose.Machine) { m.Unfit.EtcdGone, m.Unfit.EtcdMount = gone, mount }, nil
		}},
		into(&found.StaticPods, "static pods", func(context.Context) map[string]string {
			uids, _ := o.ManifestUIDs() // none while one can't be read: manifestEvidence names that
			return uids
		}),
		into(&found.API, "API server", o.apiServerEvidence),
		into(&found.Etcd, "etcd", o.etcdEvidence),
		into(&found.Certificates, "certificates", func(context.Context) []diagnose.Certificate { return o.CertificateEvidence(stage) }),
	)
}

// settings are what evidence is judged by.
func (o *Observer) settings(stage Stage) diagnose.Settings {
	c := o.Config
	components := spec.NodeComponents(c)
	if stage == Serving { // the others may still be of a config that this run is about to replace
		components = spec.APIComponents(c)
	}
	s := diagnose.Settings{
		NodeName: c.NodeName, AdvertiseAddress: c.AdvertiseAddress, Endpoint: c.ControlPlaneEndpoint,
		ServiceSubnets: c.Networking.ServiceSubnets, PodSubnets: c.Networking.PodSubnets,
		CertificatesDir: c.CertificatesDir, StaticPodDir: spec.StaticPodDir, RuntimeEndpoint: o.Choices.Runtime.Endpoint,
		Components: components, OwnNetwork: o.Choices.Network.Own(), AddressSettled: o.State().AddressSettled(),
	}
	switch {
	case c.Box.Standalone:
		s.Standalone, s.Endpoint, s.ServiceSubnets = true, "", nil
		for _, m := range o.foreignManifests() {
			s.StaticPods = append(s.StaticPods, o.PodName(m.Name))
		}
	case c.Etcd.External == nil:
		s.EtcdDataDir = c.Etcd.DataDir
	default:
		s.ExternalEtcd = c.Etcd.External.Endpoints
	}
	return s
}

func listening(h *host.Host) []string {
	var ports []string
	for _, port := range h.Listening() {
		ports = append(ports, strconv.Itoa(int(port)))
	}
	return ports
}

// unitStates asks for all side by side: systemd looks for the files of each. Of one that can't be
// asked for, nothing is known.
func unitStates(ctx context.Context, h *host.Host, units []string) (map[string]machine.UnitState, error) {
	found := make([]machine.UnitState, len(units))
	err := plan.Each(len(units), len(units), func(i int) (err error) {
		found[i], err = h.UnitState(ctx, units[i])
		return err
	})
	states := map[string]machine.UnitState{}
	for i, unit := range units {
		states[unit] = found[i]
	}
	return states, err
}

func journalEvidence(ctx context.Context, h *host.Host, since time.Time) map[string][]machine.LogLine {
	lines, _ := h.Journal(ctx, since, daemons...) // of a machine without a journal the other evidence has to do
	journal := map[string][]machine.LogLine{}
	for _, l := range lines {
		journal[l.Unit] = append(journal[l.Unit], l)
	}
	return journal
}

// pods are those that init waits for.
func (o *Observer) pods(ctx context.Context) ([]runtime.Sandbox, error) {
	c, err := o.DialRuntime()
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if c == nil {
		return nil, fmt.Errorf("it does not run (no %s)", runtime.SocketPath(o.Choices.Runtime.Endpoint))
	}
	namespace := "kube-system"
	if o.Config.Box.Standalone {
		namespace = "" // all pods: they are what is waited for
	}
	if err := c.Ready(ctx); err != nil {
		return nil, err
	}
	return c.Sandboxes(ctx, namespace)
}

// readLogs reads the last lines that each container of a pod of kube-system has logged. Other pods
// are the user's, whose logs are nobody else's to read.
func readLogs(p runtime.Sandbox) {
	if p.Namespace != "kube-system" {
		return
	}
	for i := range p.Containers {
		p.Containers[i].Log = p.Containers[i].LastLines()
	}
}

// apiServerEvidence asks the API server of this node as super-admin, whose rights need
// nothing in the cluster.
func (o *Observer) apiServerEvidence(ctx context.Context) diagnose.Server {
	ctx, cancel := answerTimeout.Bound(ctx)
	defer cancel()
	address := net.JoinHostPort(o.Config.AdvertiseAddress.String(), strconv.Itoa(o.Config.BindPort))
	return serverEvidence(ctx, address, func() error {
		c, err := o.ConnectForHealth()
		if err != nil {
			return err
		}
		return c.Healthy(ctx, "/livez", "/readyz")
	})
}

// etcdEvidence asks the member of this node at its metrics port, which needs no certificate.
func (o *Observer) etcdEvidence(ctx context.Context) diagnose.Server {
	if o.Config.Etcd.External != nil {
		return diagnose.Server{}
	}
	address := o.Config.EtcdMetrics().String()
	return serverEvidence(ctx, address, func() error {
		return cluster.PlainHealth(ctx, "http://"+address+"/readyz?verbose")
	})
}

// serverEvidence tries to connect to a server, and asks for its health only if it takes connections.
func serverEvidence(ctx context.Context, address string, health func() error) diagnose.Server {
	s, asked := diagnose.Server{Address: address}, time.Now()
	if s.Dial = dial(ctx, s.Address); s.Dial != diagnose.Open {
		return s
	}
	var unhealthy *cluster.UnhealthyError
	switch err := health(); {
	case errors.As(err, &unhealthy):
		s.Status, s.Failed = unhealthy.Status, unhealthy.Failed
	case err != nil:
		s.Error = err.Error()
		if errors.Is(err, context.DeadlineExceeded) {
			s.Unanswered = time.Since(asked)
		}
	default:
		s.Status = 200
	}
	return s
}

// dial tries to connect. Who refuses is told from who is out of reach, and from who drops packets.
func dial(ctx context.Context, address string) diagnose.Dial {
	err := machine.Dial(ctx, address)
	switch {
	case err == nil:
		return diagnose.Open
	case machine.IsRefused(err):
		return diagnose.Refused
	case machine.IsUnreachable(err):
		return diagnose.NoRoute
	}
	return diagnose.TimedOut
}
