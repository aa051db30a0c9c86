package runtime

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestLastLine(t *testing.T) {
	const head = "2026-01-02T03:04:05.678Z stderr F "
	cases := []struct{ name, log, want string }{
		{"one line", head + "starting\n", "starting"},
		{"the last of two", head + "starting\n" + head + "bind: address already in use\n", "bind: address already in use"},
		{"then an empty one", head + "usage: web\n" + head + "\n", "usage: web"},
		{"not ended", head + "a\n" + head + "b", "b"},
		{"empty", "", ""},
		{"longer than the tail", strings.Repeat(head+"x\n", 10_000) + head + "panic: at last\n", "panic: at last"},
		{"no such form", "hello", "hello"},
		{"JSON, as etcd writes it", head + `{"level":"fatal","ts":"2026-01-02T03:04:05.678Z","caller":"etcdmain/etcd.go:183","msg":"discovery failed","error":"wal: crc mismatch","stacktrace":"go.etcd.io/etcd/server/v3/etcdmain.startEtcdOrProxyV2\n\tetcdmain/etcd.go:183"}` + "\n", "discovery failed: wal: crc mismatch"},
		{"JSON without an error", head + `{"level":"info","msg":"closed etcd server"}` + "\n", "closed etcd server"},
		{"JSON of another form", head + `{"message":"bye"}` + "\n", `{"message":"bye"}`},
		{"a stack trace", head + "panic: at last\n" + head + "goroutine 1 [running]:\n" + head + "main.main()\n" + head + "\t/src/main.go:9 +0x1d\n" + head + "exit status 2\n", "panic: at last"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "0.log")
			if err := os.WriteFile(file, []byte(c.log), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := (&Container{LogPath: file}).LastLine(); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
	if got := (&Container{LogPath: filepath.Join(t.TempDir(), "none")}).LastLine(); got != "" {
		t.Errorf("%q of no log", got)
	}
}

func TestPlain(t *testing.T) {
	own := errors.New("own")
	if got := plain(own); !errors.Is(got, own) {
		t.Errorf("%v", got)
	}
	if got := plain(status.Error(codes.Unavailable, "no such socket")); got.Error() != "no such socket" {
		t.Errorf("%v", got)
	}
	cut := status.Error(codes.DeadlineExceeded, "late")
	if got := plain(cut); status.Code(got) != codes.DeadlineExceeded {
		t.Errorf("%v is no longer known as a deadline", got)
	}
}
