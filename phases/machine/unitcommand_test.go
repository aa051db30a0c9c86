package machine_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"bootstrap/phases/machine"
)

// lay writes files of a machine of the test's own.
func lay(t *testing.T, files map[string]string) machine.Machine {
	t.Helper()
	m := machine.At(t.TempDir())
	for path, content := range files {
		put(t, m, path, content, 0o644)
	}
	return m
}

const (
	vendorUnit = "/usr/lib/systemd/system/kubelet.service"
	dropIns    = "/etc/systemd/system/kubelet.service.d/"
)

func TestUnitCommand(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  string // words with where they come from
	}{
		{"none", nil, ""},
		{"one file", map[string]string{vendorUnit: "[Service]\nExecStart=/usr/bin/kubelet --a 'b c'\n"},
			"/usr/bin/kubelet|--a|b c @" + vendorUnit},
		{"a file in /etc in its place", map[string]string{
			vendorUnit: "[Service]\nExecStart=/usr/bin/kubelet --old\n", "/etc/systemd/system/kubelet.service": "[Service]\nExecStart=-/opt/kubelet\n"},
			"/opt/kubelet @/etc/systemd/system/kubelet.service"},
		{"a drop-in with continued lines", map[string]string{
			vendorUnit:            "[Service]\nExecStart=/usr/bin/kubelet\n",
			dropIns + "10-x.conf": "[Service]\nExecStart=\nExecStart=/usr/bin/kubelet \\\n  --config=/x\n"},
			"/usr/bin/kubelet|--config=/x @" + dropIns + "10-x.conf"},
		{"variables as kubeadm's drop-in has them", map[string]string{
			vendorUnit: "[Service]\nExecStart=/usr/bin/kubelet\n",
			dropIns + "10-kubeadm.conf": "[Service]\nEnvironment=\"CONFIG_ARGS=--config=/c.yaml\"\nEnvironmentFile=-/var/lib/flags.env\nEnvironmentFile=-/etc/default/kubelet\n" +
				"ExecStart=\nExecStart=/usr/bin/kubelet $CONFIG_ARGS $EXTRA --x=${EXTRA} $NONE $$\n",
			"/etc/default/kubelet": "# a comment\nEXTRA=\"--v 2\"\n"},
			"/usr/bin/kubelet @" + dropIns + "10-kubeadm.conf\n--config=/c.yaml @CONFIG_ARGS in " + dropIns + "10-kubeadm.conf\n" +
				"--v|2|--x=--v 2 @EXTRA in /etc/default/kubelet\n$ @" + dropIns + "10-kubeadm.conf"},
		{"a variable that is set again, then dropped", map[string]string{
			vendorUnit:            "[Service]\nEnvironment=A=1 B=2\nExecStart=/k $A $B\n",
			dropIns + "20-b.conf": "[Service]\nEnvironment=A=3\n",
			dropIns + "30-c.conf": "[Service]\nEnvironment=\nEnvironment=B=4\n"},
			"/k @" + vendorUnit + "\n4 @B in " + dropIns + "30-c.conf"},
		{"a number sign begins no comment", map[string]string{vendorUnit: "[Service]\nEnvironment=A=#1\nExecStart=/k --a #b 'c #d' $A --config=/x\n"},
			"/k|--a|#b|c #d @" + vendorUnit + "\n#1 @A in " + vendorUnit + "\n--config=/x @" + vendorUnit},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := lay(t, tt.files).UnitCommand("kubelet.service")
			if err != nil || spelt(got) != tt.want {
				t.Errorf("got:\n%s\nwant:\n%s\n%v", spelt(got), tt.want, err)
			}
		})
	}
}

// spelt has a line for all words in a row that come from one place.
func spelt(words []machine.Word) string {
	var lines []string
	for i := 0; i < len(words); {
		j, texts := i, []string{}
		for ; j < len(words) && words[j].From == words[i].From; j++ {
			texts = append(texts, words[j].Text)
		}
		lines = append(lines, strings.Join(texts, "|")+" @"+words[i].From)
		i = j
	}
	return strings.Join(lines, "\n")
}

