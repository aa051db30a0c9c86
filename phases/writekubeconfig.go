package phases

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"bootstrap/phases/diagnose"
	"bootstrap/phases/host"
	"bootstrap/phases/observe"
	"bootstrap/phases/pki"
	"bootstrap/phases/plan"
	"bootstrap/phases/spec"
)

var writeKubeconfig = Phase{
	Name:  "write-kubeconfig",
	Short: "add admin.conf to ~/.kube/config of root and of who ran sudo (with writeKubeconfig)",
	Run:   runWriteKubeconfig,
}

func runWriteKubeconfig(_ context.Context, env *Env) error {
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
	users, without, err := kubeconfigUsers(env.Host)
	if err != nil {
		return err
	}
	for _, reason := range without {
		env.Tell.Warn("%s", reason)
	}
	for _, u := range users {
		merged, err := mergedKubeconfig(env.Host, u, admin)
		if err != nil {
			return err
		}
		if _, err := env.Host.WriteOwned(u.kubeconfig(), merged, u.Owner); err != nil {
			return err
		}
	}
	return nil
}

// lookAtUserKubeconfigs finds in preflight what would stop write-kubeconfig only when the cluster
// is up.
func (env *Env) lookAtUserKubeconfigs(u *diagnose.Unfit) error {
	if !env.Config.WriteKubeconfig || env.Config.Box.Standalone {
		return nil
	}
	users, _, err := kubeconfigUsers(env.Host) // who gets none is told by the phase
	if err != nil {
		return err
	}
	ca, _, err := env.ReadPair("ca")
	if err != nil {
		return nil // phase certs tells of it
	}
	admin := pki.Kubeconfig{Cluster: env.Config.ClusterName, User: spec.AdminUser}
	if ca != nil {
		admin.CA = pki.EncodeCert(ca)
	}
	for _, user := range users {
		if _, err := mergedKubeconfig(env.Host, user, admin); err != nil {
			u.Kubeconfigs = append(u.Kubeconfigs, observe.ProblemOf(err))
		}
	}
	return nil
}

// kubeconfigUsers are the users that have a home, and the reasons why others get no kubeconfig.
func kubeconfigUsers(h *host.Host) (users []homeUser, without []string, err error) {
	passwd, err := h.ReadFile("/etc/passwd")
	if err != nil {
		return nil, nil, err
	}
	for _, uid := range kubeconfigUIDs(os.Getenv("SUDO_UID")) {
		u, ok := findUser(string(passwd), uid)
		switch {
		case !ok:
			without = append(without, fmt.Sprintf("user %d is not in /etc/passwd, and gets no ~/.kube/config", uid))
		case !h.Exists(u.home):
			without = append(without, fmt.Sprintf("%s does not exist: user %d gets no ~/.kube/config", u.home, u.UID))
		default:
			users = append(users, u)
		}
	}
	return users, without, nil
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
