package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const criEndpoint = "unix:///run/containerd/containerd.sock"

// crictl answers the two questions that kind asks of the real crictl:
// `crictl inspecti NAME` (is this image here, under which id?) and
// `crictl images -o json`. Anything else is refused.
func crictl() int {
	args := os.Args[1:]
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := grpc.NewClient(criEndpoint, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return exitCode(err)
	}
	defer conn.Close()
	images := cri.NewImageServiceClient(conn)
	switch {
	case len(args) >= 2 && args[0] == "inspecti":
		name := args[len(args)-1]
		answer, err := images.ImageStatus(ctx, &cri.ImageStatusRequest{Image: &cri.ImageSpec{Image: name}})
		if err != nil {
			return exitCode(err)
		}
		if answer.Image == nil {
			return exitCode(fmt.Errorf("no such image %q present", name))
		}
		return printJSON(map[string]any{"status": answer.Image})
	case len(args) >= 1 && args[0] == "images":
		answer, err := images.ListImages(ctx, &cri.ListImagesRequest{})
		if err != nil {
			return exitCode(err)
		}
		return printJSON(map[string]any{"images": answer.Images})
	default:
		return exitCode(fmt.Errorf("crictl: only `inspecti NAME` and `images` are built in"))
	}
}

func printJSON(value any) int {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "  ")
	return exitCode(encoder.Encode(value))
}
