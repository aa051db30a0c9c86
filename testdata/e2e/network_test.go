package e2e

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// web answers "OK" on port 8080, with the one image in the bundle that serves HTTP:
// two pods behind a Service, on two nodes where there are two, and a pod per node
// that has a port of the node.
const web = `apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data:
  Corefile: |
    .:5353 {
        health :8080
        whoami
    }
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      topologySpreadConstraints:
      - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: {matchLabels: {app: web}}}
      tolerations: [{operator: Exists}]
      terminationGracePeriodSeconds: 1
      volumes: [{name: web, configMap: {name: web}}]
      containers:
      - name: web
        image: %[1]s
        imagePullPolicy: Never
        args: [-conf, /etc/coredns/Corefile]
        readinessProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 1}
        volumeMounts: [{name: web, mountPath: /etc/coredns}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080, nodePort: 30080}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: hostport}
spec:
  selector: {matchLabels: {app: hostport}}
  template:
    metadata: {labels: {app: hostport}}
    spec:
      tolerations: [{operator: Exists}]
      terminationGracePeriodSeconds: 1
      volumes: [{name: web, configMap: {name: web}}]
      containers:
      - name: web
        image: %[1]s
        imagePullPolicy: Never
        args: [-conf, /etc/coredns/Corefile]
        ports: [{containerPort: 8080, hostPort: 8088}]
        readinessProbe: {httpGet: {path: /health, port: 8080}, periodSeconds: 1}
        volumeMounts: [{name: web, mountPath: /etc/coredns}]
`

// deployWeb returns when all of its pods are ready.
func (n *Node) deployWeb() {
	n.t.Helper()
	image := regexp.MustCompile(`(?m)^image +(\S+/coredns:\S+) `).FindStringSubmatch(n.MustExec("/root/bootstrap", "bundle", "inspect"))
	if image == nil {
		n.t.Fatal("no CoreDNS in the bundle")
	}
	n.Write("/tmp/e2e/web.yaml", fmt.Sprintf(web, image[1]))
	n.MustKubectl("apply", "-f", "/tmp/e2e/web.yaml")
	n.podsReady("-l", "app=web")
	n.podsReady("-l", "app=hostport")
}

// podsReady waits until there are such pods and all are ready.
func (n *Node) podsReady(which ...string) {
	n.t.Helper()
	n.podsReadyAnew(nil, which...)
}

// podsReadyAnew wants none of the containers of before: ready may be what was true then.
func (n *Node) podsReadyAnew(before []string, which ...string) {
	n.t.Helper()
	n.Eventually(time.Minute, "ready pods", func() error {
		pods, err := get[podList](n, append([]string{"pods"}, which...)...)
		if err != nil {
			return err
		}
		if len(pods.Items) == 0 {
			return errors.New("no pods")
		}
		var errs []error
		for _, p := range pods.Items {
			errs = append(errs, p.ready())
			if slices.Contains(before, p.containerID()) {
				errs = append(errs, fmt.Errorf("%s: still the container of before", p.Metadata.Name))
			}
		}
		return errors.Join(errs...)
	})
}

// webOn gives the addresses of the Deployment's pods on a node.
func (n *Node) webOn(name string) []string {
	n.t.Helper()
	var ips []string
	for _, p := range mustGet[podList](n, "pods", "-l", "app=web", "--field-selector", "spec.nodeName="+name).Items {
		ips = append(ips, p.Status.PodIP)
	}
	return ips
}

func (n *Node) clusterIP(service string) string {
	n.t.Helper()
	return n.MustKubectl("get", "service", service, "-o", "jsonpath={.spec.clusterIP}")
}

// requests must all be answered with OK, four times, so that a Service has to choose
// each of its pods.
func requests(urls ...string) string {
	return "for i in 1 2 3 4; do for url in " + strings.Join(urls, " ") + "; do\n" +
		`curl -sSk --noproxy "*" -m 5 "$url" | grep -qix ok || { echo "no OK from $url"; exit 1; }` + "\ndone; done\n"
}

// asPod runs a script in the network of the pod with this address, with the resolver
// that pods get: the images of the bundle have no shell.
const asPod = `ns=
for file in /run/netns/*; do
	if nsenter --net="$file" ip -o address | grep -q " $1/"; then ns=$(basename "$file"); fi
done
mkdir -p /etc/netns/"${ns:?}"
trap 'rm -r /etc/netns' EXIT
printf 'nameserver %s\nsearch default.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n' "$2" >/etc/netns/"$ns"/resolv.conf
ip netns exec "$ns" bash -ec "$3"
`

// fromPod runs a script as a pod of this node would.
func (n *Node) fromPod(ip, script string) {
	n.t.Helper()
	dns := strings.TrimSpace(n.MustSh(`sed -n '/^clusterDNS:/{n;s/^ *- *//p}' /var/lib/kubelet/config.yaml | tr -d "\"'"`))
	n.Eventually(20*time.Second, "traffic from pod "+ip, func() error {
		return n.Exec("bash", "-ec", asPod, "_", ip, dns, script).err()
	})
}

// fromNode runs a script in the network of the node itself.
func (n *Node) fromNode(script string) {
	n.t.Helper()
	n.Eventually(20*time.Second, "traffic from "+n.Name, func() error { return n.Sh(script).err() })
}

