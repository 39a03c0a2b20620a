package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/flannel-io/flannel/pkg/backend"
	_ "github.com/flannel-io/flannel/pkg/backend/hostgw"
	"github.com/flannel-io/flannel/pkg/ip"
	"github.com/flannel-io/flannel/pkg/ipmatch"
	"github.com/flannel-io/flannel/pkg/subnet"
	"github.com/flannel-io/flannel/pkg/subnet/kube"
	"github.com/flannel-io/flannel/pkg/trafficmngr/iptables"
	log "k8s.io/klog/v2"
)

const (
	annotationPrefix = "flannel.alpha.coreos.com"
	subnetFile       = "/run/flannel/subnet.env"
	resyncSeconds    = 5
	apiDeadline      = 60 * time.Second
)

// flannel is the flannel daemon with the one backend a Kind cluster needs
// (host-gw: every node is on one layer-2 network). It also writes the CNI
// configuration from the node's lease, which replaces flannel's own CNI plugin
// and its two init containers.
func flannel() int {
	flags := flag.NewFlagSet("flannel", flag.ExitOnError)
	netConf := flags.String("net-config-path", "/etc/kube-flannel/net-conf.json", "flannel's network configuration")
	cniConf := flags.String("cni-conf", "/etc/cni/net.d/10-flannel.conflist", "CNI configuration to write")
	log.InitFlags(flags)
	_ = flags.Parse(os.Args[1:]) // ExitOnError
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return exitCode(runFlannel(ctx, stop, *netConf, *cniConf))
}

func runFlannel(ctx context.Context, stop context.CancelFunc, netConf, cniConf string) error {
	manager, err := subnetManager(ctx, netConf)
	if err != nil {
		return fmt.Errorf("subnet manager: %w", err)
	}
	config, err := manager.GetNetworkConfig(ctx)
	if err != nil {
		return fmt.Errorf("network configuration: %w", err)
	}
	var wg sync.WaitGroup
	network, err := register(ctx, &wg, manager, config)
	if err != nil {
		return fmt.Errorf("register with the network: %w", err)
	}
	lease := network.Lease()
	rules := &iptables.IPTablesManager{}
	if err := rules.Init(ctx); err != nil {
		return fmt.Errorf("iptables: %w", err)
	}
	none4, none6 := ip.IP4Net{}, ip.IP6Net{}
	err = rules.SetupAndEnsureMasqRules(ctx, config.Network, none4, none4, config.IPv6Network, none6, none6, lease, resyncSeconds, false)
	if err != nil {
		return fmt.Errorf("masquerade rules: %w", err)
	}
	rules.SetupAndEnsureForwardRules(ctx, config.Network, config.IPv6Network, resyncSeconds)
	if err := manager.HandleSubnetFile(subnetFile, config, true, lease.Subnet, lease.IPv6Subnet, network.MTU()); err != nil {
		return fmt.Errorf("write %s: %w", subnetFile, err)
	}
	if err := writeConflist(cniConf, network.MTU(), lease.Subnet.String()); err != nil {
		return err
	}
	log.Infof("lease %s, wrote %s", lease.Subnet, cniConf)
	wg.Add(1)
	go func() { defer wg.Done(); network.Run(ctx) }()
	if err := manager.CompleteLease(ctx, lease, &wg); err != nil {
		log.Errorf("complete the lease: %v", err)
		stop()
	}
	wg.Wait()
	return nil
}

// subnetManager tries again until the deadline: the API server's service
// address answers only once kube-proxy has run on this node.
func subnetManager(ctx context.Context, netConf string) (subnet.Manager, error) {
	deadline := time.Now().Add(apiDeadline)
	for {
		manager, err := kube.NewSubnetManager(ctx, "", "", annotationPrefix, netConf, true)
		if err == nil || ctx.Err() != nil || time.Now().After(deadline) {
			return manager, err
		}
		log.Warningf("subnet manager: %v; trying again", err)
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func register(ctx context.Context, wg *sync.WaitGroup, manager subnet.Manager, config *subnet.Config) (backend.Network, error) {
	stack, err := ipmatch.GetIPFamily(config.EnableIPv4, config.EnableIPv6)
	if err != nil {
		return nil, err
	}
	external, err := ipmatch.LookupExtIface("", "", "", stack, ipmatch.PublicIPOpts{})
	if err != nil {
		return nil, err
	}
	chosen, err := backend.NewManager(ctx, manager, external).GetBackend(config.BackendType)
	if err != nil {
		return nil, err
	}
	return chosen.RegisterNetwork(ctx, wg, config)
}

type object = map[string]any

// writeConflist puts the file in place by a rename, so that the kubelet never
// reads half of it. Pods hang on ptp links, not on a bridge: everything between
// them is then routed, and Services between pods of one node need no
// br_netfilter on the host.
func writeConflist(path string, mtu int, lease string) error {
	body, err := json.MarshalIndent(object{
		"cniVersion": "0.4.0",
		"name":       "pods",
		"plugins": []object{
			{
				"type": "ptp", "mtu": mtu, "ipMasq": false,
				"ipam": object{
					"type":   "host-local",
					"ranges": [][]object{{{"subnet": lease}}},
					"routes": []object{{"dst": "0.0.0.0/0"}},
				},
			},
			{"type": "portmap", "capabilities": object{"portMappings": true}},
		},
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", body, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
