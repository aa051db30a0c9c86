package e2e

import (
	"testing"
	"time"
)

const otherCluster = `apiVersion: v1
kind: Config
# the user's own words
clusters:
- name: other
  cluster: {server: "https://192.0.2.1:6443"}
users:
- name: other
  user: {token: secret}
contexts:
- name: other
  context: {cluster: other, user: other}
current-context: other
`

// TestUserKubeconfig: with --write-kubeconfig, root and who ran sudo can use kubectl as
// they are used to; what they had stays, and reset gives it back.
func TestUserKubeconfig(t *testing.T) {
	n := Up(t, 5*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	n.MustSh("mkdir -p /tmp/e2e; useradd --create-home --shell /bin/bash ann; install -d -o ann -g ann /home/ann/.kube")
	n.Write("/home/ann/.kube/config", otherCluster)
	n.MustSh("chown ann: /home/ann/.kube/config; chmod 600 /home/ann/.kube/config")
	fresh := n.survey()

	uid := n.MustSh("id -u ann | tr -d '\\n'")
	init := []string{"env", "SUDO_USER=ann", "SUDO_UID=" + uid, "/root/bootstrap", "init", "--write-kubeconfig"}
	n.MustExec(init...)
	n.MustExec("runuser", "-l", "root", "-c", "kubectl --cache-dir=/tmp/kubectl get nodes "+n.Name)
	n.MustExec("runuser", "-l", "ann", "-c", "kubectl --cache-dir=/tmp/kubectl --context kubernetes-admin@kubernetes get nodes "+n.Name)
	n.MustSh("stat -c '%U %a' /home/ann/.kube/config | grep -x 'ann 600'; grep -qF 192.0.2.1:6443 /home/ann/.kube/config")
	n.MustExec("runuser", "-l", "ann", "-c", "kubectl --cache-dir=/tmp/kubectl config view --minify -o jsonpath={..server} | grep -F 192.0.2.1")

	before := n.quiet()
	n.MustExec(init...)
	n.stillQuiet("a second init", before)

	// What ann has changed stays; made as it was, it is given back by another reset.
	n.MustSh("cp /home/ann/.kube/config /tmp/e2e/made; echo '# later' >>/home/ann/.kube/config")
	if r := n.Bootstrap("reset", "--force"); r.Code != 1 || !r.Has("/home/ann/.kube/config") {
		t.Errorf("a file that ann has changed since: %s", r)
	}
	n.MustSh("grep -x '# later' /home/ann/.kube/config; ! ls /root/.kube")
	n.MustSh("cat /tmp/e2e/made >/home/ann/.kube/config; rm /tmp/e2e/made")
	n.MustReset("/root/bootstrap")
	n.SameSurvey("after reset", fresh)

	// A user of a directory: no file of this machine knows it, but sudo does.
	n.MustSh("mkdir -p /home/ada; chown 5000:5000 /home/ada")
	ada := []string{"env", "SUDO_USER=ada", "SUDO_UID=5000", "SUDO_GID=5000"}
	init = append(ada, "/root/bootstrap", "init", "--write-kubeconfig")
	if r := n.Exec(init...); r.Code != 2 || !r.Has("user 5000 gets no ~/.kube/config") || !r.Has("explain kubeconfig-conflict") {
		t.Errorf("without a home: %s", r)
	}
	n.MustExec(append([]string{"env", "SUDO_HOME=/home/ada", "KUBECONFIG=/tmp/job/kubeconfig"}, init[1:]...)...)
	n.MustSh("stat -c '%u %a' /home/ada/.kube/config | grep -x '5000 600'")
	n.MustReset("/root/bootstrap")
}
