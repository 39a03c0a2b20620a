// Measures an S3 server on this machine: small objects, large ones, listing,
// and the memory of its process. Prints one JSON document.
package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	mib       = 1024 * 1024
	largeSize = 64 * mib
	partSize  = 8 * mib
)

// rate is what many small requests came to.
type rate struct {
	Requests  int     `json:"requests"`
	PerSecond float64 `json:"per_second"`
	P50Ms     float64 `json:"p50_ms"`
	P99Ms     float64 `json:"p99_ms"`
}

type report struct {
	Name            string  `json:"name"`
	Clients         int     `json:"clients"`
	RSSIdleMB       float64 `json:"rss_idle_mb"`
	Put             rate    `json:"put_1_kib"`
	Get             rate    `json:"get_1_kib"`
	LargePutMBps    float64 `json:"multipart_64_mib_put_mb_s"`
	LargeGetMBps    float64 `json:"multipart_64_mib_get_mb_s"`
	Keys            int     `json:"keys"`
	ListPageMs      float64 `json:"list_page_ms"`
	ListPageWorstMs float64 `json:"list_page_worst_ms"`
	RSSAfterMB      float64 `json:"rss_after_mb"`
}

type bench struct {
	client  *client
	bucket  string
	clients int
	span    time.Duration
}

func main() {
	name := flag.String("name", "s3", "what to call it in the report")
	endpoint := flag.String("endpoint", "", "such as http://127.0.0.1:9000")
	pid := flag.Int("pid", 0, "the server's process, for its memory")
	clients := flag.Int("clients", 16, "clients at once")
	seconds := flag.Int("seconds", 10, "how long each rate is measured")
	keys := flag.Int("keys", 100_000, "how many keys are listed")
	flag.Parse()
	host, err := url.Parse(*endpoint)
	if err != nil || (host.Hostname() != "127.0.0.1" && host.Hostname() != "::1") {
		fail(fmt.Errorf("-endpoint must be on this machine, such as http://127.0.0.1:9000"))
	}
	b := &bench{
		client: newClient(*endpoint, *clients, signer{
			os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY"), "us-east-1",
		}),
		bucket:  fmt.Sprintf("load-%d", time.Now().UnixNano()),
		clients: *clients,
		span:    time.Duration(*seconds) * time.Second,
	}
	result := report{Name: *name, Clients: *clients, Keys: *keys, RSSIdleMB: rss(*pid)}
	step := func(what string, run func() error) {
		fmt.Fprintf(os.Stderr, "%s: %s\n", *name, what)
		if err := run(); err != nil {
			fail(fmt.Errorf("%s: %w", what, err))
		}
	}
	ctx := context.Background()
	step("create a bucket", func() error {
		_, err := b.client.do(ctx, "PUT", "/"+b.bucket, nil, nil, false)
		return err
	})
	var written int
	step("PUT of 1 KiB", func() (err error) {
		result.Put, err = b.rate(func(n int) error {
			_, err := b.client.do(ctx, "PUT", b.path("small", n), nil, small(n), true)
			return err
		})
		written = result.Put.Requests
		return err
	})
	step("GET of 1 KiB", func() (err error) {
		result.Get, err = b.rate(func(n int) error {
			got, err := b.client.do(ctx, "GET", b.path("small", n%written), nil, nil, true)
			if err == nil && got.length != 1024 {
				err = fmt.Errorf("1024 bytes expected, got %d", got.length)
			}
			return err
		})
		return err
	})
	step("multipart upload and GET of 64 MiB", func() (err error) {
		result.LargePutMBps, result.LargeGetMBps, err = b.large(ctx)
		return err
	})
	step(fmt.Sprintf("PUT of %d keys", *keys), func() error {
		return b.each(*keys, func(n int) error {
			_, err := b.client.do(ctx, "PUT", b.path("list", n), nil, nil, true)
			return err
		})
	})
	step("LIST in pages of 1000", func() (err error) {
		result.ListPageMs, result.ListPageWorstMs, err = b.list(ctx, *keys)
		return err
	})
	result.RSSAfterMB = rss(*pid)
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "error:", err)
	os.Exit(1)
}

func (b *bench) path(kind string, n int) string {
	return fmt.Sprintf("/%s/%s/%07d", b.bucket, kind, n)
}

// small gives 1 KiB that differs from key to key.
func small(n int) []byte {
	line := fmt.Sprintf("%015d\n", n)
	return []byte(strings.Repeat(line, 1024/len(line)))
}

// rate lets all clients send requests, numbered from 0, for the span.
func (b *bench) rate(request func(n int) error) (rate, error) {
	var next atomic.Int64
	until := time.Now().Add(b.span)
	since := time.Now()
	taken, err := b.all(func(times *[]time.Duration) error {
		for time.Now().Before(until) {
			began := time.Now()
			if err := request(int(next.Add(1) - 1)); err != nil {
				return err
			}
			*times = append(*times, time.Since(began))
		}
		return nil
	})
	if err != nil {
		return rate{}, err
	}
	whole := time.Since(since).Seconds()
	slices.Sort(taken)
	return rate{
		Requests:  len(taken),
		PerSecond: float64(len(taken)) / whole,
		P50Ms:     ms(quantile(taken, 0.50)),
		P99Ms:     ms(quantile(taken, 0.99)),
	}, nil
}

