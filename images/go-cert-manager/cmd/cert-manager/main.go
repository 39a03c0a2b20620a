// Command cert-manager is cert-manager's controller, webhook and cainjector in
// one executable; the first argument says which. The others are flags as
// upstream's three programs take them.
//
// Upstream's own main packages are in modules that are not published, so these
// are written anew over the published libraries. Not there: the Venafi and
// Gateway API controllers and `--config`.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/pflag"
	cliflag "k8s.io/component-base/cli/flag"
	logsapi "k8s.io/component-base/logs/api/v1"

	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
	"github.com/cert-manager/cert-manager/pkg/util/feature"
)

var processes = map[string]func(context.Context, *pflag.FlagSet, []string) error{
	"controller": controllerMain,
	"webhook":    webhookMain,
	"cainjector": cainjectorMain,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "cert-manager:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || processes[args[0]] == nil {
		return errors.New("usage: cert-manager controller|webhook|cainjector [FLAG…]")
	}
	if slices.Contains(args, "--version") {
		fmt.Println(util.VersionInfo().GitVersion)
		return nil
	}
	err := processes[args[0]](ctx, pflag.NewFlagSet(args[0], pflag.ContinueOnError), args[1:])
	if errors.Is(err, pflag.ErrHelp) {
		return nil
	}
	return err
}

// common are the flags that the controller and the cainjector share; the webhook
// has them among its own.
type common struct {
	kubeconfig     string
	namespace      string
	metricsAddress string
	election       election
	logging        *logsapi.LoggingConfiguration
	features       map[string]bool
}

func newCommon(flags *pflag.FlagSet) *common {
	c := &common{logging: logsapi.NewLoggingConfiguration(), features: map[string]bool{}}
	flags.StringVar(&c.kubeconfig, "kubeconfig", "", "kubeconfig to use instead of the pod's service account")
	flags.StringVar(&c.namespace, "namespace", "", "watch only this namespace")
	flags.StringVar(&c.metricsAddress, "metrics-listen-address", "0.0.0.0:9402", "where metrics are served; 0 for nowhere")
	flags.Var(cliflag.NewMapStringBool(&c.features), "feature-gates", "features to switch on or off, as NAME=true,…")
	c.election.addFlags(flags)
	logf.AddFlags(c.logging, flags)
	return c
}

func (c *common) parse(flags *pflag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	return apply(c.logging, c.features)
}

func apply(logging *logsapi.LoggingConfiguration, features map[string]bool) error {
	if err := logf.ValidateAndApply(logging); err != nil {
		return err
	}
	return feature.DefaultMutableFeatureGate.SetFromMap(features)
}
