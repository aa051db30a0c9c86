package snapshot

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// s3Server is a real S3 server, with a bucket, and a proxy before it that makes faults.
type s3Server struct {
	*httptest.Server
	fault  atomic.Pointer[func(http.ResponseWriter, *http.Request, http.Handler)]
	folder string // of the bucket, on the server's disk
}

func startS3(t *testing.T) *s3Server {
	t.Helper()
	program := filepath.Join(t.TempDir(), "versitygw")
	build := exec.Command("go", "build", "-C", "../../testdata/s3", "-o", program, "github.com/versity/versitygw/cmd/versitygw")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	data, meta := t.TempDir(), t.TempDir()
	if err := os.Mkdir(data+"/backup", 0o700); err != nil {
		t.Fatal(err)
	}
	server := exec.Command(program, "--access", "key", "--secret", "secret", "--port", address, "--quiet", "posix", "--sidecar", meta, data)
	var log bytes.Buffer
	server.Stdout, server.Stderr = &log, &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatalf("it does not come up: %s", log.String())
		}
	}
	s := &s3Server{folder: data + "/backup"}
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address}) // the Host stays, as it is signed
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fault := s.fault.Load(); fault != nil {
			(*fault)(w, r, proxy)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *s3Server) breaks(fault func(http.ResponseWriter, *http.Request, http.Handler)) {
	s.fault.Store(&fault)
}

func (s *s3Server) open(t *testing.T, at, secret string) *Bucket {
	t.Helper()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	file := fmt.Sprintf("endpoint: %s\nregion: us-east-1\naccessKey: key\nsecretKey: %s\npathStyle: true\nca: |\n  %s\n", s.URL, secret,
		strings.ReplaceAll(strings.TrimSpace(string(ca)), "\n", "\n  "))
	b, err := OpenBucket(at, []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func s3Error(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>as the test has it</Message></Error>`, code)
}

// TestBucket talks to a real S3 server: in parts, through faults that pass, and tells those that do not.
func TestBucket(t *testing.T) {
	s := startS3(t)
	b, ctx := s.open(t, "s3://backup/cluster-1/", "secret"), t.Context()
	data := make([]byte, 40<<20) // three parts
	_, _ = rand.Read(data)       // it never fails
	store := func(name string) error {
		return b.Put(ctx, name, func(w io.Writer) error {
			_, err := w.Write(data)
			return err
		})
	}
	equal := func(name string) {
		t.Helper()
		r, err := b.Get(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s: %d bytes of %d: %v", name, len(got), len(data), err)
		}
	}
	if err := store("one"); err != nil {
		t.Fatal(err)
	}
	equal("one")

	var requests atomic.Int32
	s.breaks(func(w http.ResponseWriter, r *http.Request, to http.Handler) { // each second request fails
		if requests.Add(1)%2 == 0 {
			s3Error(w, http.StatusInternalServerError, "InternalError")
			return
		}
		to.ServeHTTP(w, r)
	})
	if err := store("through-500s"); err != nil {
		t.Error(err)
	}
	requests.Store(0)
	s.breaks(func(w http.ResponseWriter, r *http.Request, to http.Handler) { // the second part is cut once
		if r.Method == http.MethodPut && requests.Add(1) == 2 {
			_, _ = io.CopyN(io.Discard, r.Body, 1<<20)
			panic(http.ErrAbortHandler)
		}
		to.ServeHTTP(w, r)
	})
	if err := store("through-a-cut"); err != nil {
		t.Error(err)
	}
	s.breaks(func(w http.ResponseWriter, r *http.Request, to http.Handler) {
		time.Sleep(300 * time.Millisecond)
		to.ServeHTTP(w, r)
	})
	if err := store("slow"); err != nil {
		t.Error(err)
	}
	s.fault.Store(nil)
	equal("through-500s")
	equal("through-a-cut")

	s.breaks(func(w http.ResponseWriter, r *http.Request, to http.Handler) { // full in the midst
		if r.Method == http.MethodPut && strings.Contains(r.URL.RawQuery, "partNumber=2") {
			s3Error(w, http.StatusInsufficientStorage, "XMinioStorageFull")
			return
		}
		to.ServeHTTP(w, r)
	})
	wantError(t, store("full"), "the bucket is full")
	s.fault.Store(nil)
	if sizes, err := b.Sizes(ctx); err != nil || len(sizes) != 4 || sizes["one"] != int64(len(data)) {
		t.Errorf("what was not stored whole is there, or what was is not: %v %v", sizes, err)
	}
	_, err := s.open(t, "s3://backup", "wrong").Sizes(ctx)
	wantError(t, err, "refuses the credentials")
	wantError(t, s.open(t, "s3://elsewhere", "secret").Put(ctx, "x", func(io.Writer) error { return nil }), "there is no such bucket")
	_, err = b.Get(ctx, "nothing")
	wantError(t, err, "there is no such object")
	for range 2 {
		if err := b.Remove(ctx, "one"); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(s.folder + "/cluster-1/one"); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
		t.Errorf("want %q, got %v", want, err)
	}
}

func TestOpenBucketRefuses(t *testing.T) {
	const good = "endpoint: https://s3.example:9000\naccessKey: a\nsecretKey: sesame\n"
	if _, err := OpenBucket("s3://b/c", []byte(good)); err != nil {
		t.Error(err)
	}
	for at, file := range map[string]string{
		"s3://":   good,
		"s3://b":  good + "typo: x\n",
		"s3://c":  strings.Replace(good, "sesame", "", 1),
		"s3://d":  strings.Replace(good, "https://", "", 1),
		"s3://e":  good + "ca: none\n",
		"s3://\n": good,
	} {
		if _, err := OpenBucket(at, []byte(file)); err == nil || strings.Contains(err.Error(), "sesame") {
			t.Errorf("%q %q: %v", at, file, err)
		}
	}
}
