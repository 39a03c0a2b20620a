package main

import (
	"time"

	"github.com/spf13/pflag"
)

// election is how processes of one kind agree on which of them acts.
type election struct {
	enabled       bool
	namespace     string
	leaseDuration time.Duration
	renewDeadline time.Duration
	retryPeriod   time.Duration
}

func (e *election) addFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&e.enabled, "leader-elect", true, "act only while elected")
	flags.StringVar(&e.namespace, "leader-election-namespace", "kube-system", "where the lease is")
	flags.DurationVar(&e.leaseDuration, "leader-election-lease-duration", 60*time.Second, "how long others wait before they take over")
	flags.DurationVar(&e.renewDeadline, "leader-election-renew-deadline", 40*time.Second, "how long the leader tries to renew")
	flags.DurationVar(&e.retryPeriod, "leader-election-retry-period", 15*time.Second, "pause between tries")
}
