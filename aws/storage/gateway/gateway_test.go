package gateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/treatyfed/treaty/core/fault"
)

const account, other = "123456789012", "210987654321"

// begin gives a gateway over a folder.
func begin(t *testing.T, folder string) *Gateway {
	t.Helper()
	g := &Gateway{Folder: folder, Rand: rand.Reader}
	t.Cleanup(func() { _ = g.Close() })
	return g
}

// client calls a gateway with a key.
func client(t *testing.T, g *Gateway, k Key) *s3.Client {
	t.Helper()
	return s3.New(s3.Options{
		BaseEndpoint: aws.String("http://s3"), Region: Region, UsePathStyle: true,
		Credentials:      credentials.NewStaticCredentialsProvider(k.ID, k.Secret, ""),
		HTTPClient:       &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return g.Dial(ctx) }}},
		RetryMaxAttempts: 1,
	})
}

func of(t *testing.T, g *Gateway, account string) *s3.Client {
	t.Helper()
	k, err := g.Account(account)
	if err != nil {
		t.Fatal(err)
	}
	return client(t, g, k)
}

func code(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return fmt.Sprint(err)
}

func put(t *testing.T, c *s3.Client, bucket, key, text string) {
	t.Helper()
	if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(text)}); err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
}

func get(t *testing.T, c *s3.Client, bucket, key string) string {
	t.Helper()
	out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatalf("get %s: %v", key, err)
	}
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestGatewaysLiveSideBySideAndLeaveTheWorkingDirectory(t *testing.T) {
	before, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	one, two := begin(t, t.TempDir()), begin(t, "")
	for i, g := range []*Gateway{one, two} {
		c := of(t, g, account)
		if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("data")}); err != nil {
			t.Fatal(err)
		}
		put(t, c, "data", "a/b.txt", fmt.Sprint("gateway ", i))
	}
	for i, g := range []*Gateway{one, two} {
		if got := get(t, of(t, g, account), "data", "a/b.txt"); got != fmt.Sprint("gateway ", i) {
			t.Errorf("gateway %d has %q", i, got)
		}
	}
	if after, _ := os.Getwd(); after != before {
		t.Errorf("the working directory went from %s to %s", before, after)
	}
	if left, _ := filepath.Glob(".sgw*"); len(left) > 0 {
		t.Errorf("left in the working directory: %v", left)
	}
	if err := two.Close(); err != nil {
		t.Error(err)
	}
	if _, err := two.Bucket(t.Context(), "data"); !errors.Is(err, fault.Unavailable) {
		t.Errorf("a closed gateway says %v", err)
	}
}

func TestObjectsOutliveTheGatewayAndTheFoldersName(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old, moved := filepath.Join(dir, "old"), filepath.Join(dir, "moved")
	g := begin(t, old)
	c := of(t, g, account)
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("data")}); err != nil {
		t.Fatal(err)
	}
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("data"), Key: aws.String("x/meta/y"), Body: strings.NewReader("1"), ContentType: aws.String("text/x-one")})
	if err != nil {
		t.Fatal(err)
	}
	if err := g.SetPolicy(t.Context(), "data", []byte(`{"Statement":[]}`)); err != nil {
		t.Fatal(err)
	}
	if err := g.SetRegion(t.Context(), "data", "eu-west-1"); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(old, moved); err != nil {
		t.Fatal(err)
	}
	g = begin(t, moved)
	head, err := of(t, g, account).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("data"), Key: aws.String("x/meta/y")})
	if err != nil || *head.ContentType != "text/x-one" {
		t.Errorf("after the move: %v %v", head, err)
	}
	b, err := g.Bucket(t.Context(), "data")
	if err != nil || b.Owner != account || b.Region != "eu-west-1" || string(b.Policy) != `{"Statement":[]}` {
		t.Errorf("the bucket is %+v, %v", b, err)
	}
}

