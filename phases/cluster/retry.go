package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
)

// retry calls do until it succeeds, fails for good, or patience is over; then the
// last error counts. In a plan it calls do once: nothing that is missing will come.
func (c *Cluster) retry(ctx context.Context, do func(context.Context) error) error {
	var err error
	_ = wait.PollUntilContextTimeout(ctx, c.pause, c.patience, true, func(context.Context) (bool, error) {
		err = do(ctx)
		return err == nil || c.plans || !passing(err), nil
	})
	return plain(err)
}

// passing tells whether the same call may succeed soon.
func passing(err error) bool {
	if errors.Is(err, context.Canceled) || errors.As(err, new(*tls.CertificateVerificationError)) {
		return false
	}
	var answer apierrors.APIStatus
	if !errors.As(err, &answer) {
		return true // nobody answered
	}
	status := answer.Status()
	switch {
	case status.Code == http.StatusTooManyRequests, status.Code >= http.StatusInternalServerError:
		return true
	case status.Code == http.StatusForbidden:
		return isEarly(status.Message)
	case status.Code == http.StatusNotFound:
		return status.Details != nil && status.Details.Kind == "namespaces"
	}
	return false
}

// isEarly tells a refusal by an API server that has only begun from one that stays:
// its admission has not read yet what it decides by, or its authorizer does not know
// a role yet that a binding names.
func isEarly(message string) bool {
	return strings.Contains(message, "not yet ready to handle request") ||
		strings.Contains(message, "RBAC: ") && strings.HasSuffix(message, "not found")
}
