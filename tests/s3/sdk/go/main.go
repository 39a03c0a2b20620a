// AWS SDK for Go v2 with its defaults: endpoint, keys and region come from the
// environment. Prints a line for each check and a closing line; exits with 1
// when one failed.
package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

const (
	mib  = 1024 * 1024
	name = "dir/a b+ü.txt"
)

type suite struct {
	ctx           context.Context
	client        *s3.Client
	presign       *s3.PresignClient
	bucket, other *string
	big           []byte
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
	client := s3.NewFromConfig(settings)
	bucket := os.Getenv("S3_BUCKET_PREFIX") + "-go"
	s := &suite{
		ctx:     ctx,
		client:  client,
		presign: s3.NewPresignClient(client),
		bucket:  &bucket,
		other:   aws.String(bucket + "-copy"),
		big:     make([]byte, 20*mib),
	}
	_, _ = rand.Read(s.big)
	checks := []struct {
		name string
		run  func() error
	}{
		{"create_buckets", s.createBuckets},
		{"put_get_head", s.putGetHead},
		{"default_checksum", s.defaultChecksum},
		{"stream_body", s.streamBody},
		{"read_range", s.readRange},
		{"list_pages", s.listPages},
		{"multipart", s.multipart},
		{"copy", s.copy},
		{"tagging", s.tagging},
		{"versioning", s.versioning},
		{"presigned_get", s.presignedGet},
		{"presigned_put", s.presignedPut},
		{"presigned_tampered", s.presignedTampered},
		{"post_form", s.postForm},
		{"conditional_put", s.conditionalPut},
		{"error_classes", s.errorClasses},
		{"waiters", s.waiters},
		{"delete_all", s.deleteAll},
	}
	failed := 0
	for _, check := range checks {
		if err := check.run(); err != nil {
			failed++
			fmt.Printf("FAIL %s: %s\n", check.name, strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("ok", check.name)
		}
	}
	fmt.Printf("%d passed, %d failed, 0 skipped\n", len(checks)-failed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

func equal[T comparable](got, want T, what string) error {
	if got != want {
		return fmt.Errorf("%s: expected %v, got %v", what, want, got)
	}
	return nil
}

func refused(err error, code string) error {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fmt.Errorf("expected %s, got %v", code, err)
	}
	return equal(api.ErrorCode(), code, "error code")
}

func (s *suite) put(bucket *string, key string, body string) error {
	_, err := s.client.PutObject(s.ctx, &s3.PutObjectInput{
		Bucket: bucket, Key: &key, Body: strings.NewReader(body),
	})
	return err
}

func (s *suite) read(input *s3.GetObjectInput) ([]byte, *s3.GetObjectOutput, error) {
	got, err := s.client.GetObject(s.ctx, input)
	if err != nil {
		return nil, nil, err
	}
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	return body, got, err
}

func (s *suite) createBuckets() error {
	for _, bucket := range []*string{s.bucket, s.other} {
		if _, err := s.client.CreateBucket(s.ctx, &s3.CreateBucketInput{Bucket: bucket}); err != nil {
			return err
		}
	}
	listed, err := s.client.ListBuckets(s.ctx, &s3.ListBucketsInput{Prefix: s.bucket})
	if err != nil {
		return err
	}
	return equal(len(listed.Buckets), 2, "number of buckets")
}

func (s *suite) putGetHead() error {
	_, err := s.client.PutObject(s.ctx, &s3.PutObjectInput{
		Bucket: s.bucket, Key: aws.String(name), Body: strings.NewReader("hello"),
		ContentType: aws.String("text/plain"), Metadata: map[string]string{"who": "go"},
	})
	if err != nil {
		return err
	}
	body, _, err := s.read(&s3.GetObjectInput{Bucket: s.bucket, Key: aws.String(name)})
	if err != nil {
		return err
	}
	head, err := s.client.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: s.bucket, Key: aws.String(name)})
	if err != nil {
		return err
	}
	return errors.Join(
		equal(string(body), "hello", "body"),
		equal(*head.ContentType, "text/plain", "Content-Type"),
		equal(head.Metadata["who"], "go", "metadata"),
		equal(*head.ETag, `"5d41402abc4b2a76b9719d911017c592"`, "ETag"),
	)
}

func (s *suite) defaultChecksum() error {
	done, err := s.client.PutObject(s.ctx, &s3.PutObjectInput{
		Bucket: s.bucket, Key: aws.String("sum"), Body: strings.NewReader("123456789"),
	})
	if err != nil {
		return err
	}
	head, err := s.client.HeadObject(s.ctx, &s3.HeadObjectInput{
		Bucket: s.bucket, Key: aws.String("sum"), ChecksumMode: types.ChecksumModeEnabled,
	})
	if err != nil {
		return err
	}
	return errors.Join(
		equal(aws.ToString(done.ChecksumCRC32), "y/Q5Jg==", "checksum of PUT"),
		equal(aws.ToString(head.ChecksumCRC32), "y/Q5Jg==", "checksum of HEAD"),
	)
}