func TestTheGatewayDoesWhatS3Does(t *testing.T) {
	t.Parallel()
	ctx, g := t.Context(), begin(t, t.TempDir())
	c, b := of(t, g, account), aws.String("data")
	if _, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: b}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a.txt", "dir/b.txt", "dir/c d+é.txt", "meta/etag"} {
		put(t, c, "data", key, "0123456789")
	}
	ranged, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: b, Key: aws.String("a.txt"), Range: aws.String("bytes=2-4")})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(ranged.Body); string(got) != "234" {
		t.Errorf("a range is %q", got)
	}
	list, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: b, Delimiter: aws.String("/")})
	if err != nil || len(list.Contents) != 1 || len(list.CommonPrefixes) != 2 || *list.Name != "data" {
		t.Errorf("the list is %+v, %v", list, err)
	}
	if _, err = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: b, Key: aws.String("copy.txt"), CopySource: aws.String("data/dir/c%20d%2B%C3%A9.txt")}); err != nil {
		t.Fatalf("copy: %v", err)
	}
	if got := get(t, c, "data", "copy.txt"); got != "0123456789" {
		t.Errorf("the copy is %q", got)
	}
	_, err = c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: b, Key: aws.String("copy.txt"), CopySource: aws.String("data/copy.txt"),
		MetadataDirective: types.MetadataDirectiveReplace, Metadata: map[string]string{"k": "v"}})
	if err != nil {
		t.Fatalf("copy onto itself: %v", err)
	}
	if head, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: b, Key: aws.String("copy.txt")}); err != nil || head.Metadata["k"] != "v" || *head.ContentLength != 10 {
		t.Errorf("the copy's head is %+v, %v", head, err)
	}
	multipart(t, c, b)
	if tags, err := g.Tags(ctx, "data", "nothing"); err != nil || tags != nil {
		t.Errorf("tags of nothing are %v, %v", tags, err)
	}
	_, err = c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: b})
	if code(err) != "BucketNotEmpty" || strings.Contains(err.Error(), g.Folder) {
		t.Errorf("deleting a bucket that is not empty: %v", err)
	}
}

// multipart uploads an object in two parts, one of them copied.
func multipart(t *testing.T, c *s3.Client, b *string) {
	t.Helper()
	ctx, key := t.Context(), aws.String("big.bin")
	up, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: key})
	if err != nil || *up.Bucket != *b {
		t.Fatalf("%+v, %v", up, err)
	}
	one, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: b, Key: key, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(make([]byte, 5<<20))})
	if err != nil {
		t.Fatal(err)
	}
	two, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: b, Key: key, UploadId: up.UploadId, PartNumber: aws.Int32(2), CopySource: aws.String("data/a.txt"), CopySourceRange: aws.String("bytes=0-3")})
	if err != nil {
		t.Fatal(err)
	}
	uploads, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: b})
	if err != nil || len(uploads.Uploads) != 1 || *uploads.Bucket != *b {
		t.Errorf("uploads are %+v, %v", uploads, err)
	}
	_, err = c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: b, Key: key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{
		Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: one.ETag}, {PartNumber: aws.Int32(2), ETag: two.CopyPartResult.ETag}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got := get(t, c, *b, *key); len(got) != 5<<20+4 || !strings.HasSuffix(got, "0123") {
		t.Errorf("the object has %d bytes", len(got))
	}
}

