package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	"github.com/cert-manager/cert-manager/pkg/healthz"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"

	// Each enters itself into controller.Known.
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmechallenges"
	_ "github.com/cert-manager/cert-manager/pkg/controller/acmeorders"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificate-shim/ingresses"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/acme"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/vault"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/metrics"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/acme"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/vault"
)

// healthTimeout is how long after a lost lease the process counts as unhealthy.
const healthTimeout = 20 * time.Second

type controllerOptions struct {
	controller.ContextOptions
	controllers   []string
	workers       int
	healthAddress string
}

// defaultOptions are upstream's, which are in a package that also needs an
// issuer whose module is not published.
func defaultOptions() *controllerOptions {
	o := &controllerOptions{controllers: []string{"*"}, workers: 5, healthAddress: "0.0.0.0:9403"}
	o.KubernetesAPIQPS, o.KubernetesAPIBurst = 20, 50
	o.ClusterResourceNamespace = "kube-system"
	o.ClusterIssuerAmbientCredentials = true
	o.HTTP01SolverImage = "quay.io/jetstack/cert-manager-acmesolver:" + util.AppVersion
	o.HTTP01SolverResourceRequestCPU = resource.MustParse("10m")
	o.HTTP01SolverResourceRequestMemory = resource.MustParse("64Mi")
	o.HTTP01SolverResourceLimitsCPU = resource.MustParse("100m")
	o.HTTP01SolverResourceLimitsMemory = resource.MustParse("64Mi")
	o.ACMEHTTP01SolverRunAsNonRoot = true
	o.DNS01CheckAuthoritative = true
	o.DNS01CheckRetryPeriod = 10 * time.Second
	o.DefaultIssuerKind, o.DefaultIssuerGroup = "Issuer", "cert-manager.io"
	o.DefaultAutoCertificateAnnotations = []string{"kubernetes.io/tls-acme"}
	o.CopiedAnnotationPrefixes = []string{"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/"}
	o.CertificateRequestMinimumBackoffDuration = time.Hour
	o.CertificateRequestMaximumBackoffDuration = 32 * time.Hour
	o.MaxConcurrentChallenges = 60
	return o
}

func (o *controllerOptions) addFlags(flags *pflag.FlagSet) (onlyRecursive *bool) {
	flags.StringVar(&o.APIServerHost, "api-server-host", o.APIServerHost, "address of the API server")
	flags.Float32Var(&o.KubernetesAPIQPS, "kube-api-qps", o.KubernetesAPIQPS, "requests a second")
	flags.IntVar(&o.KubernetesAPIBurst, "kube-api-burst", o.KubernetesAPIBurst, "requests at once")
	flags.StringVar(&o.ClusterResourceNamespace, "cluster-resource-namespace", o.ClusterResourceNamespace, "where the secrets of ClusterIssuers are")
	flags.StringSliceVar(&o.controllers, "controllers", o.controllers, "controllers to run: *, NAME or -NAME")
	flags.IntVar(&o.workers, "concurrent-workers", o.workers, "workers of each controller")
	flags.IntVar(&o.MaxConcurrentChallenges, "max-concurrent-challenges", o.MaxConcurrentChallenges, "challenges at once")
	flags.BoolVar(&o.ClusterIssuerAmbientCredentials, "cluster-issuer-ambient-credentials", o.ClusterIssuerAmbientCredentials, "ClusterIssuers may use the machine's credentials")
	flags.BoolVar(&o.IssuerAmbientCredentials, "issuer-ambient-credentials", o.IssuerAmbientCredentials, "Issuers may use the machine's credentials")
	flags.BoolVar(&o.EnableOwnerRef, "enable-certificate-owner-ref", o.EnableOwnerRef, "delete a secret with its certificate")
	flags.StringSliceVar(&o.CopiedAnnotationPrefixes, "copied-annotation-prefixes", o.CopiedAnnotationPrefixes, "annotations to copy to requests")
	flags.StringVar(&o.DefaultIssuerName, "default-issuer-name", o.DefaultIssuerName, "issuer of ingresses that name none")
	flags.StringVar(&o.DefaultIssuerKind, "default-issuer-kind", o.DefaultIssuerKind, "its kind")
	flags.StringVar(&o.DefaultIssuerGroup, "default-issuer-group", o.DefaultIssuerGroup, "its group")
	flags.StringSliceVar(&o.DefaultAutoCertificateAnnotations, "auto-certificate-annotations", o.DefaultAutoCertificateAnnotations, "annotations of ingresses that ask for the default issuer")
	flags.StringVar(&o.HTTP01SolverImage, "acme-http01-solver-image", o.HTTP01SolverImage, "image that answers HTTP-01 challenges")
	flags.BoolVar(&o.ACMEHTTP01SolverRunAsNonRoot, "acme-http01-solver-run-as-non-root", o.ACMEHTTP01SolverRunAsNonRoot, "run it without root")
	flags.StringVar(&o.HTTP01SolverRuntimeClassName, "acme-http01-solver-runtime-class-name", "", "its runtime class")
	flags.StringSliceVar(&o.HTTP01SolverNameservers, "acme-http01-solver-nameservers", nil, "name servers to check HTTP-01 challenges with")
	flags.StringToStringVar(&o.HTTP01SolverExtraLabels, "acme-http01-solver-extra-labels", nil, "more labels for it")
	flags.StringSliceVar(&o.DNS01Nameservers, "dns01-recursive-nameservers", nil, "name servers to check DNS-01 challenges with")
	onlyRecursive = flags.Bool("dns01-recursive-nameservers-only", false, "check with these only, not the authoritative ones")
	flags.DurationVar(&o.DNS01CheckRetryPeriod, "dns01-check-retry-period", o.DNS01CheckRetryPeriod, "pause between checks")
	flags.StringVar(&o.healthAddress, "healthz-listen-address", o.healthAddress, "where /livez is served")
	return onlyRecursive
}

