package phases

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/config"
	"bootstrap/phases/etcd"
	"bootstrap/phases/host"
	"bootstrap/phases/machine"
	"bootstrap/phases/observe"
	"bootstrap/phases/plan"
	"bootstrap/phases/runtime"
	"bootstrap/phases/snapshot"
	"bootstrap/phases/spec"
	"bootstrap/phases/state"
)

// Restore is the plan by which an archive becomes this machine's cluster. The database is restored beside the one that
// is there, and tried, before anything is stopped; all after the switch is what init does.
func Restore() Plan {
	return slices.Concat(Plan{{restoreStage}, {restoreStop}, {restoreSwitch}}, Init(), Plan{{restoreCheck}})
}

// restoreUndo gives up a restore that has not come to the switch.
func restoreUndo() Plan { return slices.Concat(Plan{{restoreDrop}}, Init()) }

// The names in etcd's folder. All of them lie in the tree that the ledger has, and go with it.
const (
	memberDir = "member"
	stageDir  = "restore.new" // a data directory, in which the database is restored and tried
	asideDir  = "before-"     // a data directory with what was there before; the time follows
)

// Restoring is a restore that is under way. A note in the ledger keeps it, so that a later run goes on with it.
type Restoring struct {
	Archive string `json:"archive"` // its hash
	From    string `json:"from"`    // its address, for people
	Began   string `json:"began"`
	Step    step   `json:"step"`
	Highest int64  `json:"highest"`          // no revision above it was ever served
	Before  string `json:"before,omitempty"` // the archive of what was there, saved before it was stopped; empty without
	Undo    bool   `json:"undo,omitempty"`   // it restores the archive that another restore has saved before it

	meta snapshot.Meta
	dir  *os.Root // a scratch folder with what was unpacked
}

const restoreNote = "restore"

// bump is added to the revision: more than any client has ever seen of this cluster.
const bump = 1_000_000_000

// step is what a restore has come to.
type step int

const (
	stepUndone step = iota - 1
	stepBegun
	stepStaged
	stepSwitched
	stepDone
)

func (r *Restoring) aside() string { return asideDir + r.Began }

// keepRestoring notes what the restore has come to.
func (e *Env) keepRestoring(to step) error {
	e.Restoring.Step = to
	data, err := json.Marshal(e.Restoring)
	if err != nil {
		return err
	}
	return e.Host.Remember(restoreNote, string(data))
}

// restoreBefore is the last restore of this machine; nil without.
func restoreBefore(h *host.Host) (*Restoring, error) {
	note, _ := h.Recall(restoreNote)
	if note == "" {
		return nil, nil
	}
	r := &Restoring{}
	if err := json.Unmarshal([]byte(note), r); err != nil {
		return nil, fmt.Errorf("ledger: note %s: %w", restoreNote, err)
	}
	return r, nil
}

// RestoreFrom is what is asked of a restore.
type RestoreFrom struct {
	Snapshots *Snapshots
	Name      string
	Machine   config.Machine
	Undo      bool
}

// OpenRestore opens the Env of a restore for as long as do runs its plan. The config is the one that this machine was
// made with; on a bare machine it is the archive's.
func OpenRestore(ctx context.Context, e Env, from RestoreFrom, do func(*Env, Plan) error) error {
	return e.Host.Scratch(ctx, func(dir *os.Root) error {
		before, err := restoreBefore(e.Host)
		if err == nil {
			e.Config, e.Patches, err = e.State().Remembered(from.Machine)
		}
		e.Restoring = &Restoring{Began: e.Began.UTC().Format("20060102T150405Z"), dir: dir}
		env, todo := &e, restoreUndo()
		switch {
		case err != nil:
		case from.Undo:
			env, todo, err = e.loadBefore(ctx, from, before)
		default:
			env, todo, err = e.loadArchive(ctx, from, before)
		}
		if err != nil {
			return plan.Refused(err)
		}
		return do(env, todo)
	})
}

