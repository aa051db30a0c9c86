package phases

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

// lookAhead finds in preflight what would stop later phases in the midst of their work: it runs those
// that write files on a Host that only plans, so that no list of paths has to be kept beside them.
func (e *Env) lookAhead(ctx context.Context, u *diagnose.Unfit) error {
	h, err := e.Host.Planning()
	if err != nil {
		return err
	}
	defer h.Close()
	planned, c := *e, *e.Config
	c.KeyAlgorithm = "ECDSA-P256" // keys that nobody will use, made in no time
	planned.Config, planned.Host, planned.Tell = &c, h, plan.Teller{}
	for _, phase := range e.writers() {
		soon, cancel := observe.EvidenceTimeout.Bound(ctx) // a runtime or systemd may hang, and is looked at elsewhere
		err := phase.Run(soon, planned.forPhase(phase.Name))
		takeAhead(u, phase.Name, proven(soon, e.Host, err))
		cancel()
		if err != nil && (phase.Name == certs.Name || phase.Name == kubeconfigs.Name) {
			break // the next needs what it makes
		}
	}
	return nil
}

// writers are the phases of this run that write files and wait for nothing. An etcd that is there
// would be asked whether it may be replaced.
func (e *Env) writers() []Phase {
	all := []Phase{runtimePhase, kubelet, etcdPhase, tools, certs, kubeconfigs, writeKubeconfig}
	if e.Config.Box.Standalone {
		all = all[:2]
	}
	without := slices.Concat(e.Config.SkipPhases, e.Skipped)
	for phase, program := range map[string]string{runtimePhase.Name: "containerd", kubelet.Name: "kubelet", tools.Name: "kubectl"} {
		if e.Host.Made(spec.BinDir + "/" + program) {
			without = append(without, phase) // it went well once, and to compare its programs takes a second
		}
	}
	if e.Host.Made(spec.ManifestFile("etcd")) {
		without = append(without, etcdPhase.Name)
	}
	return slices.DeleteFunc(all, func(p Phase) bool { return slices.Contains(without, p.Name) })
}

// proven are the failures of a phase that say something new. Where it was cut off, only obstacles do; a unit that
// is masked has a check of its own.
func proven(ctx context.Context, h *host.Host, err error) []error {
	return slices.DeleteFunc(plan.Failures(err), func(each error) bool {
		obstacle, is := errors.AsType[*host.ObstacleError](each)
		return is && isMaskedUnit(h, obstacle.Path) || !is && ctx.Err() != nil
	})
}

// takeAhead takes over what a phase would end with: obstacles, which are named once however many files
// would be written there, and whatever keeps certificates from being made. All else has a check of its own.
func takeAhead(u *diagnose.Unfit, phase string, failures []error) {
	for _, each := range failures {
		obstacle := (*host.ObstacleError)(nil)
		switch {
		case phase == writeKubeconfig.Name:
			u.Kubeconfigs = append(u.Kubeconfigs, observe.ProblemOf(each))
		case errors.As(each, &obstacle):
			if found := observe.ProblemOf(obstacle); !slices.Contains(u.Paths, found) {
				u.Paths = append(u.Paths, found)
			}
		case errors.Is(each, fs.ErrPermission): // who is not root may not read keys
		case phase == certs.Name, phase == kubeconfigs.Name:
			u.Certs = append(u.Certs, observe.ProblemOf(each))
		}
	}
}

func isMaskedUnit(h *host.Host, file string) bool {
	target, _ := os.Readlink(h.Path(file))
	return path.Ext(file) == ".service" && target == os.DevNull
}