func (s *suite) streamBody() error {
	_, err := s.client.PutObject(s.ctx, &s3.PutObjectInput{
		Bucket: s.bucket, Key: aws.String("stream"),
		Body: bytes.NewReader(bytes.Repeat([]byte("a"), 100_003)),
	})
	if err != nil {
		return err
	}
	body, _, err := s.read(&s3.GetObjectInput{Bucket: s.bucket, Key: aws.String("stream")})
	if err != nil {
		return err
	}
	return equal(len(body), 100_003, "length")
}

func (s *suite) readRange() error {
	body, got, err := s.read(&s3.GetObjectInput{
		Bucket: s.bucket, Key: aws.String("sum"), Range: aws.String("bytes=2-4"),
	})
	if err != nil {
		return err
	}
	return errors.Join(
		equal(string(body), "345", "body"),
		equal(aws.ToString(got.ContentRange), "bytes 2-4/9", "Content-Range"),
	)
}

func (s *suite) listPages() error {
	for number := range 25 {
		if err := s.put(s.bucket, fmt.Sprintf("page/%02d", number), "x"); err != nil {
			return err
		}
	}
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{
		Bucket: s.bucket, Prefix: aws.String("page/"), MaxKeys: aws.Int32(10),
	})
	var sizes []int
	for pages.HasMorePages() {
		page, err := pages.NextPage(s.ctx)
		if err != nil {
			return err
		}
		sizes = append(sizes, len(page.Contents))
	}
	top, err := s.client.ListObjectsV2(s.ctx, &s3.ListObjectsV2Input{
		Bucket: s.bucket, Delimiter: aws.String("/"),
	})
	if err != nil {
		return err
	}
	return errors.Join(
		equal(fmt.Sprint(sizes), "[10 10 5]", "sizes of pages"),
		equal(len(top.CommonPrefixes), 2, "number of common prefixes"),
	)
}

func (s *suite) multipart() error {
	up := manager.NewUploader(s.client)
	_, err := up.Upload(s.ctx, &s3.PutObjectInput{
		Bucket: s.bucket, Key: aws.String("big"), Body: bytes.NewReader(s.big),
	})
	if err != nil {
		return err
	}
	into := manager.NewWriteAtBuffer(nil)
	down := manager.NewDownloader(s.client)
	_, err = down.Download(s.ctx, into, &s3.GetObjectInput{Bucket: s.bucket, Key: aws.String("big")})
	if err != nil {
		return err
	}
	head, err := s.client.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: s.bucket, Key: aws.String("big")})
	if err != nil {
		return err
	}
	return errors.Join(
		equal(bytes.Equal(into.Bytes(), s.big), true, "the same bytes"),
		equal(strings.HasSuffix(*head.ETag, `-4"`), true, "ETag of four parts"),
	)
}

func (s *suite) copy() error {
	_, err := s.client.CopyObject(s.ctx, &s3.CopyObjectInput{
		Bucket: s.other, Key: aws.String("copied"),
		CopySource: aws.String(*s.bucket + "/dir/a%20b%2B%C3%BC.txt"),
	})
	if err != nil {
		return err
	}
	head, err := s.client.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: s.other, Key: aws.String("copied")})
	if err != nil {
		return err
	}
	return equal(head.Metadata["who"], "go", "metadata")
}

func (s *suite) tagging() error {
	_, err := s.client.PutObjectTagging(s.ctx, &s3.PutObjectTaggingInput{
		Bucket: s.bucket, Key: aws.String("sum"),
		Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("1")}}},
	})
	if err != nil {
		return err
	}
	got, err := s.client.GetObjectTagging(s.ctx, &s3.GetObjectTaggingInput{
		Bucket: s.bucket, Key: aws.String("sum"),
	})
	if err != nil {
		return err
	}
	return equal(len(got.TagSet), 1, "number of tags")
}

func (s *suite) versioning() error {
	_, err := s.client.PutBucketVersioning(s.ctx, &s3.PutBucketVersioningInput{
		Bucket: s.other,
		VersioningConfiguration: &types.VersioningConfiguration{
			Status: types.BucketVersioningStatusEnabled,
		},
	})
	if err != nil {
		return err
	}
	key := aws.String("v")
	first, err := s.client.PutObject(s.ctx, &s3.PutObjectInput{
		Bucket: s.other, Key: key, Body: strings.NewReader("1"),
	})
	if err != nil {
		return err
	}
	if err := s.put(s.other, "v", "2"); err != nil {
		return err
	}
	marker, err := s.client.DeleteObject(s.ctx, &s3.DeleteObjectInput{Bucket: s.other, Key: key})
	if err != nil {
		return err
	}
	_, _, gone := s.read(&s3.GetObjectInput{Bucket: s.other, Key: key})
	old, _, err := s.read(&s3.GetObjectInput{Bucket: s.other, Key: key, VersionId: first.VersionId})
	if err != nil {
		return err
	}
	return errors.Join(
		equal(aws.ToBool(marker.DeleteMarker), true, "DeleteMarker"),
		refused(gone, "NoSuchKey"),
		equal(string(old), "1", "old version"),
	)
}