// loadArchive unpacks the archive, and refuses it before anything is changed if it does not fit here.
func (e Env) loadArchive(ctx context.Context, from RestoreFrom, before *Restoring) (*Env, Plan, error) {
	r, bare, todo := e.Restoring, e.Config == nil, Restore()
	if bare && e.Bundle == nil {
		return nil, nil, plan.Hint(errors.New("a bare machine is restored by an executable with a bundle inside"), "use bootstrap-box, or give --bundle FILE")
	}
	entry, err := e.unpack(ctx, from.Snapshots, from.Name, r.dir)
	r.Archive, r.From, r.meta = entry.SHA256, from.Snapshots.At+"/"+from.Name, entry.Meta
	if err == nil && bare {
		todo = slices.Concat(Plan{{preflight}, {runtimePhase}, {images}}, todo) // an etcd is started before init has done it
		err = e.takeConfig(from.Machine)
	}
	if err != nil {
		return nil, nil, err
	}
	env := OpenInit(ctx, e)
	if err = env.fitsHere(r.meta, bare); err == nil {
		err = env.checkRevision(ctx, r.dir, r.meta)
	}
	if err == nil {
		env.Restoring, err = r.goOn(before)
	}
	if err == nil {
		env.tellLoss(ctx)
	}
	return env, todo, err
}

// goOn takes up the restore that a run before has begun. One that has staged nothing is begun anew.
func (r *Restoring) goOn(before *Restoring) (*Restoring, error) {
	switch {
	case before == nil:
		return r, nil
	case before.Step < stepStaged || before.Step == stepDone:
		r.Highest = before.Highest
		return r, nil
	case before.Archive != r.Archive:
		return nil, plan.Hint(fmt.Errorf("a restore of %s is under way, which is another archive", before.From), "go on with it, or give it up: bootstrap etcd restore --undo")
	}
	before.meta, before.dir = r.meta, r.dir
	return before, nil
}

// loadBefore gives up a restore that is under way, or, once the database was switched, restores the archive of what was
// there before. One that has ended is not undone: it might be another than the user has in mind.
func (e Env) loadBefore(ctx context.Context, from RestoreFrom, before *Restoring) (_ *Env, _ Plan, err error) {
	switch {
	case before == nil || before.Step == stepUndone:
		return nil, nil, errors.New("no restore is under way on this machine")
	case before.Step == stepDone:
		return nil, nil, plan.Hint(errors.New("the last restore has ended"), "to go back to what was there before it: bootstrap etcd restore %s", cmp.Or(before.Before, "FILE"))
	case e.Config == nil:
		return nil, nil, plan.Hint(errors.New("there was no cluster on this machine before the restore"), "bootstrap reset")
	}
	aside := e.Config.Etcd.DataDir + "/" + before.aside()
	switch moved := before.Step == stepSwitched || e.Host.Exists(aside); {
	case before.Undo: // it was killed, and goes on
		from.Name = path.Base(before.From)
	case !moved:
		env := OpenInit(ctx, e)
		env.Restoring = before
		return env, restoreUndo(), nil
	case before.Before == "":
		return nil, nil, plan.Hint(fmt.Errorf("no archive was saved before the restore, as no etcd answered; the data of before, if there were any, lie in %s", aside), "bootstrap etcd restore FILE")
	default:
		from.Name, before.Step = before.Before, stepDone // so that the other archive is taken
	}
	e.Restoring.Undo = true
	if from.Snapshots, err = e.OpenSnapshots(spec.SnapshotDir); err != nil {
		return nil, nil, err
	}
	return e.loadArchive(ctx, from, before)
}

// takeConfig takes the config that an archive was made with, with this machine's address.
func (e *Env) takeConfig(m config.Machine) (err error) {
	if !e.Restoring.meta.PKI {
		return plan.Hint(errors.New("the archive was made without the cluster's keys, and this machine has none"), "use one that has them")
	}
	const folder = content + "/" + snapshot.Documents
	documents, err := e.Restoring.dir.ReadFile(folder + "/documents.yaml")
	if err != nil {
		return err
	}
	patches, _ := e.Restoring.dir.ReadFile(folder + "/patches.json") // most have none
	here, err := e.Host.Addresses()
	if err == nil {
		e.Config, e.Patches, err = state.ParseDocuments(documents, patches, m)
	}
	if err != nil || !m.Address.IsValid() || slices.ContainsFunc(here, func(a machine.LinkAddress) bool { return a.Address == e.Config.AdvertiseAddress }) {
		return err
	}
	moved := newAddress(documents, e.Config.AdvertiseAddress.String(), m.Address.String())
	e.Config, e.Patches, err = state.ParseDocuments(moved, patches, m)
	return err
}

