package main

import (
	"context"

	"github.com/spf13/pflag"

	"github.com/cert-manager/cert-manager/internal/webhook"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/webhook/options"
)

// webhookMain checks and completes cert-manager's objects on their way into the
// cluster.
func webhookMain(ctx context.Context, flags *pflag.FlagSet, args []string) error {
	config, err := options.NewWebhookConfiguration()
	if err != nil {
		return err
	}
	options.AddConfigFlags(flags, config)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := apply(&config.Logging, config.FeatureGates); err != nil {
		return err
	}
	log := logf.Log.WithName("webhook")
	server, err := webhook.NewCertManagerWebhookServer(log, *config)
	if err != nil {
		return err
	}
	return server.Run(logf.NewContext(ctx, log))
}
