package observe

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
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
// measure that, only if measures says so. more is what phases have found by themselves.
func (o *Observer) Inspect(ctx context.Context, measures bool, more ...error) Inspection {
	m := &diagnose.Machine{Settings: o.settings(Begun), Now: time.Now()}
	looks := &Looks{}
	looks.gather(ctx, m, o.quickParts(o.usedDisks))
	if o.Host.Real() && measures { // before the rest: beside work that takes all CPUs, any disk seems slow
		looks.gather(ctx, m, []part{{"disk latency", o.measureDisk}})
	}
	var errs, bundleErrs []error
	var takenErr error
	plan.SideBySide(
		func() { looks.gather(ctx, m, o.slowParts(m)) },
		func() { bundleErrs = o.checkBundle(ctx) },
		func() { errs = o.checkConfig() },
		func() { m.Taken, takenErr = o.taken(ctx) },
	)
	errs = slices.Concat(bundleErrs, errs, more)
	if takenErr != nil {
		errs = append(errs, takenErr)
	}
	if text := addressChoice(m); text != "" {
		o.Tell.Say("%s", text)
	}
	found := o.Unignored(append(o.Catalogue.Preflight(m), Findings(errs)...))
	return Inspection{Checks: len(o.Catalogue.Checks()), Findings: o.Catalogue.InOrder(found), Unread: m.Unread}
}

// Unignored leaves out findings that the user wants passed over.
func (o *Observer) Unignored(found []diagnose.Finding) []diagnose.Finding {
	return slices.DeleteFunc(found, func(f diagnose.Finding) bool { return slices.Contains(o.Ignore, f.ID) })
}

// checkConfig finds what can't be done of the config on this machine.
func (o *Observer) checkConfig() []error {
	errs := slices.Concat(CheckIgnored(o.Catalogue, o.Config.IgnorePreflight), o.CheckSettled())
	if err := o.Choices.Runtime.None; err != nil {
		errs = append(errs, Found(o.Catalogue, "no-runtime", err))
	}
	if err := o.Choices.Kubelet.None; err != nil {
		errs = append(errs, Found(o.Catalogue, "no-kubelet", err))
	}
	if !o.Config.Box.Standalone {
		errs = append(errs, o.CheckEtcdData()...)
	}
	return errs
}

// Findings are errors in the form in which preflight shows them. Those that Found has made keep
// their ID; others, of checks that could not be made, have none.
func Findings(errs []error) []diagnose.Finding {
	var all []diagnose.Finding
	for _, err := range errs {
		if cause := (*plan.CauseError)(nil); errors.As(err, &cause) {
			all = append(all, cause.Finding)
			continue
		}
		all = append(all, diagnose.Finding{Level: diagnose.Error, What: err.Error(), Remedy: plan.HintOf(err)})
	}
	return all
}

// Found is an error that carries a finding: the catalogue's entry id, with err as what is wrong. It
// stops init.
func Found(all diagnose.Catalogue, id string, err error) error {
	return &plan.CauseError{Finding: all.Found(id, diagnose.Finding{Level: diagnose.Error, What: err.Error(), Remedy: plan.HintOf(err)}), Err: err}
}

// enforced are kubeadm's names of checks that init can't do without. A config may ask to ignore
// any other: here these only warn.
var enforced = regexp.MustCompile(`(?i)^(all|cri|isprivilegeduser|kubeletversion|port-.*|fileavailable-.*|diravailable-.*)$`)

// CheckIgnored refuses a config that wants to ignore checks that init can't do without.
func CheckIgnored(all diagnose.Catalogue, names []string) []error {
	var findings []error
	for _, name := range names {
		if enforced.MatchString(name) {
			findings = append(findings, Found(all, "check-not-ignorable",
				fmt.Errorf("nodeRegistration.ignorePreflightErrors: %s can't be ignored: init does not work past it", name)))
		}
	}
	return findings
}

func (o *Observer) checkBundle(ctx context.Context) []error {
	if o.Bundle == nil {
		return nil
	}
	index := o.Bundle.Index()
	o.Tell.Say("bundle: Kubernetes %s in %s", index.Kubernetes, o.Bundle.Path())
	if err := index.Check(o.Facts.Arch); err != nil {
		return []error{Found(o.Catalogue, "bundle-damaged", err)}
	}
	o.Tell.Waiting("verifying %s", o.Bundle.Path())
	if err := o.Bundle.Intact(ctx, toInstall(index.Entries, o.Host.Entries())); err != nil && ctx.Err() == nil {
		return []error{Found(o.Catalogue, "bundle-damaged", fmt.Errorf("bundle %s: %w", o.Bundle.Path(), err))}
	}
	for _, reference := range o.Config.RequiredImages() {
		if _, ok := o.Bundle.Entry(bundle.Image, reference); !ok {
			o.Tell.Warn("%s is not in the bundle: it is pulled, unless the runtime has it", reference)
		}
	}
	return nil
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

// CheckSettled finds what the config wants to change and init can't.
func (o *Observer) CheckSettled() []error {
	differ, err := o.State().UnlikeBefore()
	var findings []error
	for _, what := range differ {
		findings = append(findings, Found(o.Catalogue, "setting-settled", errors.New(what)))
	}
	if err != nil {
		findings = append(findings, err)
	}
	return findings
}
