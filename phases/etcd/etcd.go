// Package etcd asks this node's etcd for its members and its state, and removes members.
// It is the only one that knows etcd's client. It must not read a config or a file: where
// etcd is, and the certificates to show there, are given to it.
package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// callTimeout bounds one call. An etcd without a leader answers none.
const callTimeout = 5 * time.Second

// TLS is who to trust and who to be, in PEM.
type TLS struct{ CA, Cert, Key []byte }

// Client asks one member.
type Client struct {
	etcd   *clientv3.Client
	name   string
	config clientv3.Config
}

// Dial prepares to ask the member called name at endpoint, such as https://127.0.0.1:2379.
// It connects with the first call.
func Dial(endpoint string, files TLS, name string) (*Client, error) {
	pair, err := tls.X509KeyPair(files.Cert, files.Key)
	if err != nil {
		return nil, fmt.Errorf("etcd's client certificate: %w", err)
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(files.CA) {
		return nil, errors.New("etcd's CA: there is no certificate in it")
	}
	return open(name, clientv3.Config{
		Endpoints: []string{endpoint},
		TLS:       &tls.Config{RootCAs: trusted, Certificates: []tls.Certificate{pair}},
	})
}

func open(name string, config clientv3.Config) (*Client, error) {
	config.Logger = zap.NewNop() // else it writes each try to the terminal
	c, err := clientv3.New(config)
	if err != nil {
		return nil, err
	}
	return &Client{etcd: c, name: name, config: config}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.etcd.Close() }

// Member is one of the cluster's. One that has not started yet has no name.
type Member = etcdserverpb.Member

// Members are all of the cluster. It needs most of them to agree.
func (c *Client) Members(ctx context.Context) ([]*Member, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer, err := c.etcd.MemberList(ctx)
	if err != nil {
		return nil, err
	}
	return answer.Members, nil
}

// Own picks the member that is asked; nil if it is none of them any more.
func (c *Client) Own(members []*Member) *Member {
	for _, m := range members {
		if m.Name == c.name {
			return m
		}
	}
	return nil
}

// Remove takes a member out of the cluster. While the others are not yet healthy enough to
// lose one, it tries again until ctx ends.
func (c *Client) Remove(ctx context.Context, id uint64) error {
	for {
		soon, cancel := context.WithTimeout(ctx, callTimeout)
		_, err := c.etcd.MemberRemove(soon, id)
		cancel()
		if !errors.Is(err, rpctypes.ErrUnhealthy) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(500 * time.Millisecond):
		}
	}
}
