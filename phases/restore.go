package phases

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"bootstrap/phases/config"
	"bootstrap/phases/etcd"
	"bootstrap/phases/host"
	"bootstrap/phases/machine"
	"bootstrap/phases/observe"
	"bootstrap/phases/patch"
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
	stageDir  = "restore.new"  // what the database becomes, and is tried in
	staged    = "/data/member" // in stageDir
	asideDir  = "member.before-"
	undoneDir = "restore.old" // the data of before, from which an undo restores
)

// Restoring is a restore that is under way. A note in the ledger keeps it, so that a later run goes on with it.
type Restoring struct {
	Archive  string `json:"archive"` // its hash; of an undo: of what is undone, with undo: before it
	From     string `json:"from"`    // its address, for people
	Began    string `json:"began"`
	Step     string `json:"step"`     // the phase that was begun last
	Highest  int64  `json:"highest"`  // no revision above it was ever served
	Previous bool   `json:"previous"` // data of before lie aside

	meta snapshot.Meta
	dir  string // of the machine, with what was unpacked; of an undo: none
}

// bump is added to the revision: more than any client has ever seen of this cluster.
const bump = 1_000_000_000

const restoreNote = "restore"

// The steps of the journal: the phases that a run which goes on does not do twice, and how it ended.
const (
	stepStage  = "restore-stage"
	stepStop   = "restore-stop"
	stepSwitch = "restore-switch"
	stepCheck  = "restore-check"
	stepDone   = "done"
	stepUndone = "undone"
)

func (r *Restoring) aside() string { return asideDir + r.Began }

func (r *Restoring) undoes() bool { return strings.HasPrefix(r.Archive, "undo:") }

// after tells whether a phase of this restore has ended, in a run before.
func (r *Restoring) after(step string) bool {
	order := []string{"", stepStage, stepStop, stepSwitch, stepCheck, stepDone}
	return slices.Index(order, r.Step) > slices.Index(order, step)
}

// keepRestoring notes the phase that begins now.
func (e *Env) keepRestoring(step string) error {
	if e.Restoring.after(step) {
		return nil
	}
	e.Restoring.Step = step
	data, err := json.Marshal(e.Restoring)
	if err != nil {
		return err
	}
	return e.Host.Remember(restoreNote, string(data))
}

