package e2e

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"
)

// ciExample is an indented block of the page of help that begins with a file's name.
func ciExample(t *testing.T, file string) []byte {
	t.Helper()
	page, err := os.ReadFile(path("cmd/bootstrap/help/ci.md"))
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?m)^    # ` + regexp.QuoteMeta(file) + `\n((?:    .*\n)+)`).FindSubmatch(page)
	if block == nil {
		t.Fatalf("the page shows no %s", file)
	}
	return regexp.MustCompile(`(?m)^    `).ReplaceAll(block[1], nil)
}

// githubCommands are those of each step, a failure's too.
func githubCommands(t *testing.T) []string {
	var workflow struct {
		Jobs map[string]struct{ Steps []struct{ Run string } }
	}
	if err := yaml.Unmarshal(ciExample(t, ".github/workflows/cluster.yaml"), &workflow); err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, step := range workflow.Jobs["cluster"].Steps {
		if step.Run != "" {
			commands = append(commands, step.Run)
		}
	}
	return commands
}

func gitlabCommands(t *testing.T) []string {
	var jobs map[string]struct {
		Script      []string `json:"script"`
		AfterScript []string `json:"after_script"`
	}
	if err := yaml.Unmarshal(ciExample(t, ".gitlab-ci.yml"), &jobs); err != nil {
		t.Fatal(err)
	}
	return slices.Concat(jobs["cluster"].Script, jobs["cluster"].AfterScript)
}

// ciJob runs the commands of an example of the page ci, as a user who may become root,
// in a folder with the program. The machine is then as it was, but for what kubectl keeps
// for itself: with that gone, its folder is empty.
func (m *vm) ciJob(n *Node) {
	commands := githubCommands(n.t)
	if strings.Contains(n.MustExec("cat", "/etc/os-release"), "bookworm") {
		commands = gitlabCommands(n.t)
	}
	if len(commands) < 4 {
		n.t.Fatalf("only %q", commands)
	}
	n.MustSh("install -d -o admin -g admin " + job + "/bin; cp /root/bootstrap " + job + "/bin/bootstrap-box; ln " + job + "/bin/bootstrap-box " + job + "; chown -R admin: " + job)
	for _, command := range commands {
		start := time.Now()
		r := n.Exec("runuser", "-u", "admin", "--", "env", "HOME=/home/admin", "USER=admin", "CI_JOB_STATUS=failed", "bash", "-ec", "cd "+job+"\n"+command)
		n.log.Result = r
		n.must(r)
		n.t.Logf("%s\n(%s)", strings.TrimSpace(command), since(start))
	}
	n.MustSh("rm -r /home/admin/.kube/cache && rmdir /home/admin/.kube")
	n.SameSurvey("after the job", m.before.butModules())
}

const job = "/home/admin/job"