// each sends a request for every number below count.
func (b *bench) each(count int, request func(n int) error) error {
	var next atomic.Int64
	_, err := b.all(func(*[]time.Duration) error {
		for {
			n := int(next.Add(1) - 1)
			if n >= count {
				return nil
			}
			if err := request(n); err != nil {
				return err
			}
		}
	})
	return err
}

// all runs the clients side by side and joins the times that they took.
func (b *bench) all(run func(times *[]time.Duration) error) ([]time.Duration, error) {
	var group sync.WaitGroup
	times := make([][]time.Duration, b.clients)
	errs := make([]error, b.clients)
	for n := range b.clients {
		group.Go(func() { errs[n] = run(&times[n]) })
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return slices.Concat(times...), nil
}

// large gives the medians of three uploads and three downloads, in MB/s.
func (b *bench) large(ctx context.Context) (float64, float64, error) {
	data := make([]byte, largeSize)
	for n := range data {
		data[n] = byte(n * 2654435761 >> 13)
	}
	path := "/" + b.bucket + "/large"
	var up, down []float64
	for range 3 {
		since := time.Now()
		if err := b.upload(ctx, path, data); err != nil {
			return 0, 0, err
		}
		up = append(up, largeSize/1e6/time.Since(since).Seconds())
		since = time.Now()
		got, err := b.client.do(ctx, "GET", path, nil, nil, true)
		if err != nil {
			return 0, 0, err
		}
		if got.length != largeSize {
			return 0, 0, fmt.Errorf("%d bytes expected, got %d", largeSize, got.length)
		}
		down = append(down, largeSize/1e6/time.Since(since).Seconds())
	}
	slices.Sort(up)
	slices.Sort(down)
	return up[1], down[1], nil
}

func (b *bench) upload(ctx context.Context, path string, data []byte) error {
	made, err := b.client.do(ctx, "POST", path, url.Values{"uploads": {""}}, nil, false)
	if err != nil {
		return err
	}
	var upload struct {
		UploadID string `xml:"UploadId"`
	}
	if err := xml.Unmarshal(made.body, &upload); err != nil {
		return err
	}
	parts := len(data) / partSize
	etags, errs := make([]string, parts), make([]error, parts)
	var group sync.WaitGroup
	slots := make(chan struct{}, 4)
	for n := range parts {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			query := url.Values{"partNumber": {strconv.Itoa(n + 1)}, "uploadId": {upload.UploadID}}
			part := data[n*partSize : (n+1)*partSize]
			got, err := b.client.do(ctx, "PUT", path, query, part, true)
			if err == nil {
				etags[n] = got.header.Get("ETag")
			}
			errs[n] = err
		})
	}
	group.Wait()
	var list strings.Builder
	for n := range parts {
		if errs[n] != nil {
			return errs[n]
		}
		fmt.Fprintf(&list, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", n+1, etags[n])
	}
	body := "<CompleteMultipartUpload>" + list.String() + "</CompleteMultipartUpload>"
	query := url.Values{"uploadId": {upload.UploadID}}
	_, err = b.client.do(ctx, "POST", path, query, []byte(body), false)
	return err
}

// list walks over all keys twice and gives the median and the worst of a page
// of the second walk, in milliseconds.
func (b *bench) list(ctx context.Context, keys int) (float64, float64, error) {
	var times []time.Duration
	for range 2 {
		times = times[:0]
		query := url.Values{"list-type": {"2"}, "prefix": {"list/"}, "max-keys": {"1000"}}
		found := 0
		for {
			since := time.Now()
			got, err := b.client.do(ctx, "GET", "/"+b.bucket, query, nil, false)
			if err != nil {
				return 0, 0, err
			}
			times = append(times, time.Since(since))
			var page struct {
				KeyCount              int
				NextContinuationToken string
			}
			if err := xml.Unmarshal(got.body, &page); err != nil {
				return 0, 0, err
			}
			found += page.KeyCount
			if page.NextContinuationToken == "" {
				break
			}
			query.Set("continuation-token", page.NextContinuationToken)
		}
		if found != keys {
			return 0, 0, fmt.Errorf("%d keys expected, got %d", keys, found)
		}
	}
	slices.Sort(times)
	return ms(quantile(times, 0.5)), ms(times[len(times)-1]), nil
}

func quantile(sorted []time.Duration, share float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[int(share*float64(len(sorted)-1))]
}

func ms(span time.Duration) float64 {
	return float64(span.Microseconds()) / 1000
}

// rss is the resident memory of a process, in MB.
func rss(pid int) float64 {
	if pid == 0 {
		return 0
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			kib, _ := strconv.ParseFloat(fields[1], 64)
			return kib * 1024 / 1e6
		}
	}
	return 0
}
