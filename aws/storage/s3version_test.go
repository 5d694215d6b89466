package storage

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Objects of buckets that never had versions have one, "null" (S3 user guide, "Using versioning in S3 buckets").
func TestTheOnlyVersionOfAnObjectIsTheObject(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, ctx, data, key, only := w.root(), t.Context(), aws.String("data"), aws.String("a"), aws.String("null")
	w.bucket(c, "data")
	must(t, put(t, c, "data", "a", []byte("0123456789")))
	up, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: data, Key: aws.String("up")})
	must(t, err)
	tags := &types.Tagging{TagSet: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}
	for _, try := range []struct {
		name string
		call func() error
	}{
		{"copying", func() error {
			_, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: data, Key: aws.String("copy"), CopySource: aws.String("data/a?versionId=null")})
			return err
		}},
		{"copying a part", func() error {
			_, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: data, Key: aws.String("up"), UploadId: up.UploadId, PartNumber: aws.Int32(1), CopySource: aws.String("data/a?versionId=null")})
			return err
		}},
		{"reading", func() error {
			_, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: data, Key: key, VersionId: only})
			return err
		}},
		{"looking", func() error {
			_, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: data, Key: key, VersionId: only})
			return err
		}},
		{"tagging", func() error {
			_, err := c.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: data, Key: key, VersionId: only, Tagging: tags})
			return err
		}},
		{"reading tags", func() error {
			out, err := c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: data, Key: key, VersionId: only})
			if err == nil && len(out.TagSet) != 1 {
				err = fmt.Errorf("%d tags", len(out.TagSet))
			}
			return err
		}},
		{"deleting", func() error {
			_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: data, Key: key, VersionId: only})
			return err
		}},
	} {
		if err := try.call(); err != nil {
			t.Errorf("%s: %v", try.name, err)
		}
	}
	if e := w.last(); decisions(t, e)[0].Action != "s3:DeleteObjectVersion" {
		t.Errorf("decided about %s", decisions(t, e)[0].Action)
	}
	if got, err := get(t, c, "data", "copy"); err != nil || got != "0123456789" {
		t.Errorf("the copy is %q, %v", got, err)
	}
	if _, err := get(t, c, "data", "a"); code(err) != "NoSuchKey" {
		t.Errorf("what was deleted: %v", err)
	}
}