// newAddress puts this machine's address where the documents have that of the one which is gone.
func newAddress(documents []byte, old, now string) []byte {
	around := "[^0-9.]"
	if strings.Contains(old, ":") {
		around = "[^0-9a-f:]"
	}
	whole := regexp.MustCompile("(^|" + around + ")" + regexp.QuoteMeta(old) + "($|" + around + ")")
	for range 2 { // two may share what is between them
		documents = whole.ReplaceAll(documents, []byte("${1}"+now+"${2}"))
	}
	return documents
}

// fitsHere refuses an archive that would not be this machine's cluster, or that no program here can read.
func (e *Env) fitsHere(m snapshot.Meta, bare bool) error {
	i := slices.IndexFunc(m.Members, func(o snapshot.Member) bool { return o.Name == m.Member })
	switch {
	case i >= 0 && m.Members[i].Learner:
		return errors.New("the archive was taken from a learner, which may lack much of what the cluster had")
	case e.Config.Etcd.External != nil:
		return errors.New("etcd is elsewhere: whoever runs it restores it")
	case config.Argument(e.Config.Etcd.ExtraArgs, "wal-dir") != "":
		return plan.Hint(errors.New("etcd's log lies elsewhere than its data (wal-dir), which a restore does not do yet"), "etcdutl snapshot restore --wal-dir")
	case isOfNewer(m.Etcd, e.Config.Images.Etcd):
		return fmt.Errorf("the archive is of etcd %s, and %s here is older: use the bootstrap that goes with it", m.Etcd, e.Config.Images.Etcd)
	case bare && m.Kubernetes != e.Config.KubernetesVersion:
		return fmt.Errorf("the archive is of Kubernetes %s, and the bundle has %s: use the box that made it", m.Kubernetes, e.Config.KubernetesVersion)
	}
	for _, r := range e.Host.Entries() { // what is written beside the disk that is not mounted would be hidden by it later
		if mount := observe.MountOfRecord(r); state.IsEtcdData(r) && mount != "" && !e.Host.IsMountPoint(mount) {
			return plan.Hint(fmt.Errorf("etcd's folder %s lay on the disk that was mounted at %s, and none is", r.Target, mount), "mount it there, or another in its place")
		}
	}
	here, err := e.clusterHash()
	if bare || errors.Is(err, fs.ErrNotExist) && m.PKI {
		return nil // it was lost too
	}
	if err == nil && here != m.Cluster {
		err = plan.Hint(fmt.Errorf("the archive is of another cluster (CA %.12s) than the one on this machine (CA %.12s)", m.Cluster, here),
			"to have that one here in place of this: bootstrap reset, then bootstrap etcd restore")
	}
	return err
}

// isOfNewer compares minors: etcd reads data of the one before, and none of a newer one.
func isOfNewer(version, image string) bool {
	var major, minor int
	_, tag, _ := strings.Cut(image[strings.LastIndexByte(image, '/')+1:], ":")
	n, _ := fmt.Sscanf(version, "%d.%d", &major, &minor)
	return n == 2 && machine.Older(tag, major, minor)
}

// tellLoss compares what runs with the archive, and keeps what no revision may be below of.
func (e *Env) tellLoss(ctx context.Context) {
	r, old := e.Restoring, time.Since(e.Restoring.meta.Time).Round(time.Second)
	e.Tell.Say("the archive is of revision %d, %s old, of Kubernetes %s on %s", r.meta.Revision, old, r.meta.Kubernetes, r.meta.Node)
	client, err := e.EtcdClient()
	if err != nil || client == nil {
		return
	}
	defer client.Close()
	status, err := client.Status(ctx)
	if err != nil {
		e.Tell.Warn("etcd does not answer here: what was written since the archive was made is not known, and lost")
		return
	}
	r.Highest = max(r.Highest, status.Revision)
	e.Tell.Say("lost: all of the last %s, up to %d writes", old, max(0, status.Revision-r.meta.Revision)%bump) // a restore in between has bumped it
	counts, _ := client.CountKeys(ctx, status.Revision)                                                        // without a quorum nobody tells
	for _, line := range etcd.Unlike(counts, r.meta.Keys) {
		e.Tell.Say("  %s as now", line)
	}
}

