package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"bootstrap/phases/cluster"
)

func TestPrintTokens(t *testing.T) {
	var out bytes.Buffer
	err := printTokens(&out, []cluster.Token{
		{ID: "abcdef", Secret: "0123456789abcdef", Description: "rack 7\n\"b\"", Usages: []string{"signing", "authentication"}, Groups: []string{cluster.NodeGroup}},
		{ID: "ghijkl", Secret: "0123456789abcdef", Expires: time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)},
	})
	want := `TOKEN                    TTL      EXPIRES               USAGES                  DESCRIPTION      GROUPS
abcdef.0123456789abcdef  forever  -                     signing,authentication  "rack 7\n\"b\""  system:bootstrappers:kubeadm:default-node-token
ghijkl.0123456789abcdef  expired  2020-01-02T03:04:05Z  -                       -                -
`
	if diff := cmp.Diff(want, out.String()); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestTimeLeft(t *testing.T) {
	now := time.Unix(1000, 0)
	for left, want := range map[time.Duration]string{
		-time.Second: "expired", 0: "expired", 59 * time.Second: "59s", 90 * time.Minute: "90m", 36 * time.Hour: "36h", 59 * time.Minute: "59m",
	} {
		if got := timeLeft(now.Add(left), now); got != want {
			t.Errorf("%s: %s, want %s", left, got, want)
		}
	}
}
