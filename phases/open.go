package phases

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/machine"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
)

// NewEnv is what can be known of the machine below root before its Host is opened and its
// config decided.
func NewEnv(root string, to func(plan.Event)) (Env, error) {
	o := observe.Observer{Catalogue: diagnose.ReadCatalogue(), Tell: plan.Teller{To: to}}
	e := Env{Observer: o, Began: time.Now()}
	var err error
	e.Facts, err = machine.At(root).Facts()
	return e, err
}

// OpenMachine is NewEnv with the Host, to change the machine or only to look at it.
func OpenMachine(root string, looks bool, to func(plan.Event)) (Env, error) {
	e, err := NewEnv(root, to)
	if err == nil {
		e.Host, err = OpenHost(root, looks)
	}
	return e, err
}

// OpenHost opens the machine, to change it or only to look at it, or says in a user's words
// that it takes root.
func OpenHost(root string, looks bool) (*host.Host, error) {
	open := host.Open
	if looks {
		open = host.OpenPlan
	}
	var units host.Units = host.Offline{}
	if root == "/" {
		units = host.Systemd{}
	}
	h, err := open(root, units)
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		return nil, ErrNotRoot
	}
	return h, err
}

// Close closes the Host and the Bundle, as far as they are open.
func (e *Env) Close() {
	if e.Host != nil {
		e.Host.Close()
	}
	if e.Bundle != nil {
		e.Bundle.Close()
	}
}