var restoreStage = Phase{
	Name:  "restore-stage",
	Short: "restore the database beside the one that is there, start an etcd on it, and clean it of who was there before",
	Run: func(ctx context.Context, env *Env) error {
		if env.Restoring.Step >= stepStaged {
			return nil
		}
		if err := errors.Join(env.keepRestoring(stepBegun), env.ownEtcdFolder()); err != nil {
			return err
		}
		err := env.Host.InTree(env.Config.Etcd.DataDir, host.Create, stageDir, func(folder *os.Root) error { return env.stage(ctx, folder) })
		if err != nil {
			return err
		}
		return env.keepRestoring(stepStaged)
	},
}

func (e *Env) stage(ctx context.Context, folder *os.Root) error {
	r, stage := e.Restoring, e.Config.Etcd.DataDir+"/"+stageDir
	err := folder.RemoveAll(stageDir)
	if err == nil {
		err = e.roomToRestore(r.dir)
	}
	if err == nil {
		err = e.restoreDatabase(ctx, r.dir, e.Host.Path(stage), bump+max(0, r.Highest-r.meta.Revision))
	}
	if err == nil {
		err = e.tryEtcd(ctx, r.dir, e.Host.Path(stage), e.clean)
	}
	if err != nil {
		return err
	}
	return e.Host.GiveTree(stage, e.Config.Etcd.DataDir)
}

// roomToRestore: once etcd is switched to a database that has no room, there is no cluster.
func (e *Env) roomToRestore(dir *os.Root) error {
	const logs = 3 * 64 << 20 // etcd's log, the part of it that follows, and some room to work with
	database, err := dir.Stat(content + "/" + snapshot.Database)
	if err != nil {
		return err
	}
	if err = e.checkRoom(e.Config.Etcd.DataDir, database.Size()+logs); err != nil {
		err = plan.Hint(err, "free as much there: what lies in before-* is of former restores")
	}
	return err
}

// clean removes from a restored database who was there when it was saved, and keeps how far its revisions reach.
func (e *Env) clean(ctx context.Context, client *etcd.Client) error {
	status, err := client.Status(ctx) // at this revision all keys are there, also those whose leases end meanwhile
	if err == nil {
		err = compareKeys(ctx, client, status.Revision, e.Restoring.meta.Keys)
	}
	if err == nil {
		err = client.DeleteStale(ctx)
	}
	if err != nil {
		return err
	}
	status, err = client.Status(ctx)
	e.Restoring.Highest = max(e.Restoring.Highest, status.Revision)
	return err
}

var restoreStop = Phase{
	Name:  "restore-stop",
	Short: "save what is there, and stop the kubelet and the control plane's pods",
	Run: func(ctx context.Context, env *Env) error {
		if _, ran := env.State().UsedRuntime(); !ran || env.Restoring.Step >= stepSwitched {
			return nil // ran: else it is a bare machine
		}
		err := env.Host.Do(host.OpTree, host.Update, spec.SnapshotDir, func() error { return env.saveBefore(ctx) })
		if err == nil {
			err = env.Host.StopUnit(ctx, spec.KubeletService)
		}
		if err != nil {
			return err
		}
		return env.inRuntime(ctx, observe.Begun, func(ctx context.Context, cri *runtime.CRI) error {
			pods, err := cri.Pods(ctx, func(name, _ string) bool {
				return slices.ContainsFunc(spec.NodeComponents(env.Config), func(component string) bool { return name == env.PodName(component) })
			})
			if err != nil {
				return err
			}
			return removeSandboxes(ctx, env.Host, cri, pods)
		})
	},
}

// saveBefore saves what is there, for an undo. A cluster that can't be saved is restored all the same; one that a boot
// has started since a run before saved it is saved again.
func (e *Env) saveBefore(ctx context.Context) error {
	s, err := e.OpenSnapshots(spec.SnapshotDir)
	if err != nil {
		return err
	}
	entry, err := e.SaveSnapshot(ctx, s, Save{})
	if err != nil && e.Restoring.Before == "" {
		e.Tell.Warn("there will be no --undo once it is switched, as what is there can't be saved: %v", err)
	}
	if err != nil {
		return ctx.Err()
	}
	e.Restoring.Before = entry.Name
	return e.keepRestoring(e.Restoring.Step)
}

var restoreSwitch = Phase{
	Name:  "restore-switch",
	Short: "put the restored database in the place of the one that was there, which is kept beside it; and keys that are missing",
	Run: func(_ context.Context, env *Env) error {
		r := env.Restoring
		if r.Step >= stepSwitched {
			return nil
		}
		err := env.Host.InTree(env.Config.Etcd.DataDir, host.Update, memberDir, func(folder *os.Root) error { return switchTo(folder, r.aside()) })
		if err == nil {
			err = env.writeRestoredKeys()
		}
		if err == nil {
			err = env.dropStage()
		}
		if err != nil {
			return err
		}
		return env.keepRestoring(stepSwitched)
	},
}

