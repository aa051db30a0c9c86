// Command sandbox runs a pod sandbox as crictl would: over the CRI, without the
// kubelet's labels, and prints its id. With an id it removes that one.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := grpc.NewClient("unix:///run/containerd/containerd.sock", grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	runtime := cri.NewRuntimeServiceClient(conn)
	if len(os.Args) > 1 {
		err = remove(ctx, runtime, os.Args[1])
	} else {
		err = run(ctx, runtime)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, runtime cri.RuntimeServiceClient) error {
	host := &cri.NamespaceOption{Network: cri.NamespaceMode_NODE}
	sandbox, err := runtime.RunPodSandbox(ctx, &cri.RunPodSandboxRequest{Config: &cri.PodSandboxConfig{
		Metadata: &cri.PodSandboxMetadata{Name: "theirs", Namespace: "default", Uid: "theirs"},
		Linux:    &cri.LinuxPodSandboxConfig{CgroupParent: "canary.slice", SecurityContext: &cri.LinuxSandboxSecurityContext{NamespaceOptions: host}},
	}})
	if err != nil {
		return err
	}
	fmt.Println(sandbox.PodSandboxId)
	return nil
}

func remove(ctx context.Context, runtime cri.RuntimeServiceClient, id string) error {
	if _, err := runtime.StopPodSandbox(ctx, &cri.StopPodSandboxRequest{PodSandboxId: id}); err != nil {
		return err
	}
	_, err := runtime.RemovePodSandbox(ctx, &cri.RemovePodSandboxRequest{PodSandboxId: id})
	return err
}