// fromOutside runs a script in the network at the other end of the nodes' cables.
func (n *Node) fromOutside(script string) {
	n.t.Helper()
	n.Eventually(20*time.Second, "traffic from outside", func() error {
		cmd := exec.CommandContext(n.ctx, "nsenter", "--net="+path(".cache/nodes/.net/ns"), "bash", "-ec", script)
		return finish(n.t, cmd, "outside").err()
	})
}

// at is where the pods answer OK.
func at(ip string, port int) string {
	return "http://" + net.JoinHostPort(ip, strconv.Itoa(port)) + "/health"
}

// loopback is where a pod's port of the node is reached from the node itself. Linux
// forwards nothing from ::1, so there it is the node's own address.
func (n *Node) loopback() string {
	if strings.Contains(n.IP, ":") {
		return n.IP
	}
	return "127.0.0.1"
}

// published are the node's own ports: the Service's and the pod's.
func (n *Node) published() []string {
	return []string{at(n.IP, 30080), at(n.IP, 8088)}
}

// named are what every pod can reach by name, and the Service by address.
func (n *Node) named() []string {
	n.t.Helper()
	return []string{
		at(n.clusterIP("web"), 80),
		"http://web/health",
		"http://web.default.svc.cluster.local/health",
		"https://kubernetes.default/livez",
	}
}

// fullPacket is one as large as a pod may send, and not to be split on the way.
func fullPacket(ip string) string {
	headers := "28"
	if strings.Contains(ip, ":") {
		headers = "48"
	}
	return "ping -q -c 1 -W 2 -M do -s $(($(cat /sys/class/net/eth0/mtu) - " + headers + ")) " + ip + "\n"
}

// testNetwork: what people deploy first works, on the node as init left it.
func testNetwork(n *Node) {
	n.podsReady("-n", "kube-system")
	n.deployWeb()
	pods := n.webOn(n.Name)
	if len(pods) != 2 {
		n.t.Fatalf("pods of the Deployment: %v", pods)
	}
	n.fromPod(pods[0], requests(append(n.named(), at(pods[1], 8080))...)+fullPacket(pods[1]))
	n.fromNode(requests(at(n.clusterIP("web"), 80), at(n.loopback(), 8088)))
	n.fromOutside(requests(n.published()...))
	n.checkKubeletPaths(n.Name)

	n.MustKubectl("delete", "-f", "/tmp/e2e/web.yaml", "--timeout=20s")
	for _, url := range n.published() {
		n.fromOutside(`! curl -s --noproxy "*" -m 2 ` + url)
	}
}

// checkKubeletPaths: what the API server fetches from a node's kubelet.
func (n *Node) checkKubeletPaths(name string) {
	n.t.Helper()
	p := mustGet[podList](n, "pods", "-l", "app=web", "--field-selector", "spec.nodeName="+name).Items[0].Metadata.Name
	if r := n.Kubectl("logs", p); r.Code != 0 || !r.Has("CoreDNS-") {
		n.t.Error(r)
	}
	if r := n.Kubectl("exec", p, "--", "coredns", "-version"); r.Code != 0 || !r.Has("CoreDNS-") {
		n.t.Error(r)
	}
	n.Eventually(30*time.Second, "metrics of pod "+p, func() error {
		r := n.Kubectl("get", "--raw", "/api/v1/nodes/"+name+"/proxy/metrics/resource")
		if r.Code != 0 || !r.Has(`pod="`+p+`"`) {
			return errors.New(r.String())
		}
		return nil
	})
	forward := n.Sh(`: >/tmp/e2e/forward
		kubectl --kubeconfig=/etc/kubernetes/admin.conf --cache-dir=/tmp/kubectl port-forward pod/` + p + ` 18080:8080 >/tmp/e2e/forward 2>&1 &
		trap "kill $!" EXIT
		until grep -q ^Forwarding /tmp/e2e/forward; do kill -0 $!; sleep 0.1; done
		curl -sS -m 5 http://127.0.0.1:18080/health`)
	if forward.Code != 0 || forward.Out != "OK" {
		n.t.Error(forward)
	}
}

// testEditedCorefile: what the user has changed in the cluster stays.
func testEditedCorefile(n *Node) {
	const corefile = "-n=kube-system get configmap coredns -o jsonpath={.data.Corefile}"
	n.MustSh(`kubectl --kubeconfig=/etc/kubernetes/admin.conf --cache-dir=/tmp/kubectl -n kube-system get configmap coredns -o yaml |
		sed 's/^    \.:53 {/    example.test:53 {\n        erratic\n    }\n&/' >/tmp/e2e/corefile.yaml`)
	n.MustKubectl("apply", "--server-side", "--force-conflicts", "--field-manager=kubectl-edit", "-f", "/tmp/e2e/corefile.yaml")
	edited := n.MustKubectl(strings.Fields(corefile)...)
	r := n.MustBootstrap("init")
	if now := n.MustKubectl(strings.Fields(corefile)...); now != edited || !strings.Contains(now, "example.test") {
		n.t.Errorf("the Corefile is now\n%s", now)
	}
	if !r.Has("left as it is, since somebody has changed it: apply ConfigMap coredns") || !r.Has("Nothing to change") {
		n.t.Error(r)
	}
}
