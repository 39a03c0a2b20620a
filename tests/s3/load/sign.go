package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"time"
)

const (
	service  = "s3"
	unsigned = "UNSIGNED-PAYLOAD"
)

type signer struct {
	accessKey, secretKey, region string
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// sign adds signature version 4 to a request. The body stays unsigned, so that
// the figures are the server's and not those of hashing in the client.
func (s signer) sign(request *http.Request) {
	now := time.Now().UTC()
	day, moment := now.Format("20060102"), now.Format("20060102T150405Z")
	request.Header.Set("x-amz-date", moment)
	request.Header.Set("x-amz-content-sha256", unsigned)
	names := "host;x-amz-content-sha256;x-amz-date"
	canonical := strings.Join([]string{
		request.Method,
		request.URL.EscapedPath(),
		canonicalQuery(request.URL.Query()),
		"host:" + request.URL.Host,
		"x-amz-content-sha256:" + unsigned,
		"x-amz-date:" + moment,
		"",
		names,
		unsigned,
	}, "\n")
	scope := strings.Join([]string{day, s.region, service, "aws4_request"}, "/")
	hash := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{"AWS4-HMAC-SHA256", moment, scope, hex.EncodeToString(hash[:])}, "\n")
	key := []byte("AWS4" + s.secretKey)
	for _, part := range []string{day, s.region, service, "aws4_request"} {
		key = mac(key, part)
	}
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+s.accessKey+"/"+scope+
		", SignedHeaders="+names+", Signature="+hex.EncodeToString(mac(key, text)))
}

func canonicalQuery(query url.Values) string {
	var pairs []string
	for name, values := range query {
		for _, value := range values {
			pairs = append(pairs, encode(name)+"="+encode(value))
		}
	}
	sort.Strings(pairs)
	return strings.Join(pairs, "&")
}

func encode(text string) string {
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
}