// RestoreUnderway is the last restore of this machine; nil without. It is under way unless its step is done.
func RestoreUnderway(h *host.Host) (*Restoring, error) {
	note, ok := h.Recall(restoreNote)
	if !ok || note == "" {
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
	Snapshots  *Snapshots
	Name       string
	Identities []byte
	Machine    config.Machine
	Undo       bool
}

// OpenRestore opens the Env of a restore for as long as do runs its plan. The config is the one that this machine was
// made with; on a bare machine it is the archive's.
func OpenRestore(ctx context.Context, e Env, from RestoreFrom, do func(*Env, Plan) error) error {
	var err error
	if e.Config, e.Patches, err = e.State().Remembered(from.Machine); err != nil {
		return plan.Refused(err)
	}
	before, err := RestoreUnderway(e.Host)
	if err != nil {
		return plan.Refused(err)
	}
	if from.Undo {
		return openUndo(ctx, e, before, do)
	}
	beside := e
	if beside.Host, err = e.Host.Beside(); err != nil {
		return err
	}
	defer beside.Host.Close()
	from.Snapshots.host = beside.Host
	return beside.Host.Scratch("bootstrap-restore", func(dir string) error {
		bare := e.Config == nil
		if bare {
			if e.Config, e.Patches, err = configOf(ctx, from, e.Bundle != nil); err != nil {
				return plan.Refused(err)
			}
		}
		beside.Config = e.Config
		r := &Restoring{From: from.Snapshots.file(from.Name), Began: e.Began.UTC().Format("20060102T150405Z"), dir: dir}
		opened := Open(beside)
		if r.meta, _, r.Archive, err = opened.unpack(ctx, from.Snapshots, from.Name, from.Identities, dir); err == nil {
			err = opened.fitsHere(r.meta, bare)
		}
		if errors.Is(err, snapshot.ErrSealed) {
			err = plan.Hint(err, "--identity FILE, with the key by which it can be read")
		}
		if err == nil {
			r, err = goOnWith(r, before)
		}
		if err != nil {
			return plan.Refused(err)
		}
		env := OpenInit(ctx, e)
		env.Restoring = r
		env.tellLoss(ctx)
		if bare && before == nil { // a machine that is not fit is refused before anything is changed
			return do(env, slices.Concat(Plan{{preflight}}, Restore()))
		}
		return do(env, Restore())
	})
}

// goOnWith takes up the restore that a run before has begun.
func goOnWith(r, before *Restoring) (*Restoring, error) {
	switch {
	case before == nil:
		return r, nil
	case before.Step == stepDone || before.Step == stepUndone:
		r.Highest = before.Highest
		return r, nil
	case before.Archive != r.Archive:
		return nil, plan.Hint(fmt.Errorf("a restore of %s is under way, which is another archive", before.From),
			"go on with it: bootstrap etcd restore %s; or give it up: bootstrap etcd restore --undo", before.From)
	}
	before.meta, before.dir = r.meta, r.dir
	return before, nil
}

// openUndo gives up a restore, or, once the database was switched, restores what was there before.
func openUndo(ctx context.Context, e Env, before *Restoring, do func(*Env, Plan) error) error {
	switch {
	case before == nil || before.Step == stepUndone || before.Step == stepDone && before.undoes():
		return plan.Refused(errors.New("there is no restore to undo on this machine"))
	case e.Config == nil || before.after(stepStop) && !before.Previous:
		return plan.Refused(plan.Hint(errors.New("there was no cluster on this machine before the restore"), "bootstrap reset"))
	}
	env := OpenInit(ctx, e)
	env.Restoring = before
	if !before.undoes() && !before.after(stepStop) {
		return do(env, restoreUndo())
	}
	if !before.undoes() {
		env.Restoring = &Restoring{
			Archive: "undo:" + before.Began, From: before.aside(), Began: e.Began.UTC().Format("20060102T150405Z"), Highest: before.Highest,
		}
	}
	return do(env, Restore())
}

// configOf reads the config that an archive was made with, for a machine that has none, with this one's address.
func configOf(ctx context.Context, from RestoreFrom, hasBundle bool) (*config.Config, patch.Set, error) {
	if !hasBundle {
		return nil, patch.Set{}, plan.Hint(errors.New("a bare machine is restored by an executable with a bundle inside"), "use bootstrap-box, or give --bundle FILE")
	}
	r, err := from.Snapshots.open(ctx, from.Name)
	if err != nil {
		return nil, patch.Set{}, err
	}
	defer r.Close()
	plain, err := snapshot.Unseal(r, from.Identities)
	if err != nil {
		return nil, patch.Set{}, err
	}
	files := map[string][]byte{}
	m, err := snapshot.Read(plain, func(snapshot.Meta) error { return nil }, func(f snapshot.File, content io.Reader) error {
		if f.Name == snapshot.Database {
			return nil
		}
		data, err := io.ReadAll(content)
		files[strings.TrimPrefix(f.Name, snapshot.Documents)] = data
		return err
	})
	if err != nil {
		return nil, patch.Set{}, err
	}
	if !m.HasPKI() {
		return nil, patch.Set{}, plan.Hint(errors.New("the archive was made without the cluster's keys, and this machine has none"),
			"use one that has them")
	}
	c, patches, err := state.ParseDocuments(files["documents.yaml"], files["patches.json"], from.Machine)
	if err != nil || !from.Machine.Address.IsValid() {
		return c, patches, err
	}
	here, err := from.Snapshots.host.Addresses()
	if err != nil || slices.ContainsFunc(here, func(a machine.LinkAddress) bool { return a.Address == c.AdvertiseAddress }) {
		return c, patches, err
	}
	moved := newAddress(files["documents.yaml"], c.AdvertiseAddress.String(), from.Machine.Address.String())
	return state.ParseDocuments(moved, files["patches.json"], from.Machine)
}

// newAddress puts this machine's address where the documents have that of the one which is gone.
func newAddress(documents []byte, old, now string) []byte {
	letters := "0123456789."
	if strings.Contains(old, ":") {
		letters = "0123456789abcdef:"
	}
	isPart := func(i int) bool { return i >= 0 && i < len(documents) && strings.IndexByte(letters, documents[i]) >= 0 }
	var out []byte
	for i := 0; i < len(documents); {
		if bytes.HasPrefix(documents[i:], []byte(old)) && !isPart(i-1) && !isPart(i+len(old)) {
			out, i = append(out, now...), i+len(old)
			continue
		}
		out, i = append(out, documents[i]), i+1
	}
	return out
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
	if bare {
		return nil
	}
	here, err := e.clusterHash()
	if errors.Is(err, os.ErrNotExist) && m.HasPKI() {
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
		e.Tell.Warn("no etcd answers here: what was written since the archive was made is not known, and lost")
		return
	}
	defer client.Close()
	status, err := client.Status(ctx)
	if err != nil {
		e.Tell.Warn("etcd does not answer: what was written since the archive was made is not known, and lost")
		return
	}
	r.Highest = max(r.Highest, status.Revision)
	counts, err := client.CountKeys(ctx, 0)
	if err != nil {
		return // without a quorum nobody tells
	}
	e.Tell.Say("lost: all of the last %s, up to %d writes", old, max(0, status.Revision-r.meta.Revision))
	for _, line := range etcd.Unlike(counts, r.meta.Keys) {
		e.Tell.Say("  %s as now", line)
	}
}

var restoreStage = Phase{
	Name:  stepStage,
	Short: "restore the database beside the one that is there, start an etcd on it, and clean it of who was there before",
	Run:   runRestoreStage,
}

func runRestoreStage(ctx context.Context, env *Env) error {
	r, dir := env.Restoring, env.Config.Etcd.DataDir
	if r.after(stepStage) {
		return nil
	}
	if err := errors.Join(env.keepRestoring(stepStage), env.ownEtcdFolder()); err != nil {
		return err
	}
	if err := env.Host.RemoveInTree(dir, stageDir); err != nil {
		return err
	}
	return env.Host.Do(host.OpTree, host.Create, dir+"/"+stageDir, func() error {
		return env.withPrograms(ctx, func(bin string) error { return env.stage(ctx, bin) }, "etcdutl", "etcd")
	})
}

func (e *Env) ownEtcdFolder() error {
	h, dir := e.forPurpose(host.Etcd).Host, e.Config.Etcd.DataDir
	if !h.Exists(dir) { // else it may be of a user of etcd's own
		if err := h.MakeDir(dir, 0o700); err != nil {
			return err
		}
	}
	return h.OwnTree(dir)
}

func (e *Env) stage(ctx context.Context, bin string) error {
	r, folder := e.Restoring, e.Config.Etcd.DataDir
	if err := e.Host.DirUnrecorded(folder + "/" + stageDir); err != nil {
		return err
	}
	database, keys := e.Host.Path(r.dir+"/"+snapshot.Database), r.meta.Keys
	if r.undoes() {
		var err error
		if database, keys, err = e.oldDatabase(ctx, bin); err != nil {
			return err
		}
	}
	member := spec.OnlyMember(e.Config)[0]
	above := bump + max(0, r.Highest-r.meta.Revision)
	data := e.Host.Path(folder + "/" + stageDir + "/data")
	err := e.restoreDatabase(ctx, restored{
		database: database, dir: data, name: member.Name, peer: member.PeerURL, token: newToken(), bump: above, etcdutl: bin + "/etcdutl",
	})
	if err != nil {
		return err
	}
	err = e.tryEtcd(ctx, bin+"/etcd", data, member.Name, func(ctx context.Context, client *etcd.Client) error {
		return e.clean(ctx, client, keys)
	})
	if err == nil {
		err = e.Host.SettleTree(ctx, folder+"/"+stageDir, folder)
	}
	return err
}

// clean removes from a restored database who was there when it was saved, and keeps how far its revisions reach.
func (e *Env) clean(ctx context.Context, client *etcd.Client, want map[string]int64) error {
	counts, err := client.CountKeys(ctx, 0)
	if err != nil {
		return err
	}
	if unlike := etcd.Unlike(want, counts); len(unlike) > 0 {
		return fmt.Errorf("restored, it has not the keys that it is to have: %s", strings.Join(unlike, "; "))
	}
	keys, err := client.Keys(ctx, "/registry/")
	if err == nil {
		err = client.Delete(ctx, etcd.Stale(keys))
	}
	if err != nil {
		return err
	}
	status, err := client.Status(ctx)
	if err == nil && status.Revision <= e.Restoring.Highest {
		err = fmt.Errorf("restored, it has revision %d, and %d was served: a defect of bootstrap", status.Revision, e.Restoring.Highest)
	}
	e.Restoring.Highest = max(e.Restoring.Highest, status.Revision)
	return err
}

// oldDatabase reads the data of before the restore that is undone, as an etcd that is started on it gives them: some of
// it may be in its log alone.
func (e *Env) oldDatabase(ctx context.Context, bin string) (file string, keys map[string]int64, err error) {
	folder, from := e.Config.Etcd.DataDir, e.Restoring.From
	if err := e.Host.DirUnrecorded(folder + "/" + undoneDir); err != nil {
		return "", nil, err
	}
	if !e.Host.Exists(folder + "/" + undoneDir + "/" + memberDir) {
		if err := e.Host.RenameInTree(folder, from, undoneDir+"/"+memberDir); err != nil {
			return "", nil, err
		}
	}
	data := e.Host.Path(folder + "/" + undoneDir)
	file = folder + "/" + stageDir + "/" + snapshot.Database
	err = e.tryEtcd(ctx, bin+"/etcd", data, e.Config.NodeName, func(ctx context.Context, client *etcd.Client) error {
		if keys, err = client.CountKeys(ctx, 0); err != nil {
			return err
		}
		status, err := client.Status(ctx)
		if err != nil {
			return err
		}
		e.Restoring.meta.Revision = status.Revision
		_, err = e.Host.StreamUnrecorded(file, 0o600, func(w io.Writer) error { return client.Snapshot(ctx, w) })
		return err
	})
	return e.Host.Path(file), keys, err
}

var restoreStop = Phase{
	Name:  stepStop,
	Short: "stop the kubelet, and the control plane's pods",
	Run: func(ctx context.Context, env *Env) error {
		if env.Restoring.after(stepStop) {
			return nil
		}
		if err := env.keepRestoring(stepStop); err != nil {
			return err
		}
		return stopControlPlane(ctx, env)
	},
}

func stopControlPlane(ctx context.Context, env *Env) error {
	socket, ok := env.State().UsedRuntime()
	if !ok {
		return nil // a bare machine
	}
	if err := env.Host.StopUnit(ctx, spec.KubeletService); err != nil {
		return err
	}
	if !env.Host.Exists(socket) {
		return plan.Hint(fmt.Errorf("the container runtime does not run (no %s), and an etcd may nevertheless", socket), "systemctl start containerd; then run it again")
	}
	c, err := runtime.Dial("unix://" + socket)
	if err != nil {
		return err
	}
	defer c.Close()
	soon, cancel := context.WithTimeout(ctx, observe.RuntimePatience)
	defer cancel()
	pods, err := c.Pods(soon, func(name, _ string) bool {
		return slices.ContainsFunc(spec.NodeComponents(env.Config), func(component string) bool { return name == env.PodName(component) })
	})
	if err != nil {
		return fmt.Errorf("container runtime at %s: %w", socket, err)
	}
	return removeSandboxes(soon, env.Host, c, pods)
}

var restoreSwitch = Phase{
	Name:  stepSwitch,
	Short: "put the restored database in the place of the one that was there, which is kept beside it; and keys that are missing",
	Run:   runRestoreSwitch,
}

func runRestoreSwitch(_ context.Context, env *Env) error {
	r, dir := env.Restoring, env.Config.Etcd.DataDir
	if r.after(stepSwitch) {
		return nil
	}
	at := func(name string) bool { return env.Host.Exists(dir + "/" + name) }
	r.Previous = r.Previous || at(memberDir) && at(stageDir+staged) || at(r.aside())
	if err := errors.Join(env.keepRestoring(stepSwitch), env.writeRestoredKeys()); err != nil {
		return err
	}
	renames := switchOf(at(memberDir), at(stageDir+staged) || env.Host.Plans(), r.aside())
	for _, each := range renames {
		if err := env.Host.RenameInTree(dir, each[0], each[1]); err != nil {
			return err
		}
	}
	if !env.Host.Plans() && !at(memberDir) {
		return errors.New("there is no database to be switched to: run it again with --undo")
	}
	return errors.Join(env.Host.RemoveInTree(dir, stageDir), env.keepRestoring(stepCheck))
}

// switchOf are the renames that are still to be made: a run before may have made some.
func switchOf(hasMember, hasStaged bool, aside string) [][2]string {
	var renames [][2]string
	if hasMember && hasStaged {
		renames = append(renames, [2]string{memberDir, aside})
	}
	if hasStaged {
		renames = append(renames, [2]string{stageDir + staged, memberDir})
	}
	return renames
}

// writeRestoredKeys writes the keys that the archive has and this machine has not; those of Secrets' encryption must be
// the archive's, as its Secrets are encrypted with them.
func (e *Env) writeRestoredKeys() error {
	r, certificates := e.Restoring, e.forPurpose(host.Certificates)
	if r.undoes() {
		return e.putBackEncryption()
	}
	for _, f := range r.meta.Files {
		name, isKey := strings.CutPrefix(f.Name, snapshot.PKI)
		if file := e.Config.CertificatesDir + "/" + name; isKey && !e.Host.Exists(file) {
			data, err := e.unpacked(r.dir, f.Name)
			if err != nil {
				return err
			}
			suffix := name[strings.LastIndexByte(name, '.'):]
			if err := certificates.writePKI(strings.TrimSuffix(name, suffix), suffix, data); err != nil {
				return err
			}
		}
	}
	if !r.meta.Has(snapshot.Encryption) {
		return nil
	}
	data, err := e.unpacked(r.dir, snapshot.Encryption)
	if err != nil {
		return err
	}
	now, _ := e.Host.ReadFile(r.meta.Encryption) // none on a bare machine
	if len(now) == 0 || bytes.Equal(now, data) {
		_, err = e.Host.WriteOpaque(r.meta.Encryption, data, 0o600)
		return err
	}
	e.Tell.Warn("Secrets are encrypted by other keys in the archive: %s is the archive's now, and what it was lies in etcd's folder", r.meta.Encryption)
	_, err = e.Host.WriteUnrecorded(e.Config.Etcd.DataDir+"/"+r.aside()+encryptionAside, now, 0o600)
	if err == nil {
		_, err = e.Host.WriteOpaque(r.meta.Encryption, data, 0o600)
	}
	return err
}

// encryptionAside follows the name of the data of before.
const encryptionAside = ".encryption.yaml"

func (e *Env) putBackEncryption() error {
	data, err := e.Host.ReadFile(e.Config.Etcd.DataDir + "/" + e.Restoring.From + encryptionAside)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	file, fileErr := e.encryptionFile()
	if err := errors.Join(err, fileErr); err != nil || file == "" {
		return err
	}
	_, err = e.Host.WriteOpaque(file, data, 0o600)
	return err
}

var restoreCheck = Phase{
	Name:  stepCheck,
	Short: "see that no revision comes again that was seen before, and say what is to be done on other nodes",
	Run:   runRestoreCheck,
}

func runRestoreCheck(ctx context.Context, env *Env) error {
	r := env.Restoring
	if env.Host.Plans() {
		return nil
	}
	client, err := env.EtcdClient()
	if err != nil {
		return err
	}
	if client != nil {
		defer client.Close()
		status, err := client.Status(ctx)
		if err != nil {
			return err
		}
		if status.Revision < r.Highest {
			return plan.Hint(fmt.Errorf("etcd is at revision %d, and %d was reached by the trial: this is not the database that was restored", status.Revision, r.Highest),
				"bootstrap etcd restore --undo")
		}
	}
	if err := env.tellOthers(ctx); err != nil {
		return err
	}
	if r.Previous {
		env.Tell.Say("the data of before lie in %s/%s, and can go once all is well", env.Config.Etcd.DataDir, r.aside())
	}
	return env.keepRestoring(stepDone)
}

// tellOthers names the nodes whose kubelets still believe in pods that are no more.
func (e *Env) tellOthers(ctx context.Context) error {
	c, err := e.ConnectForHealth()
	if err != nil {
		return err
	}
	nodes, err := c.NodeNames(ctx)
	if err != nil {
		return err
	}
	others := slices.DeleteFunc(nodes, func(name string) bool { return name == e.Config.NodeName })
	if len(others) > 0 {
		e.Tell.Warn("on each of these nodes run: systemctl restart kubelet; a control plane among them joins again, after bootstrap reset: %s", strings.Join(others, ", "))
	}
	return nil
}

var restoreDrop = Phase{
	Name:  "restore-drop",
	Short: "remove the restored database that did not come into use",
	Run: func(_ context.Context, env *Env) error {
		env.Restoring.Step = stepUndone
		data, err := json.Marshal(env.Restoring)
		if err != nil {
			return err
		}
		return errors.Join(env.Host.RemoveInTree(env.Config.Etcd.DataDir, stageDir), env.Host.Remember(restoreNote, string(data)))
	},
}
