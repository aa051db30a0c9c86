package observe

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/bundle"
	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

// Inspection is what preflight has found.
type Inspection struct {
	Checks   int // how many things were looked for
	Findings []diagnose.Finding
	Unread   []string // what could not be looked at, each with its reason
}

// Inspect looks at this machine before init changes it. It writes to the disk of etcd's data, to
// measure that, only if measures says so. more looks at what only phases know of.
func (o *Observer) Inspect(ctx context.Context, measures bool, more func(context.Context, *diagnose.Unfit) error) Inspection {
	m := &diagnose.Machine{Settings: o.settings(Begun), Now: time.Now()}
	looks := &Looks{}
	looks.gather(ctx, m, o.quickParts(o.usedDisks))
	if o.Host.Real() && measures { // before the rest: beside work that takes all CPUs, any disk seems slow
		looks.gather(ctx, m, []part{{"disk latency", o.measureDisk}})
	}
	var takenErr, unfitErr error
	plan.SideBySide(
		func() { looks.gather(ctx, m, o.slowParts(m)) },
		func() { m.Unfit.Bundle = o.damageOfBundle(ctx) },
		func() { unfitErr = o.lookAtConfig(&m.Unfit) },
		func() { m.Taken, takenErr = o.taken(ctx) },
	)
	moreErr := more(ctx, &m.Unfit)
	if text := addressChoice(m); text != "" {
		o.Tell.Say("%s", text)
	}
	found := append(unmade(unfitErr, moreErr, takenErr), o.asConfigIgnores(o.Unignored(o.Catalogue.Preflight(m)))...)
	return Inspection{Checks: len(o.Catalogue.Checks()), Findings: found, Unread: m.Unread}
}

// unmade are findings about checks that could not be made, and without which init does not go on.
// They have no ID.
func unmade(errs ...error) []diagnose.Finding {
	var all []diagnose.Finding
	for _, err := range errs {
		if err != nil {
			remedy := cmp.Or(plan.HintOf(err), "mend what this names, and run it again")
			all = append(all, diagnose.Finding{Level: diagnose.Error, What: err.Error(), Remedy: remedy})
		}
	}
	return all
}

// Unignored leaves out findings that the user wants passed over.
func (o *Observer) Unignored(found []diagnose.Finding) []diagnose.Finding {
	return slices.DeleteFunc(found, func(f diagnose.Finding) bool { return slices.Contains(o.Ignore, f.ID) })
}

// asConfigIgnores leaves out what nodeRegistration.ignorePreflightErrors names; all makes warnings of what init
// may go on with, as with kubeadm.
func (o *Observer) asConfigIgnores(found []diagnose.Finding) []diagnose.Finding {
	names := func(name string) bool {
		return slices.ContainsFunc(o.Config.IgnorePreflight, func(given string) bool { return strings.EqualFold(given, name) })
	}
	enforced := func(f diagnose.Finding) bool {
		entry, _ := o.Catalogue.Find(f.ID)
		return entry.Enforced
	}
	for i, f := range found {
		if names("all") && !enforced(f) {
			found[i].Level = diagnose.Warning
		}
	}
	return slices.DeleteFunc(found, func(f diagnose.Finding) bool { return names(f.ID) && !enforced(f) })
}

// lookAtConfig finds what can't be done of the config on this machine.
func (o *Observer) lookAtConfig(u *diagnose.Unfit) error {
	u.Ignored = NotIgnorable(o.Catalogue, o.Config.IgnorePreflight)
	u.Runtime, u.Kubelet = ProblemOf(o.Choices.Runtime.None), ProblemOf(o.Choices.Kubelet.None)
	return o.lookAtCluster(u)
}

// lookAtCluster finds what of the config does not fit the cluster that is here.
func (o *Observer) lookAtCluster(u *diagnose.Unfit) (err error) {
	u.Settings, err = o.State().UnlikeBefore()
	if !o.Config.Box.Standalone {
		u.EtcdGone, u.EtcdMount = o.lostEtcdData()
	}
	return err
}

// CheckCluster refuses a config that does not fit the cluster that is here. Preflight does so too,
// but may be left out.
func (o *Observer) CheckCluster() []error {
	var u diagnose.Unfit
	err := o.lookAtCluster(&u)
	refused := Refusals(o.Catalogue, u)
	if err != nil {
		refused = append(refused, err)
	}
	return refused
}

// Refusals are errors about what init can't do.
func Refusals(all diagnose.Catalogue, u diagnose.Unfit) []error {
	return Stops(all.Preflight(&diagnose.Machine{Unfit: u}))
}

// Stops are errors with those of the findings that stop init.
func Stops(found []diagnose.Finding) []error {
	var errs []error
	for _, f := range found {
		if f.Level == diagnose.Error {
			errs = append(errs, &plan.CauseError{Finding: f})
		}
	}
	return errs
}

// ProblemOf is an error as diagnose takes it.
func ProblemOf(err error) diagnose.Problem {
	if err == nil {
		return diagnose.Problem{}
	}
	return diagnose.Problem{What: err.Error(), Mend: plan.HintOf(err)}
}

// NotIgnorable are those of the names that are checks which init can't do without. Names that only kubeadm
// has for its checks, or nobody, mean nothing here.
func NotIgnorable(all diagnose.Catalogue, names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		entry, _ := all.Find(strings.ToLower(name))
		return entry.Check == nil || !entry.Enforced
	})
}

// damageOfBundle says why nothing can be taken out of the bundle, empty if something can.
func (o *Observer) damageOfBundle(ctx context.Context) string {
	if o.Bundle == nil {
		return ""
	}
	index := o.Bundle.Index()
	o.Tell.Say("bundle: Kubernetes %s in %s", index.Kubernetes, o.Bundle.Path())
	if err := index.Check(o.Facts.Arch); err != nil {
		return err.Error()
	}
	o.Tell.Waiting("verifying %s", o.Bundle.Path())
	if err := o.Bundle.Intact(ctx, toInstall(index.Entries, o.Host.Entries())); err != nil && ctx.Err() == nil {
		return fmt.Sprintf("bundle %s: %v", o.Bundle.Path(), err)
	}
	for _, reference := range o.Config.RequiredImages() {
		if _, ok := o.Bundle.Entry(bundle.Image, reference); !ok {
			o.Tell.Warn("%s is not in the bundle: it is pulled, unless the runtime has it", reference)
		}
	}
	return ""
}

// toInstall is what init would take out of the bundle: all that is not installed yet by the ledger.
func toInstall(entries []bundle.Entry, ledger []host.Record) []bundle.Entry {
	type installed struct{ target, sha256 string }
	here := map[installed]bool{}
	for _, r := range ledger {
		here[installed{r.Target, r.After.SHA256}] = r.Done && !r.Undone
	}
	return slices.DeleteFunc(slices.Clone(entries), func(entry bundle.Entry) bool {
		switch entry.Kind {
		case bundle.Binary:
			return here[installed{spec.BinDir + "/" + entry.Name, entry.SHA256}]
		case bundle.CNI:
			return here[installed{spec.CNIPluginDir + "/" + entry.Name, entry.SHA256}]
		}
		return here[installed{target: entry.Name}]
	})
}
