package phases

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/host/hosttest"
	"bootstrap/phases/pki"
	"bootstrap/phases/spec"
)

const confDir = "/etc/kubernetes"

func kubeconfigsDone(t *testing.T, name string) *Env {
	t.Helper()
	env := certsDone(t, name)
	runPhase(t, env, runKubeconfigs)
	return env
}

func readKubeconfig(t *testing.T, env *Env, path string) pki.Kubeconfig {
	t.Helper()
	data, err := env.Host.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	k, err := pki.ParseKubeconfig(data)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestKubeconfigs holds kubeadm's table (reference/kubeadm.md §2.5).
func TestKubeconfigs(t *testing.T) {
	table := []struct{ file, commonName, organization, defaultServer, customServer string }{
		{"admin.conf", "kubernetes-admin", "kubeadm:cluster-admins", "https://192.0.2.10:6443", "https://api.example.org:443"},
		{"super-admin.conf", "kubernetes-super-admin", "system:masters", "https://192.0.2.10:6443", "https://api.example.org:443"},
		{"kubelet.conf", "system:node:NODE", "system:nodes", "https://192.0.2.10:6443", "https://198.51.100.7:8443"},
		{"controller-manager.conf", "system:kube-controller-manager", "", "https://192.0.2.10:6443", "https://198.51.100.7:8443"},
		{"scheduler.conf", "system:kube-scheduler", "", "https://192.0.2.10:6443", "https://198.51.100.7:8443"},
	}
	for _, name := range []string{"default", "custom"} {
		env := kubeconfigsDone(t, name)
		ca := readCert(t, env, pkiDir+"/ca.crt")
		for _, row := range table {
			t.Run(name+"/"+row.file, func(t *testing.T) {
				k := readKubeconfig(t, env, confDir+"/"+row.file)
				cert, err := pki.ParseCert(k.Cert)
				if err != nil {
					t.Fatal(err)
				}
				commonName := strings.Replace(row.commonName, "NODE", env.Config.NodeName, 1)
				if cert.Subject.CommonName != commonName || strings.Join(cert.Subject.Organization, ",") != row.organization {
					t.Errorf("subject %s", cert.Subject)
				}
				data, file := string(pki.EncodeCert(ca)), ""
				if row.file == "kubelet.conf" {
					data, file = "", pkiDir+"/ca.crt"
				}
				if err := cert.CheckSignatureFrom(ca); err != nil || string(k.CA) != data || k.CAFile != file {
					t.Errorf("not of this cluster's CA: %v, file %q", err, k.CAFile)
				}
				key, err := pki.ParseKey(k.Key)
				if err != nil || !pki.SameKey(cert, key) {
					t.Errorf("the key is not the certificate's: %v", err)
				}
				server := map[string]string{"default": row.defaultServer, "custom": row.customServer}[name]
				if k.Server != server || k.Cluster != env.Config.ClusterName {
					t.Errorf("server %s of %s, want %s", k.Server, k.Cluster, server)
				}
			})
		}
		for file, state := range files(t, env, confDir) {
			if strings.HasSuffix(file, ".conf") && state.mode != 0o600 {
				t.Errorf("%s has mode %s", file, state.mode)
			}
		}
	}
}

func TestKubeconfigsAgainChangeNothing(t *testing.T) {
	env := kubeconfigsDone(t, "default")
	before := files(t, env, confDir)
	if notes := runPhase(t, env, runKubeconfigs); len(notes) > 0 {
		t.Errorf("it has something to say: %q", notes)
	}
	if names := changed(before, files(t, env, confDir)); len(names) > 0 {
		t.Errorf("it changed %v", names)
	}
}

// TestKubeconfigsAreWrittenAgain changes one thing and wants just these files to follow.
func TestKubeconfigsAreWrittenAgain(t *testing.T) {
	all := []string{"admin.conf", "super-admin.conf", "kubelet.conf", "controller-manager.conf", "scheduler.conf"}
	cases := []struct {
		name   string
		change func(*testing.T, *Env)
		want   []string
		note   string
	}{
		{"one is gone", func(t *testing.T, e *Env) { hosttest.Remove(t, e.Host, spec.AdminConf) }, []string{"admin.conf"}, ""},
		{"another endpoint", func(t *testing.T, e *Env) { e.Config.ControlPlaneEndpoint = "api.example.org:443" },
			all[:2], "admin.conf is written again: its server is https://192.0.2.10:6443, want https://api.example.org:443"},
		{"another port", func(t *testing.T, e *Env) { e.Config.BindPort = 7443 }, all, "its server is https://192.0.2.10:6443"},
		{"another node name", func(t *testing.T, e *Env) { e.Config.NodeName = "node-2" },
			[]string{"kubelet.conf"}, `its common name is "system:node:node-1", want "system:node:node-2"`},
		{"another CA", newClusterCA, []string{"admin.conf", "super-admin.conf", "controller-manager.conf", "scheduler.conf"}, "its CA is not this cluster's"},
		{"made by the program before", withCAData(spec.KubeletConf, true), []string{"kubelet.conf"}, "kubelet.conf is written again: the CA is in it, in place of the name of its file, " + pkiDir + "/ca.crt"},
		{"damaged", func(t *testing.T, e *Env) { hosttest.Put(t, e.Host, spec.SchedulerConf, "hello: [", 0o600) },
			[]string{"scheduler.conf"}, "scheduler.conf is written again: parse: "},
		{"open to all", func(t *testing.T, e *Env) { chmod(t, e, spec.AdminConf, 0o644) }, nil, "admin.conf was open to others (mode 0644): closed"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			env := kubeconfigsDone(t, "default")
			before := files(t, env, confDir)
			c.change(t, env)
			notes := strings.Join(runPhase(t, env, runKubeconfigs), "\n")
			if !strings.Contains(notes, c.note) || c.note == "" && notes != "" {
				t.Errorf("it says %q, want %q", notes, c.note)
			}
			want := map[string]bool{}
			for _, file := range c.want {
				want[file] = true
			}
			after := files(t, env, confDir)
			got := contentChanged(before, after)
			delete(got, "pki/ca.crt")
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("changed (-want +got):\n%s", diff)
			}
			if mode := after["admin.conf"].mode; mode != 0o600 {
				t.Errorf("admin.conf has mode %s", mode)
			}
		})
	}
}