// The backend would follow an upload's id wherever it leads: see its Abort, which removes the folder.
func TestAnUploadsIDLeadsNowhere(t *testing.T) {
	t.Parallel()
	ctx, g := t.Context(), begin(t, t.TempDir())
	c, b, key := of(t, g, account), aws.String("data"), aws.String("up")
	for id, name := range map[string]string{account: "data", other: "victim"} {
		if _, err := of(t, g, id).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil {
			t.Fatal(err)
		}
	}
	put(t, of(t, g, other), "victim", "k", "theirs")
	put(t, c, "data", "k", "mine")
	canary := filepath.Join(g.Folder, "canary")
	if err := os.Mkdir(canary, 0o700); err != nil {
		t.Fatal(err)
	}
	up, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: b, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"../../../../victim", "../../../../../canary", "..", ".", *up.UploadId + "/..", strings.ToUpper(*up.UploadId), "x"} {
		for name, call := range map[string]func() error{
			"upload": func() error {
				_, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: b, Key: key, UploadId: &id, PartNumber: aws.Int32(1), Body: strings.NewReader("evil")})
				return err
			},
			"copy": func() error {
				_, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: b, Key: key, UploadId: &id, PartNumber: aws.Int32(1), CopySource: aws.String("data/k")})
				return err
			},
			"list": func() error {
				_, err := c.ListParts(ctx, &s3.ListPartsInput{Bucket: b, Key: key, UploadId: &id})
				return err
			},
			"complete": func() error {
				part := types.CompletedPart{PartNumber: aws.Int32(1), ETag: aws.String(`"d41d8cd98f00b204e9800998ecf8427e"`)}
				_, err := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: b, Key: key, UploadId: &id, MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{part}}})
				return err
			},
			"abort": func() error {
				_, err := c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: b, Key: key, UploadId: &id})
				return err
			},
		} {
			if err := call(); code(err) != "NoSuchUpload" {
				t.Errorf("%s %q: %v", name, id, err)
			}
		}
	}
	theirs, err := os.ReadDir(filepath.Join(g.Folder, "buckets", "victim"))
	if err != nil || len(theirs) == 0 || get(t, of(t, g, other), "victim", "k") != "theirs" {
		t.Errorf("the other bucket has %v, %v", theirs, err)
	}
	for _, e := range theirs {
		if e.Name() != "k" && e.Name() != ".sgwtmp" {
			t.Errorf("the other bucket has %s", e.Name())
		}
	}
	if _, err := os.Stat(canary); err != nil {
		t.Error(err)
	}
	if _, err := c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: b, Key: key, UploadId: up.UploadId}); err != nil {
		t.Errorf("the upload itself: %v", err)
	}
}

func TestAccountsHaveTheBucketsThatTheyMade(t *testing.T) {
	t.Parallel()
	ctx, g := t.Context(), begin(t, t.TempDir())
	for id, name := range map[string]string{account: "mine", other: "theirs"} {
		if _, err := of(t, g, id).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := of(t, g, account).ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil || len(list.Buckets) != 1 || *list.Buckets[0].Name != "mine" || *list.Owner.ID != account {
		t.Errorf("the list is %+v, %v", list, err)
	}
	if _, err := of(t, g, other).CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("mine")}); code(err) != "BucketAlreadyExists" {
		t.Errorf("another's name: %v", err)
	}
}

func TestNobodyElseReachesTheGateway(t *testing.T) {
	t.Parallel()
	ctx, g := t.Context(), begin(t, t.TempDir())
	own := of(t, g, account)
	for _, path := range []string{g.running.socket, filepath.Dir(g.running.socket)} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, %v", path, info.Mode(), err)
		}
	}
	foreign := begin(t, t.TempDir())
	theirs, err := foreign.Account(account)
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]Key{
		"another gateway's key":               theirs,
		"a root key that is guessed":          {"root", "root"},
		"the key of an account with no id":    {"12345678901x", "x"},
		"the id of an account with no secret": {account, account},
	} {
		if _, err := client(t, g, k).ListBuckets(ctx, &s3.ListBucketsInput{}); err == nil {
			t.Errorf("%s is let in", name)
		}
	}
	if _, err := g.Account("root"); !errors.Is(err, fault.Invalid) {
		t.Errorf("the root's key is handed out: %v", err)
	}
	if _, err := own.ListBuckets(ctx, &s3.ListBucketsInput{}); err != nil {
		t.Error(err)
	}
}

func TestKeysThatNoFileCanHaveAreNamed(t *testing.T) {
	t.Parallel()
	g := &Gateway{}
	for key, held := range map[string]bool{
		"a": true, "a/b": true, "folder/": true, "...": true, "a/.b": true, "sgwtmp/x": true, "é": true,
		"a//b": false, "/a": false, "//": false, "../a": false, "a/../b": false, "a/.": false, ".": false, "..": false,
		".sgwtmp/multipart/x": false, ".SgwTmp/x": false, ".sgwtmp": false, "a\x00b": false, "\xff": false,
	} {
		if why := g.Holds(key); (why == "") != held {
			t.Errorf("%q: %q", key, why)
		}
	}
}
