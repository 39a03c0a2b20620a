// A load generator for the telemetry server. Payloads are made once; before each
// request only the ids and times in it are replaced, so that no two spans are the
// same and the generator costs little beside the server.
//
//	load -to http://127.0.0.1:8126 v0.5      Datadog traces
//	load -to 127.0.0.1:4317 grpc             OTLP traces
//	load -to 127.0.0.1:8125 dogstatsd        metrics, -rate packets a second
//
// Prints one JSON object.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// What was asked for.
type order struct {
	to          string
	connections int
	spans       int
	count       int64
	rate        int
	length      time.Duration
}

// One connection: sends its payload again and again.
type sender interface {
	// Sends it once with ids never used before.
	send() error
	close()
}

type result struct {
	Spans       int64   `json:"spans,omitempty"`
	Packets     int64   `json:"packets,omitempty"`
	Requests    int64   `json:"requests,omitempty"`
	Refused     int64   `json:"refused"`
	Bytes       int64   `json:"bytes"`
	Seconds     float64 `json:"seconds"`
	PerSecond   float64 `json:"per_second"`
	CPUSeconds  float64 `json:"cpu_seconds"`
	P50Ms       float64 `json:"p50_ms,omitempty"`
	P99Ms       float64 `json:"p99_ms,omitempty"`
	FirstRefuse string  `json:"first_refusal,omitempty"`
}

var errRefused = errors.New("refused")

func main() {
	log.SetFlags(0)
	var o order
	flag.StringVar(&o.to, "to", "", "where the server is")
	flag.IntVar(&o.connections, "connections", 4, "how many connections")
	flag.IntVar(&o.spans, "spans", 1000, "spans in one request")
	flag.Int64Var(&o.count, "count", 0, "stop after this many spans; 0: after -for")
	flag.IntVar(&o.rate, "rate", 10000, "dogstatsd packets a second")
	flag.DurationVar(&o.length, "for", 5*time.Second, "how long")
	flag.Parse()
	var (
		got result
		err error
	)
	switch flag.Arg(0) {
	case "v0.4", "v0.5":
		got, err = run(o, func() (sender, error) { return newDatadog(o, flag.Arg(0)) })
	case "grpc":
		got, err = run(o, func() (sender, error) { return newGRPC(o) })
	case "dogstatsd":
		got, err = packets(o)
	default:
		err = fmt.Errorf("unknown kind of load %q", flag.Arg(0))
	}
	if err != nil {
		log.Fatal(err)
	}
	got.CPUSeconds = cpu()
	if err := json.NewEncoder(os.Stdout).Encode(got); err != nil {
		log.Fatal(err)
	}
}

func run(o order, connect func() (sender, error)) (result, error) {
	var (
		sent, refused, ordered atomic.Int64
		first                  atomic.Value
		times                  = make([][]time.Duration, o.connections)
		failed                 = make(chan error, o.connections)
		group                  sync.WaitGroup
		payload                int
	)
	senders := make([]sender, o.connections)
	for i := range senders {
		one, err := connect()
		if err != nil {
			return result{}, err
		}
		defer one.close()
		senders[i] = one
		if sized, ok := one.(interface{ size() int }); ok {
			payload = sized.size()
		}
	}
	since := time.Now()
	until := since.Add(o.length)
	for i, one := range senders {
		group.Add(1)
		go func() {
			defer group.Done()
			for {
				if o.count > 0 {
					if ordered.Add(int64(o.spans)) > o.count {
						return
					}
				} else if time.Now().After(until) {
					return
				}
				began := time.Now()
				switch err := one.send(); {
				case err == nil:
					sent.Add(1)
				case errors.Is(err, errRefused):
					refused.Add(1)
					first.CompareAndSwap(nil, err.Error())
				default:
					failed <- err
					return
				}
				times[i] = append(times[i], time.Since(began))
			}
		}()
	}
	group.Wait()
	took := time.Since(since).Seconds()
	select {
	case err := <-failed:
		return result{}, err
	default:
	}
	var all []time.Duration
	for _, some := range times {
		all = append(all, some...)
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	spans := sent.Load() * int64(o.spans)
	got := result{
		Spans: spans, Requests: sent.Load(), Refused: refused.Load(), Bytes: sent.Load() * int64(payload),
		Seconds: took, PerSecond: float64(spans) / took, P50Ms: at(all, 0.5), P99Ms: at(all, 0.99),
	}
	if text, ok := first.Load().(string); ok {
		got.FirstRefuse = text
	}
	return got, nil
}

func at(sorted []time.Duration, part float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[int(part*float64(len(sorted)-1))].Microseconds()) / 1000
}

// CPU time of this process, to be held against the server's.
func cpu() float64 {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		return 0
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(use.Utime) + seconds(use.Stime)
}
