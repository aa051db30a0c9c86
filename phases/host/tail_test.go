package host_test

import (
	"errors"
	"os"
	"testing"

	"bootstrap/phases/host"
	"bootstrap/phases/host/hosttest"
)

func TestTail(t *testing.T) {
	h, _ := hosttest.New(t)
	for path, text := range map[string]string{"/log": "one\ntwo\nthree\n", "/long": "one line without an end"} {
		if err := os.WriteFile(h.Path(path), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("/log", h.Path("/link")), os.Mkdir(h.Path("/dir"), 0o700)); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		path string
		size int64
		want string
		cut  bool
	}{
		{"/log", 100, "one\ntwo\nthree\n", false},
		{"/log", 14, "one\ntwo\nthree\n", false},
		{"/log", 13, "two\nthree\n", true},
		{"/log", 7, "three\n", true},
		{"/long", 5, "", true},
		{"/link", 100, "one\ntwo\nthree\n", false},
	}
	for _, c := range cases {
		got, cut, err := h.Tail(c.path, c.size)
		if err != nil || string(got) != c.want || cut != c.cut {
			t.Errorf("%s, %d bytes: %q, cut %t, %v", c.path, c.size, got, cut, err)
		}
	}
	for _, path := range []string{"/dir", "/none"} {
		if _, _, err := h.Tail(path, 10); err == nil {
			t.Errorf("%s can be read", path)
		}
	}
	if got := host.WholeLines([]byte("cut\nwhole\n")); string(got) != "whole\n" {
		t.Errorf("whole lines: %q", got)
	}
}
