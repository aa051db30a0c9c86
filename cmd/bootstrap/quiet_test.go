package main

import (
	"context"
	"io"
	"os"
	"testing"

	"k8s.io/klog/v2"
)

// TestClientGoIsSilent: what it logs, an error too, does not come between our lines.
func TestClientGoIsSilent(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	real := os.Stderr
	os.Stderr = write
	silenceClientGo()
	klog.Background().Error(io.ErrUnexpectedEOF, "unexpected error when reading response body")
	klog.FromContext(context.Background()).Error(io.ErrUnexpectedEOF, "again")
	klog.ErrorS(io.ErrUnexpectedEOF, "and again")
	klog.Errorf("in the old way: %v", io.ErrUnexpectedEOF)
	klog.Flush()
	os.Stderr = real
	_ = write.Close() // a pipe
	printed, err := io.ReadAll(read)
	if err != nil || len(printed) > 0 {
		t.Errorf("printed %q, %v", printed, err)
	}
}
