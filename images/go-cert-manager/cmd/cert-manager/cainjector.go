package main

import (
	"context"

	"github.com/spf13/pflag"
	admissionregistration "k8s.io/api/admissionregistration/v1"
	core "k8s.io/api/core/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/cert-manager/cert-manager/internal/kube"
	certmanager "github.com/cert-manager/cert-manager/pkg/api"
	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
)

// cainjectorMain writes certificate authorities into webhook configurations,
// API services and definitions that ask for them.
func cainjectorMain(ctx context.Context, flags *pflag.FlagSet, args []string) error {
	c := newCommon(flags)
	setup := cainjector.SetupOptions{EnabledReconcilersFor: map[string]bool{}}
	var ignored []string
	flags.StringSliceVar(&ignored, "ignore-namespaces", nil, "namespaces whose secrets and certificates are not used")
	flags.BoolVar(&setup.EnableCertificatesDataSource, "enable-certificates-data-source", true, "take authorities from certificates")
	injectables := map[string]string{
		cainjector.ValidatingWebhookConfigurationName: "enable-validatingwebhookconfigurations-injectable",
		cainjector.MutatingWebhookConfigurationName:   "enable-mutatingwebhookconfigurations-injectable",
		cainjector.CustomResourceDefinitionName:       "enable-customresourcedefinitions-injectable",
		cainjector.APIServiceName:                     "enable-apiservices-injectable",
	}
	wanted := map[string]*bool{}
	for name, flag := range injectables {
		wanted[name] = flags.Bool(flag, true, "write authorities into "+name)
	}
	if err := c.parse(flags, args); err != nil {
		return err
	}
	setup.Namespace, setup.IgnoreNamespaces = c.namespace, ignored
	for name, enabled := range wanted {
		setup.EnabledReconcilersFor[name] = *enabled
	}
	manager, err := newManager(c)
	if err != nil {
		return err
	}
	if err := cainjector.RegisterAllInjectors(ctx, manager, setup); err != nil {
		return err
	}
	return manager.Start(ctx)
}

func newManager(c *common) (ctrl.Manager, error) {
	ctrl.SetLogger(logf.Log)
	kinds := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		scheme.AddToScheme, certmanager.AddToScheme, apiextensions.AddToScheme,
		apiregistration.AddToScheme, admissionregistration.AddToScheme,
	} {
		if err := add(kinds); err != nil {
			return nil, err
		}
	}
	config, err := kube.BuildClientConfig("", c.kubeconfig)
	if err != nil {
		return nil, err
	}
	watched := cache.Options{}
	if c.namespace != "" {
		watched.DefaultNamespaces = map[string]cache.Config{c.namespace: {}}
	}
	return ctrl.NewManager(util.RestConfigWithUserAgent(config, "cainjector"), ctrl.Options{
		Scheme: kinds,
		Cache:  watched,
		// Secrets are read one by one: not all of a cluster's are kept in memory.
		Client:                        client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&core.Secret{}}}},
		LeaderElection:                c.election.enabled,
		LeaderElectionNamespace:       c.election.namespace,
		LeaderElectionID:              "cert-manager-cainjector-leader-election",
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 &c.election.leaseDuration,
		RenewDeadline:                 &c.election.renewDeadline,
		RetryPeriod:                   &c.election.retryPeriod,
		Metrics:                       metricsserver.Options{BindAddress: c.metricsAddress},
	})
}
