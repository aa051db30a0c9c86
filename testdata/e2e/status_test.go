package e2e

import (
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// status is what of status -o json is looked at here.
type status struct {
	Ready      bool
	Components []struct{ Name, State string }
	Cause      struct{ ID string }
	Drift      []struct{ Path, What string }
}

// testStatus: status says of a healthy node that it is ready and changes nothing by it;
// with the API server gone it names the cause, and it does not hang on what does.
func testStatus(n *Node) {
	n.MustBootstrap("status", "--wait", "--timeout", "1m")
	before := n.quiet()
	if s := n.status(0); !s.Ready || s.Cause.ID != "" || len(s.Drift) > 0 || len(s.Components) != 10 {
		n.t.Errorf("a healthy node is %+v", s)
	}
	n.stillQuiet("status", before)

	const manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml"
	n.MustSh(`mv ` + manifest + ` /root/away.yaml`)
	n.Eventually(30*time.Second, "the API server to be gone", func() error {
		if r := n.Bootstrap("status"); r.Code != 1 {
			return errors.New(r.String())
		}
		return nil
	})
	if r := n.Bootstrap("status", "--wait", "--timeout", "1m"); r.Code != 1 || !r.Has("bootstrap explain manifest-gone") {
		n.t.Errorf("waiting for an API server without a manifest: %s", r)
	}
	s := n.status(1)
	if s.Cause.ID != "manifest-gone" || s.state("etcd") != "ready" || s.state("kube-apiserver") != "not-ready" {
		n.t.Errorf("with the API server gone: %+v", s)
	}
	n.MustSh(`mv /root/away.yaml ` + manifest)
	n.MustBootstrap("status", "--wait", "--timeout", "2m")

	n.MustSh(`kill -STOP $(pidof containerd)`)
	if s := n.status(1); s.state("containerd") != "not-ready" || s.state("kube-scheduler") != "ready" {
		n.t.Errorf("with containerd hanging: %+v", s)
	}
	n.MustSh(`kill -CONT $(pidof containerd)`)
	n.Healthy(time.Minute)
}

// status asks for JSON, which must come to an end whatever hangs.
func (n *Node) status(code int) status {
	n.t.Helper()
	r := n.Exec("timeout", "30", "/root/bootstrap", "status", "--output", "json")
	var s status
	if err := json.Unmarshal([]byte(r.Out), &s); err != nil || r.Code != code {
		n.t.Fatalf("exit code %d, want %d, %v: %s", r.Code, code, err, r)
	}
	return s
}

func (s status) state(name string) string {
	i := slices.IndexFunc(s.Components, func(c struct{ Name, State string }) bool { return c.Name == name })
	if i < 0 {
		return ""
	}
	return s.Components[i].State
}
