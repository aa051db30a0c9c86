package phases

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"bootstrap/phases/host"
	"bootstrap/phases/pki"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

var writeKubeconfig = Phase{
	Name:  "write-kubeconfig",
	Short: "add admin.conf to ~/.kube/config of root and of who ran sudo (with writeKubeconfig)",
	Run:   runWriteKubeconfig,
}

func runWriteKubeconfig(ctx context.Context, env *Env) error {
	if !env.Config.WriteKubeconfig {
		return nil
	}
	data, err := env.Host.ReadFile(spec.AdminConf)
	if err != nil {
		return err
	}
	admin, err := pki.ParseKubeconfig(data)
	if err != nil {
		return fmt.Errorf("%s: %w", spec.AdminConf, err)
	}
	users, without, err := kubeconfigUsers(ctx, env.Host)
	if err != nil {
		return err
	}
	if without != "" {
		env.Tell.Warn("%s", without)
	}
	if other := os.Getenv("KUBECONFIG"); other != "" && !readsAny(other, users) {
		env.Tell.Warn("KUBECONFIG is set here: kubectl reads %s and no ~/.kube/config; unset KUBECONFIG, or: export KUBECONFIG=%s",
			other, spec.AdminConf)
	}
	return forAll(users, func(u homeUser) error {
		merged, err := mergedKubeconfig(env.Host, u, admin)
		if err == nil {
			_, err = env.Host.WriteOwned(u.kubeconfig(), merged, u.Owner)
		}
		return err
	})
}

// readsAny tells whether KUBECONFIG, a list of files, names the kubeconfig of one of the users.
func readsAny(list string, users []homeUser) bool {
	files := filepath.SplitList(list)
	return slices.ContainsFunc(users, func(u homeUser) bool { return slices.Contains(files, u.kubeconfig()) })
}

// kubeconfigUsers are the users that get a kubeconfig. That whoever ran sudo can get none is an error, as
// this was asked for; root needs none, and without says why it gets none.
func kubeconfigUsers(ctx context.Context, h *host.Host) (users []homeUser, without string, err error) {
	passwd, err := h.ReadFile("/etc/passwd")
	if err != nil {
		return nil, "", err
	}
	for _, uid := range kubeconfigUIDs(os.Getenv("SUDO_UID")) {
		reason := fmt.Sprintf("user %d gets no ~/.kube/config: neither /etc/passwd nor getent knows a home that is there", uid)
		switch u := findHome(ctx, h, string(passwd), uid); {
		case u.home != "":
			users = append(users, u)
		case uid == 0:
			without = reason
		default:
			err = plan.Hint(errors.New(reason), "run it without --write-kubeconfig, and use a copy of %s; "+
				"or: env SUDO_HOME=DIR bootstrap init --write-kubeconfig", spec.AdminConf)
		}
	}
	return users, without, err
}

// findHome finds a user in /etc/passwd, or in a directory such as LDAP: getent asks whatever the machine is
// configured to ask. Where both fail, sudo may have said where the home is.
func findHome(ctx context.Context, h *host.Host, passwd string, uid int) homeUser {
	u, ok := findUser(passwd, uid)
	if getent := h.Program("getent"); !ok && getent != "" && h.Real() {
		line, _ := h.Output(ctx, getent, "passwd", strconv.Itoa(uid)) // it ends with 2 where there is no such user
		u, ok = findUser(line, uid)
	}
	if ok && h.Exists(u.home) {
		return u
	}
	gid, err := strconv.Atoi(os.Getenv("SUDO_GID"))
	if home := os.Getenv("SUDO_HOME"); err == nil && uid > 0 && filepath.IsAbs(home) && h.Exists(home) {
		return homeUser{host.Owner{UID: uid, GID: gid}, home}
	}
	return homeUser{}
}

// kubeconfigUIDs are root and who ran sudo.
func kubeconfigUIDs(sudoUID string) []int {
	uid, err := strconv.Atoi(sudoUID)
	if err != nil || uid <= 0 {
		return []int{0}
	}
	return []int{0, uid}
}

// homeUser is a user with a home.
type homeUser struct {
	host.Owner
	home string
}

func findUser(passwd string, uid int) (homeUser, bool) {
	for line := range strings.Lines(passwd) {
		fields := strings.Split(strings.TrimSpace(line), ":") // name:password:uid:gid:comment:home:shell
		if len(fields) < 6 || fields[2] != strconv.Itoa(uid) || !strings.HasPrefix(fields[5], "/") {
			continue
		}
		gid, err := strconv.Atoi(fields[3])
		return homeUser{host.Owner{UID: uid, GID: gid}, fields[5]}, err == nil
	}
	return homeUser{}, false
}

func (u homeUser) kubeconfig() string { return u.home + "/.kube/config" }

// mergedKubeconfig adds to what is there, and takes over no entry of another cluster.
func mergedKubeconfig(h *host.Host, u homeUser, admin pki.Kubeconfig) ([]byte, error) {
	file := u.kubeconfig()
	old, err := h.ReadOwned(file, u.Owner)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	merged, err := pki.MergeKubeconfig(old, admin)
	if err != nil {
		err = fmt.Errorf("%s: %w", file, err)
	}
	if conflict := (*pki.ConflictError)(nil); errors.As(err, &conflict) {
		err = plan.Hint(err, "if it is no longer needed: kubectl config delete-%s %s; or run without --write-kubeconfig", strings.TrimSuffix(conflict.List, "s"), conflict.Name)
	}
	return merged, err
}