func plain(method, url string, headers http.Header, body io.Reader) (int, string, error) {
	request, err := http.NewRequest(method, url, body)
	if err != nil {
		return 0, "", err
	}
	for header, values := range headers {
		request.Header[header] = values
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}

func (s *suite) presignedGet() error {
	made, err := s.presign.PresignGetObject(s.ctx, &s3.GetObjectInput{
		Bucket: s.bucket, Key: aws.String("sum"),
	})
	if err != nil {
		return err
	}
	status, body, err := plain(made.Method, made.URL, nil, nil)
	return errors.Join(err, equal(status, 200, "status"), equal(body, "123456789", "body"))
}

func (s *suite) presignedPut() error {
	made, err := s.presign.PresignPutObject(s.ctx, &s3.PutObjectInput{
		Bucket: s.bucket, Key: aws.String("up"),
	})
	if err != nil {
		return err
	}
	status, _, err := plain(made.Method, made.URL, made.SignedHeader, strings.NewReader("data"))
	if err != nil {
		return err
	}
	body, _, err := s.read(&s3.GetObjectInput{Bucket: s.bucket, Key: aws.String("up")})
	return errors.Join(err, equal(status, 200, "status"), equal(string(body), "data", "body"))
}

func (s *suite) presignedTampered() error {
	made, err := s.presign.PresignGetObject(s.ctx, &s3.GetObjectInput{
		Bucket: s.bucket, Key: aws.String("sum"),
	})
	if err != nil {
		return err
	}
	url := strings.Replace(made.URL, "/sum", "/up", 1)
	status, _, err := plain(made.Method, url, nil, nil)
	return errors.Join(err, equal(status, 403, "status"))
}

func (s *suite) postForm() error {
	made, err := s.presign.PresignPostObject(s.ctx, &s3.PutObjectInput{
		Bucket: s.bucket, Key: aws.String("form"),
	})
	if err != nil {
		return err
	}
	edge := "sandbox-form-edge"
	var form strings.Builder
	for field, value := range made.Values {
		fmt.Fprintf(&form, "--%s\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", edge, field, value)
	}
	fmt.Fprintf(&form, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n"+
		"form data\r\n--%s--\r\n", edge, edge)
	kind := http.Header{"Content-Type": {"multipart/form-data; boundary=" + edge}}
	status, _, err := plain("POST", made.URL, kind, strings.NewReader(form.String()))
	if err != nil {
		return err
	}
	body, _, err := s.read(&s3.GetObjectInput{Bucket: s.bucket, Key: aws.String("form")})
	return errors.Join(err, equal(status, 204, "status"), equal(string(body), "form data", "body"))
}

func (s *suite) conditionalPut() error {
	put := func() error {
		_, err := s.client.PutObject(s.ctx, &s3.PutObjectInput{
			Bucket: s.bucket, Key: aws.String("once"), Body: strings.NewReader("1"),
			IfNoneMatch: aws.String("*"),
		})
		return err
	}
	if err := put(); err != nil {
		return err
	}
	return refused(put(), "PreconditionFailed")
}

func (s *suite) errorClasses() error {
	_, _, err := s.read(&s3.GetObjectInput{Bucket: s.bucket, Key: aws.String("missing")})
	var noKey *types.NoSuchKey
	if !errors.As(err, &noKey) {
		return fmt.Errorf("expected NoSuchKey, got %w", err)
	}
	_, err = s.client.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: s.bucket, Key: aws.String("missing")})
	var notFound *types.NotFound
	if !errors.As(err, &notFound) {
		return fmt.Errorf("expected NotFound, got %w", err)
	}
	_, err = s.client.DeleteBucket(s.ctx, &s3.DeleteBucketInput{Bucket: s.bucket})
	return refused(err, "BucketNotEmpty")
}

func (s *suite) waiters() error {
	waiter := s3.NewObjectExistsWaiter(s.client)
	head := &s3.HeadObjectInput{Bucket: s.bucket, Key: aws.String("sum")}
	return waiter.Wait(s.ctx, head, 10*time.Second)
}

func (s *suite) deleteAll() error {
	for _, bucket := range []*string{s.bucket, s.other} {
		listed, err := s.client.ListObjectVersions(s.ctx, &s3.ListObjectVersionsInput{Bucket: bucket})
		if err != nil {
			return err
		}
		var all []types.ObjectIdentifier
		for _, version := range listed.Versions {
			all = append(all, types.ObjectIdentifier{Key: version.Key, VersionId: version.VersionId})
		}
		for _, marker := range listed.DeleteMarkers {
			all = append(all, types.ObjectIdentifier{Key: marker.Key, VersionId: marker.VersionId})
		}
		_, err = s.client.DeleteObjects(s.ctx, &s3.DeleteObjectsInput{
			Bucket: bucket, Delete: &types.Delete{Objects: all},
		})
		if err != nil {
			return err
		}
		if _, err := s.client.DeleteBucket(s.ctx, &s3.DeleteBucketInput{Bucket: bucket}); err != nil {
			return err
		}
	}
	_, err := s.client.HeadBucket(s.ctx, &s3.HeadBucketInput{Bucket: s.bucket})
	return refused(err, "NotFound")
}
