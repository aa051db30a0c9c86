package runtime

import (
	"context"
	"errors"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

// Errors of a runtime that does not answer as one should.
var (
	ErrNoCRI = errors.New("it does not speak CRI")
	ErrHangs = errors.New("it takes the connection and does not answer")
)

// Who asks a runtime who it is, ready or not. A runtime whose CRI plugin is off gives
// ErrNoCRI, one that says nothing while ctx lasts ErrHangs.
func (c *CRI) Who(ctx context.Context) (Info, error) {
	answer, err := c.pods.Version(ctx, &cri.VersionRequest{})
	switch status.Code(err) {
	case codes.OK:
		return Info{Name: answer.RuntimeName, Version: answer.RuntimeVersion}, nil
	case codes.Unimplemented:
		return Info{}, ErrNoCRI
	case codes.DeadlineExceeded, codes.Canceled:
		return Info{}, ErrHangs
	}
	return Info{}, plain(err)
}