// withCAData puts the CA itself in a kubeconfig, which is ours or somebody else's.
func withCAData(path string, ours bool) func(*testing.T, *Env) {
	return func(t *testing.T, e *Env) {
		k := readKubeconfig(t, e, path)
		k.CA, k.CAFile = pki.EncodeCert(readCert(t, e, pkiDir+"/ca.crt")), ""
		data, err := pki.EncodeKubeconfig(k)
		if err != nil {
			t.Fatal(err)
		}
		if ours {
			_, err = e.Host.WriteOpaque(path, data, 0o600)
		} else {
			forget(t, e, path)
			hosttest.Put(t, e.Host, path, string(data), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// forget makes a file one that init did not make.
func forget(t *testing.T, e *Env, path string) {
	t.Helper()
	for _, r := range e.Host.Entries() {
		if r.Target == path {
			if err := e.Host.Retract(r, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestKubeconfigOfOthers: one that serves stays as it is, with the CA in it.
func TestKubeconfigOfOthers(t *testing.T) {
	env := kubeconfigsDone(t, "default")
	withCAData(spec.KubeletConf, false)(t, env)
	before := files(t, env, confDir)
	runPhase(t, env, runKubeconfigs)
	if names := changed(before, files(t, env, confDir)); len(names) > 0 {
		t.Errorf("it changed %v", names)
	}
}

// TestClusterOfBefore: what the program before made converges, a second run changes nothing,
// and all of it can be undone.
func TestClusterOfBefore(t *testing.T) {
	env := kubeconfigsDone(t, "default")
	withCAData(spec.KubeletConf, true)(t, env)
	forget(t, env, pkiDir+"/ca-signing.crt")
	hosttest.Remove(t, env.Host, pkiDir+"/ca-signing.crt")
	converge := func() map[string]bool {
		before := files(t, env, confDir)
		runPhase(t, env, runCerts)
		runPhase(t, env, runKubeconfigs)
		return changed(before, files(t, env, confDir))
	}
	if diff := cmp.Diff(map[string]bool{"pki/ca-signing.crt": true, "kubelet.conf": true}, converge()); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
	if again := converge(); len(again) > 0 {
		t.Errorf("again it changes %v", again)
	}
	if err := env.Host.UndoAll(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if env.Host.Exists(confDir) {
		t.Errorf("left: %v", files(t, env, confDir))
	}
}

// newClusterCA signs the CA's certificate anew, for the same key.
func newClusterCA(t *testing.T, env *Env) {
	ca := readCA(t, env, "ca")
	again, err := pki.NewCA("kubernetes", ca.Key, env.Config.CAValidity)
	if err != nil {
		t.Fatal(err)
	}
	hosttest.Put(t, env.Host, pkiDir+"/ca.crt", string(pki.EncodeCert(again.Cert)), 0o644)
}

func TestKubeconfigsNeedCA(t *testing.T) {
	env := testEnv(t, "default")
	failPhase(t, env, runKubeconfigs, "no CA in /etc/kubernetes/pki", "run first: bootstrap init phase certs")
	runPhase(t, env, runCerts)
	hosttest.Put(t, env.Host, pkiDir+"/ca.key", "hello", 0o600)
	failPhase(t, env, runKubeconfigs, pkiDir+"/ca.key: no PEM block with a readable private key in it")
	if _, err := env.Host.ReadFile(spec.AdminConf); err == nil {
		t.Error("admin.conf was written")
	}
}

func TestUserKubeconfig(t *testing.T) {
	env := certsDone(t, "custom")
	data, err := env.UserKubeconfig(KubeconfigUser{Name: "alice", Groups: []string{"web", "ops"}, Validity: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	k, err := pki.ParseKubeconfig(data)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := pki.ParseCert(k.Cert)
	if err != nil {
		t.Fatal(err)
	}
	groups := slices.Sorted(slices.Values(cert.Subject.Organization))
	if k.Server != "https://api.example.org:443" || k.User != "alice" || cert.Subject.CommonName != "alice" || !slices.Equal(groups, []string{"ops", "web"}) {
		t.Errorf("%s %s %s", k.Server, k.User, cert.Subject)
	}
	if err := cert.CheckSignatureFrom(readCert(t, env, pkiDir+"/ca.crt")); err != nil || time.Until(cert.NotAfter) > time.Hour {
		t.Errorf("%v, until %s", err, cert.NotAfter)
	}
	hosttest.Remove(t, env.Host, pkiDir+"/ca.key")
	if _, err := env.UserKubeconfig(KubeconfigUser{Name: "alice"}); err == nil || !strings.Contains(err.Error(), "no CA in ") {
		t.Error(err)
	}
}