func (e *Env) dropStage() error {
	return e.Host.InTree(e.Config.Etcd.DataDir, host.Remove, stageDir, func(folder *os.Root) error { return folder.RemoveAll(stageDir) })
}

// switchTo puts the staged database in its place. A run before may have made a part of that.
func switchTo(folder *os.Root, aside string) error {
	const staged = stageDir + "/" + memberDir
	has := func(name string) bool { _, err := folder.Lstat(name); return err == nil }
	switch {
	case !has(staged) && has(memberDir):
		return nil
	case !has(staged):
		return plan.Hint(errors.New("there is no database to be switched to"), "bootstrap etcd restore --undo")
	case has(aside + "/" + memberDir): // what else is there is of an etcd that a boot has started in between
		if err := folder.RemoveAll(memberDir); err != nil {
			return err
		}
	case has(memberDir):
		if err := errors.Join(folder.MkdirAll(aside, 0o700), folder.Rename(memberDir, aside+"/"+memberDir)); err != nil {
			return err
		}
	}
	return folder.Rename(staged, memberDir)
}

// writeRestoredKeys writes the keys that the archive has and this machine has not; those of Secrets' encryption must be
// the archive's, as its Secrets are encrypted with them.
func (e *Env) writeRestoredKeys() error {
	from, certificates := e.Restoring.dir, e.forPurpose(host.Certificates)
	for _, name := range pkiFiles(e.Config) {
		data, err := from.ReadFile(content + "/" + snapshot.PKI + "/" + name)
		if errors.Is(err, fs.ErrNotExist) || e.Host.Exists(e.Config.CertificatesDir+"/"+name) {
			continue
		}
		if err == nil {
			err = certificates.writePKI(strings.TrimSuffix(name, path.Ext(name)), path.Ext(name), data)
		}
		if err != nil {
			return err
		}
	}
	data, err := from.ReadFile(content + "/" + snapshot.Encryption)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	here, hereErr := e.encryptionFile() // the archive's place counts on a bare machine alone
	if err = errors.Join(err, hereErr); err == nil {
		_, err = e.Host.WriteOpaque(cmp.Or(here, e.Restoring.meta.Encryption), data, 0o600)
	}
	return err
}

var restoreCheck = Phase{
	Name:  "restore-check",
	Short: "see that no revision comes again that was seen before, and say what is to be done on other nodes",
	Run:   runRestoreCheck,
}

func runRestoreCheck(ctx context.Context, env *Env) error {
	client, err := env.EtcdClient()
	if err != nil || client == nil || env.Host.Plans() {
		return err
	}
	defer client.Close()
	status, err := client.Status(ctx)
	if err != nil {
		return err
	}
	if status.Revision < env.Restoring.Highest {
		return plan.Hint(fmt.Errorf("etcd is at revision %d, and %d was reached by the trial: this is not the database that was restored", status.Revision, env.Restoring.Highest),
			"bootstrap etcd restore --undo")
	}
	if aside := env.Config.Etcd.DataDir + "/" + env.Restoring.aside(); env.Host.Exists(aside) {
		env.Tell.Say("the data of before lie in %s, and can go once all is well", aside)
	}
	return errors.Join(env.tellOthers(ctx), env.keepRestoring(stepDone))
}

// tellOthers names the nodes whose kubelets still believe in pods that are no more.
func (e *Env) tellOthers(ctx context.Context) error {
	c, err := e.ConnectForHealth()
	if err != nil {
		return err
	}
	nodes, err := c.NodeNames(ctx)
	others := slices.DeleteFunc(nodes, func(name string) bool { return name == e.Config.NodeName })
	if len(others) > 0 {
		e.Tell.Warn("on each of these nodes run: systemctl restart kubelet; a control plane among them joins again, after bootstrap reset: %s", strings.Join(others, ", "))
	}
	return err
}

var restoreDrop = Phase{
	Name:  "restore-drop",
	Short: "remove the restored database that did not come into use",
	Run: func(_ context.Context, env *Env) error {
		if err := env.dropStage(); err != nil {
			return err
		}
		return env.keepRestoring(stepUndone)
	},
}
