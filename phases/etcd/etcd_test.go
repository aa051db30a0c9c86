package etcd

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"bootstrap/phases/pki"
)

// server answers as etcd does.
type server struct {
	pb.UnimplementedClusterServer
	pb.UnimplementedMaintenanceServer
	members   []*pb.Member
	removed   []uint64
	unhealthy int // how often it refuses to lose a member
	status    *pb.StatusResponse
}

func (s *server) MemberList(context.Context, *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	return &pb.MemberListResponse{Header: &pb.ResponseHeader{}, Members: s.members}, nil
}

func (s *server) MemberRemove(_ context.Context, r *pb.MemberRemoveRequest) (*pb.MemberRemoveResponse, error) {
	if s.unhealthy > 0 {
		s.unhealthy--
		return nil, rpctypes.ErrGRPCUnhealthy
	}
	if r.ID == 404 {
		return nil, rpctypes.ErrGRPCMemberNotFound
	}
	s.removed = append(s.removed, r.ID)
	return &pb.MemberRemoveResponse{Header: &pb.ResponseHeader{}}, nil
}

func (s *server) Status(context.Context, *pb.StatusRequest) (*pb.StatusResponse, error) {
	return s.status, nil
}

// material is a CA, and a certificate of it for both ends.
func material(t *testing.T) TLS {
	t.Helper()
	caKey, err := pki.NewKey("ECDSA-P256")
	if err != nil {
		t.Fatal(err)
	}
	ca, err := pki.NewCA("etcd-ca", caKey, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	key, err := pki.NewKey("ECDSA-P256")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.Issue(pki.Leaf{CommonName: "node-1", Names: []string{"127.0.0.1"}, Server: true, Client: true, Validity: time.Hour}, key)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := pki.EncodeKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return TLS{CA: pki.EncodeCert(ca.Cert), Cert: pki.EncodeCert(cert), Key: pem}
}

// serve starts it, and gives a client of node-1.
func serve(t *testing.T, s *server) *Client {
	t.Helper()
	files := material(t)
	pair, err := tls.X509KeyPair(files.Cert, files.Key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer(grpc.Creds(credentials.NewTLS(&tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert})))
	pb.RegisterClusterServer(g, s)
	pb.RegisterMaintenanceServer(g, s)
	go g.Serve(listener)
	t.Cleanup(g.Stop)
	return dial(t, "https://"+listener.Addr().String(), files)
}

func dial(t *testing.T, endpoint string, files TLS) *Client {
	t.Helper()
	c, err := Dial(endpoint, files, "node-1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestMembers(t *testing.T) {
	s := &server{members: []*pb.Member{{ID: 7, Name: "node-2"}, {ID: 8}, {ID: 9, Name: "node-1"}}}
	c := serve(t, s)
	got, err := c.Members(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(s.members, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if own := c.Own(got); own == nil || own.ID != 9 {
		t.Errorf("own member: %v", own)
	}
	if own := c.Own(got[:2]); own != nil {
		t.Errorf("none of them is ours, got %v", own)
	}
}

// TestRemove: what passes is waited for, anything else is told.
func TestRemove(t *testing.T) {
	s := &server{unhealthy: 2}
	c := serve(t, s)
	if err := c.Remove(t.Context(), 9); err != nil || !cmp.Equal(s.removed, []uint64{9}) {
		t.Errorf("removed %v: %v", s.removed, err)
	}
	if err := c.Remove(t.Context(), 404); err == nil || !strings.Contains(err.Error(), "member not found") {
		t.Errorf("got %v", err)
	}
	s.unhealthy = 1000
	soon, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	if err := c.Remove(soon, 9); err == nil || soon.Err() == nil {
		t.Errorf("it never becomes healthy: %v", err)
	}
}

func TestStatus(t *testing.T) {
	c := serve(t, &server{status: &pb.StatusResponse{
		Header: &pb.ResponseHeader{Revision: 12}, Version: "3.6.8", DbSize: 4096, DbSizeInUse: 1024, Leader: 9, Errors: []string{"memberID:9 alarm:NOSPACE"},
	}})
	got, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := Status{Version: "3.6.8", Leader: 9, Revision: 12, SizeBytes: 4096, InUseBytes: 1024, Alarms: []string{"memberID:9 alarm:NOSPACE"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestNobodyAnswers: neither a closed port nor a server that says nothing holds anyone up.
func TestNobodyAnswers(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	files := material(t)
	for _, endpoint := range []string{"https://127.0.0.1:1", "https://" + listener.Addr().String()} {
		c := dial(t, endpoint, files)
		soon, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		start := time.Now()
		_, membersErr := c.Members(soon)
		_, statusErr := c.Status(soon)
		cancel()
		if took := time.Since(start); membersErr == nil || statusErr == nil || took > 2*time.Second {
			t.Errorf("%s: %v, %v after %s", endpoint, membersErr, statusErr, took)
		}
	}
}

func TestDialRefuses(t *testing.T) {
	files := material(t)
	for _, c := range []TLS{{CA: files.CA, Cert: files.Cert}, {CA: []byte("none"), Cert: files.Cert, Key: files.Key}} {
		if _, err := Dial("https://127.0.0.1:1", c, "node-1"); err == nil {
			t.Error("it takes certificates that are none")
		}
	}
}
