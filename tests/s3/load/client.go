package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

type client struct {
	http     *http.Client
	endpoint string
	signer   signer
}

func newClient(endpoint string, connections int, signer signer) *client {
	transport := &http.Transport{
		MaxIdleConns:        connections,
		MaxIdleConnsPerHost: connections,
		DisableCompression:  true,
		WriteBufferSize:     256 * 1024,
		ReadBufferSize:      256 * 1024,
	}
	return &client{
		http:     &http.Client{Transport: transport, Timeout: 2 * time.Minute},
		endpoint: endpoint,
		signer:   signer,
	}
}

type answer struct {
	header http.Header
	body   []byte
	length int64
}

// do sends one request and reads the whole answer; with discard its bytes are
// only counted.
func (c *client) do(
	ctx context.Context, method, path string, query url.Values, body []byte, discard bool,
) (answer, error) {
	target := c.endpoint + path
	if len(query) > 0 {
		target += "?" + canonicalQuery(query)
	}
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	c.signer.sign(request)
	got, err := c.http.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer got.Body.Close()
	result := answer{header: got.Header}
	if discard && got.StatusCode < 300 {
		result.length, err = io.Copy(io.Discard, got.Body)
	} else {
		result.body, err = io.ReadAll(got.Body)
		result.length = int64(len(result.body))
	}
	if err != nil {
		return answer{}, err
	}
	if got.StatusCode >= 300 {
		return answer{}, fmt.Errorf("%s %s: %s %.200s", method, path, got.Status, result.body)
	}
	return result, nil
}