func TestUnitCommandUnreadable(t *testing.T) {
	m := lay(t, map[string]string{vendorUnit: "[Service]\nEnvironmentFile=/etc/missing\nExecStart=/k\n"})
	if _, err := m.UnitCommand("kubelet.service"); err == nil || !strings.Contains(err.Error(), "/etc/missing") {
		t.Errorf("a file that systemd would want: %v", err)
	}
}

func TestRunning(t *testing.T) {
	m := lay(t, map[string]string{
		"/proc/20/cmdline": "/usr/bin/kubelet\x00--config\x00/c.yaml\x00",
		"/proc/3/cmdline":  "kubelet\x00",
		"/proc/4/cmdline":  "/usr/bin/vi\x00kubelet\x00",
		"/proc/5/cmdline":  "",
	})
	got := fmt.Sprint(m.Running("kubelet"))
	if want := "[{3 [kubelet] } {20 [/usr/bin/kubelet --config /c.yaml] }]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	here := func(r machine.Running) bool { return r.PID == os.Getpid() && r.Dir != "" }
	if all := machine.At("/").Running(filepath.Base(os.Args[0])); !slices.ContainsFunc(all, here) {
		t.Errorf("this test is not among %v", all)
	}
}

// FuzzUnitCommand: whatever a unit and its environment file hold, they are read or refused.
func FuzzUnitCommand(f *testing.F) {
	f.Add("[Service]\nExecStart=/k $A '${A}' \\\n \"x\n", "A=\"1 2\" \\\n3\n#x\n")
	f.Add("[Service]\nEnvironment=A=1 \"B=2\"\nExecStart=-/k $A$B $$\n", "=\n")
	root := f.TempDir()
	for _, dir := range []string{filepath.Dir(vendorUnit), "/etc"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			f.Fatal(err)
		}
	}
	m := machine.At(root)
	f.Fuzz(func(t *testing.T, unit, environment string) {
		for path, content := range map[string]string{vendorUnit: unit + "\nEnvironmentFile=/etc/env\n", "/etc/env": environment} {
			if err := os.WriteFile(filepath.Join(root, path), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		words, err := m.UnitCommand("kubelet.service")
		for _, w := range words {
			if err == nil && w.From == "" && w.Text != "" {
				t.Errorf("%q comes from nowhere", w.Text)
			}
		}
	})
}

// TestUnitVariables: those of drop-ins for all services count as well, and what one file says can be left out.
func TestUnitVariables(t *testing.T) {
	m := lay(t, map[string]string{
		vendorUnit: "[Service]\nEnvironmentFile=-/etc/default/kubelet\nExecStart=/k\n", "/etc/default/kubelet": "B=file\n",
		"/etc/systemd/system/service.d/proxy.conf": "[Service]\nEnvironment=HTTPS_PROXY=http://p A=all\n",
		dropIns + "90-ours.conf":                   "[Service]\nEnvironment=NO_PROXY=ours A=ours\n",
		dropIns + "10-theirs.conf":                 "[Service]\nEnvironment=NO_PROXY=theirs B=drop-in\n",
	})
	got, err := m.UnitVariables("kubelet.service", dropIns+"90-ours.conf")
	want := map[string]machine.Word{
		"HTTPS_PROXY": {Text: "http://p", From: "HTTPS_PROXY in /etc/systemd/system/service.d/proxy.conf"},
		"A":           {Text: "all", From: "A in /etc/systemd/system/service.d/proxy.conf"},
		"NO_PROXY":    {Text: "theirs", From: "NO_PROXY in " + dropIns + "10-theirs.conf"},
		"B":           {Text: "file", From: "B in /etc/default/kubelet"},
	}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
}