// controllerMain issues certificates.
func controllerMain(ctx context.Context, flags *pflag.FlagSet, args []string) error {
	c := newCommon(flags)
	o := defaultOptions()
	onlyRecursive := o.addFlags(flags)
	if err := c.parse(flags, args); err != nil {
		return err
	}
	o.Kubeconfig, o.Namespace = c.kubeconfig, c.namespace
	o.DNS01CheckAuthoritative = !*onlyRecursive

	log := logf.Log.WithName("controller")
	group, ctx := errgroup.WithContext(logf.NewContext(ctx, log))
	factory, err := controller.NewContextFactory(ctx, o.ContextOptions)
	if err != nil {
		return err
	}
	shared, err := factory.Build()
	if err != nil {
		return err
	}
	if err := serveMetrics(ctx, group, shared, c.metricsAddress); err != nil {
		return err
	}
	health := healthz.NewServer(healthTimeout)
	listener, err := net.Listen("tcp", o.healthAddress)
	if err != nil {
		return err
	}
	group.Go(func() error { return health.Start(ctx, listener) })
	group.Go(func() error {
		if !c.election.enabled {
			return o.run(ctx, factory, shared)
		}
		return elect(ctx, c.election, factory, health, func(ctx context.Context) error {
			return o.run(ctx, factory, shared)
		})
	})
	return group.Wait()
}

func serveMetrics(ctx context.Context, group *errgroup.Group, shared *controller.Context, address string) error {
	if address == "0" {
		return nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := shared.Metrics.NewServer(listener)
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		return server.Close()
	})
	return nil
}

// run runs the wanted controllers until one fails or the context ends.
func (o *controllerOptions) run(ctx context.Context, factory *controller.ContextFactory, shared *controller.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	enabled, err := o.enabled()
	if err != nil {
		return err
	}
	for _, name := range sets.List(enabled) {
		one, err := controller.Known()[name](factory)
		if err != nil {
			return err
		}
		logf.FromContext(ctx).Info("starting controller", "controller", name)
		group.Go(func() error { return one.Run(o.workers, ctx) })
	}
	// After the controllers have said what they watch.
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	shared.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	return group.Wait()
}

// enabled reads `--controllers`: only what is switched off leaves all others on.
func (o *controllerOptions) enabled() (sets.Set[string], error) {
	known := sets.KeySet(controller.Known())
	on, off := sets.New[string](), sets.New[string]()
	for _, name := range o.controllers {
		bare, negated := strings.CutPrefix(name, "-")
		switch {
		case name == "*":
			on = on.Union(known)
		case !known.Has(bare):
			return nil, errors.New("no controller is called " + bare)
		case negated:
			off.Insert(bare)
		default:
			on.Insert(bare)
		}
	}
	if on.Len() == 0 {
		on = known
	}
	if o.Namespace != "" {
		off.Insert(clusterissuers.ControllerName)
	}
	return on.Difference(off), nil
}

// elect runs what is given while this process is the leader. Having lost the
// lease is a failure: the pod starts over.
func elect(ctx context.Context, e election, factory *controller.ContextFactory, health *healthz.Server, run func(context.Context) error) error {
	clients, err := factory.Build("leader-election")
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	lock, err := resourcelock.New(resourcelock.LeasesResourceLock, e.namespace, "cert-manager-controller",
		clients.Client.CoreV1(), clients.Client.CoordinationV1(),
		resourcelock.ResourceLockConfig{Identity: host + "-external-cert-manager-controller", EventRecorder: clients.Recorder})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: e.leaseDuration, RenewDeadline: e.renewDeadline, RetryPeriod: e.retryPeriod,
		ReleaseOnCancel: true, WatchDog: health.LeaderHealthzAdaptor,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) {
				ended <- run(ctx)
				cancel()
			},
			OnStoppedLeading: func() {},
		},
	})
	if err != nil {
		return err
	}
	elector.Run(ctx)
	select {
	case err := <-ended:
		return err
	default:
	}
	if ctx.Err() != nil {
		return nil
	}
	return errors.New("lost the lease")
}
