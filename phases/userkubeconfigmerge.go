package phases

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"bootstrap/phases/host"
	"bootstrap/phases/pki"
)

var writeKubeconfig = Phase{
	Name:  "write-kubeconfig",
	Short: "add admin.conf to ~/.kube/config of root and of who ran sudo (with writeKubeconfig)",
	Run:   runWriteKubeconfig,
}

func runWriteKubeconfig(_ context.Context, env *Env) error {
	if !env.Config.Box.WriteKubeconfig {
		return nil
	}
	data, err := env.Host.ReadFile(adminConf)
	if err != nil {
		return err
	}
	admin, err := pki.ParseKubeconfig(data)
	if err != nil {
		return fmt.Errorf("%s: %w", adminConf, err)
	}
	passwd, err := env.Host.ReadFile("/etc/passwd")
	if err != nil {
		return err
	}
	for _, uid := range kubeconfigUIDs(os.Getenv("SUDO_UID")) {
		u, ok := findUser(string(passwd), uid)
		if !ok {
			env.warn("user %d is not in /etc/passwd, and gets no ~/.kube/config", uid)
			continue
		}
		if err := env.mergeKubeconfig(u, admin); err != nil {
			return err
		}
	}
	return nil
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

// mergeKubeconfig adds to what is there, and takes over no entry of another cluster.
func (e *Env) mergeKubeconfig(u homeUser, admin pki.Kubeconfig) error {
	if !e.exists(u.home) {
		e.warn("%s does not exist: user %d gets no ~/.kube/config", u.home, u.UID)
		return nil
	}
	file := u.home + "/.kube/config"
	old, err := e.Host.ReadOwned(file, u.Owner)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	merged, err := pki.MergeKubeconfig(old, admin)
	if conflict := (*pki.ConflictError)(nil); errors.As(err, &conflict) {
		return withHint(fmt.Errorf("%s: %w", file, err), "%s", conflictHint(conflict))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	_, err = e.Host.WriteOwned(file, merged, u.Owner)
	return err
}

func conflictHint(c *pki.ConflictError) string {
	return fmt.Sprintf("if it is no longer needed: kubectl config delete-%s %s; or run without --write-kubeconfig", strings.TrimSuffix(c.List, "s"), c.Name)
}
