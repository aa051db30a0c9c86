package e2e

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// raceScript starts two runs at the same moment and prints how both ended.
const raceScript = `
mkdir -p /tmp/e2e; cd /tmp/e2e; mkfifo go
for i in 1 2; do
	{ read -r _ <go; exec /root/bootstrap "$@"; } >out$i 2>err$i & pids[i]=$!
done
sleep 0.2 # until both read
printf '\n\n' >go
for i in 1 2; do
	code=0; wait "${pids[i]}" || code=$?
	jq -n --arg pid "${pids[i]}" --arg code $code --rawfile out out$i --rawfile err err$i '{$pid, $code, $out, $err}'
done
rm -r /tmp/e2e
`

type racer struct {
	Result
	pid string
}

// race runs bootstrap twice at once; the one that worked comes first.
func (n *Node) race(args ...string) (winner, loser racer) {
	n.t.Helper()
	out := json.NewDecoder(strings.NewReader(n.MustExec(append([]string{"bash", "-ec", raceScript, "_"}, args...)...)))
	var both [2]racer
	for i := range both {
		var end struct{ PID, Code, Out, Err string }
		if err := out.Decode(&end); err != nil {
			n.t.Fatal(err)
		}
		code, err := strconv.Atoi(end.Code)
		if err != nil {
			n.t.Fatal(err)
		}
		both[i] = racer{Result{Command: "bootstrap", Out: end.Out, Err: end.Err, Code: code}, end.PID}
	}
	if both[0].Code != 0 {
		return both[1], both[0]
	}
	return both[0], both[1]
}

// TestTwoInits: of two inits at once one works, and the other says who holds the
// lock and changes nothing.
func TestTwoInits(t *testing.T) {
	n := Up(t, 20*time.Minute)
	n.Copy("bin/bootstrap-box", "/root/bootstrap")
	var rounds []int
	for i := range 20 {
		rounds = append(rounds, i)
	}
	for _, i := range selected(t, rounds, rounds[:3]...) {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			n := n.In(t)
			if i > 0 && i%5 == 0 {
				n.MustReset("/root/bootstrap") // a whole init again
			}
			n.twoInits()
		})
	}
}

func (n *Node) twoInits() {
	winner, loser := n.race("init")
	n.log.Result = winner.Result
	if winner.Code != 0 || loser.Code != 2 {
		n.t.Fatalf("exit codes are not 0 and 2: %s%s", winner, loser)
	}
	if !regexp.MustCompile(`\b`+winner.pid+`\b`).MatchString(loser.Err) || !loser.Has("bootstrap init") {
		n.t.Errorf("it does not say that process %s, bootstrap init, holds the lock: %s", winner.pid, loser)
	}
	n.Healthy(30 * time.Second)
	n.converged()
}
