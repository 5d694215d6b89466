package gateway

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// rooted is the file backend over a folder of its own: it calls each bucket by its absolute name, where the
// backend by itself would look in the process's working directory. What it has not got is answered
// NotImplemented: versions, ACLs, Select and Restore.
type rooted struct {
	backend.BackendUnsupported
	disk backend.Backend
	meta attributes
	root string // the buckets' folder, absolute
}

var _ backend.Backend = (*rooted)(nil)

// bucketName is a name as S3 allows it (S3 user guide, "General purpose bucket naming rules").
var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// path is where a bucket is. A name that is none gives one that no bucket has.
func (r *rooted) path(bucket string) string {
	if !bucketName.MatchString(bucket) {
		return filepath.Join(r.root, ".none")
	}
	return filepath.Join(r.root, bucket)
}

func (r *rooted) at(bucket *string) *string {
	if bucket == nil {
		return nil
	}
	return new(r.path(*bucket))
}

// name is the bucket at a path.
func (r *rooted) name(path string) string { return strings.TrimPrefix(path, r.root+"/") }

func (r *rooted) named(path *string) *string {
	if path == nil {
		return nil
	}
	return new(r.name(*path))
}

// told takes the folder's name out of an error.
func (r *rooted) told(err error) error {
	var b s3err.BucketError
	if errors.As(err, &b) {
		b.BucketName = r.name(b.BucketName)
		return b
	}
	return err
}

// source names what is to be copied so that the backend, which takes the first segment for the bucket,
// finds it: up from the working directory to the root of the file system, and down from there.
func (r *rooted) source(copySource *string) (*string, error) {
	if copySource == nil {
		return nil, s3err.GetAPIError(s3err.ErrInvalidRequest)
	}
	bucket, key, version, err := backend.ParseCopySource(*copySource)
	if err != nil {
		return nil, err
	}
	if err := r.exact(bucket, key); err != nil {
		return nil, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	up := strings.Repeat("../", strings.Count(dir, "/")+maxLinks)
	from := up + r.path(bucket)[1:] + "/" + key
	if another(version) { // the backend refuses it: there are none
		from += "?versionId=" + version
	}
	return new(url.QueryEscape(from)), nil
}

// exact refuses a key by which the backend would take a file for a folder, or a folder for a file: for the
// file system the slash at the end makes no difference, for policies it makes another object.
func (r *rooted) exact(bucket, key string) error {
	info, err := os.Lstat(filepath.Join(r.path(bucket), key))
	if err == nil && info.IsDir() != strings.HasSuffix(key, "/") {
		return s3err.GetAPIError(s3err.ErrNoSuchKey)
	}
	return nil // that there is nothing, the backend says
}

// maxLinks is how much deeper the working directory may be than its name says, by symbolic links. Climbing
// above the root stays there.
const maxLinks = 40

func (r *rooted) Shutdown()      { r.disk.Shutdown() }
func (r *rooted) String() string { return "files below " + r.root }

func (r *rooted) NormalizeObjectKey(bucket, object string) string {
	return r.disk.NormalizeObjectKey(bucket, object)
}

// ListBuckets lists the account's buckets. The backend's own lists the working directory.
func (r *rooted) ListBuckets(_ context.Context, in s3response.ListBucketsInput) (s3response.ListAllMyBucketsResult, error) {
	out := s3response.ListAllMyBucketsResult{Owner: s3response.CanonicalUser{ID: in.Owner}, Prefix: in.Prefix}
	entries, err := os.ReadDir(r.root) // sorted
	if err != nil {
		return out, err
	}
	for _, e := range entries {
		name := e.Name()
		if !e.IsDir() || !bucketName.MatchString(name) || !strings.HasPrefix(name, in.Prefix) || name <= in.ContinuationToken {
			continue
		}
		owner, err := r.owner(name)
		if err != nil || owner != in.Owner {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // deleted meanwhile
		}
		if len(out.Buckets.Bucket) == int(in.MaxBuckets) {
			out.ContinuationToken = out.Buckets.Bucket[in.MaxBuckets-1].Name
			break
		}
		out.Buckets.Bucket = append(out.Buckets.Bucket, s3response.ListAllMyBucketsEntry{Name: name, CreationDate: info.ModTime()})
	}
	return out, nil
}

// owner is the account that made a bucket.
func (r *rooted) owner(bucket string) (string, error) {
	text, err := r.disk.GetBucketAcl(context.Background(), &s3.GetBucketAclInput{Bucket: new(r.path(bucket))})
	if err != nil {
		return "", err
	}
	acl, err := auth.ParseACL(text)
	return acl.Owner, err
}

func (r *rooted) CreateBucket(ctx context.Context, in *s3.CreateBucketInput, acl []byte) error {
	if in.Bucket == nil || !bucketName.MatchString(*in.Bucket) {
		return s3err.GetAPIError(s3err.ErrInvalidBucketName)
	}
	v := *in
	v.Bucket = r.at(in.Bucket)
	if v.CreateBucketConfiguration == nil {
		v.CreateBucketConfiguration = &types.CreateBucketConfiguration{}
	}
	return r.told(r.disk.CreateBucket(ctx, &v, acl))
}

func (r *rooted) DeleteBucket(ctx context.Context, bucket string) error {
	return r.told(r.disk.DeleteBucket(ctx, r.path(bucket)))
}

func (r *rooted) HeadBucket(ctx context.Context, in *s3.HeadBucketInput) (*s3.HeadBucketOutput, error) {
	v := *in
	v.Bucket = r.at(in.Bucket)
	out, err := r.disk.HeadBucket(ctx, &v)
	return out, r.told(err)
}

func (r *rooted) GetBucketAcl(ctx context.Context, in *s3.GetBucketAclInput) ([]byte, error) {
	v := *in
	v.Bucket = r.at(in.Bucket)
	out, err := r.disk.GetBucketAcl(ctx, &v)
	return out, r.told(err)
}

func (r *rooted) GetBucketPolicy(ctx context.Context, bucket string) ([]byte, error) {
	out, err := r.disk.GetBucketPolicy(ctx, r.path(bucket))
	return out, r.told(err)
}

func (r *rooted) GetBucketOwnershipControls(ctx context.Context, bucket string) (types.ObjectOwnership, error) {
	out, err := r.disk.GetBucketOwnershipControls(ctx, r.path(bucket))
	return out, r.told(err)
}

func (r *rooted) PutBucketOwnershipControls(ctx context.Context, bucket string, o types.ObjectOwnership) error {
	return r.told(r.disk.PutBucketOwnershipControls(ctx, r.path(bucket), o))
}

func (r *rooted) DeleteBucketOwnershipControls(ctx context.Context, bucket string) error {
	return r.told(r.disk.DeleteBucketOwnershipControls(ctx, r.path(bucket)))
}

func (r *rooted) GetBucketVersioning(ctx context.Context, bucket string) (s3response.GetBucketVersioningOutput, error) {
	_, err := r.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &bucket})
	return s3response.GetBucketVersioningOutput{}, err // never enabled, as of a bucket that nobody touched
}

func (r *rooted) PutBucketCors(ctx context.Context, bucket string, v []byte) error {
	return r.told(r.disk.PutBucketCors(ctx, r.path(bucket), v))
}

func (r *rooted) GetBucketCors(ctx context.Context, bucket string) ([]byte, error) {
	out, err := r.disk.GetBucketCors(ctx, r.path(bucket))
	return out, r.told(err)
}

func (r *rooted) DeleteBucketCors(ctx context.Context, bucket string) error {
	return r.told(r.disk.DeleteBucketCors(ctx, r.path(bucket)))
}

func (r *rooted) PutBucketWebsite(ctx context.Context, bucket string, v []byte) error {
	return r.told(r.disk.PutBucketWebsite(ctx, r.path(bucket), v))
}

func (r *rooted) GetBucketWebsite(ctx context.Context, bucket string) ([]byte, error) {
	out, err := r.disk.GetBucketWebsite(ctx, r.path(bucket))
	return out, r.told(err)
}

func (r *rooted) DeleteBucketWebsite(ctx context.Context, bucket string) error {
	return r.told(r.disk.DeleteBucketWebsite(ctx, r.path(bucket)))
}

func (r *rooted) GetBucketTagging(ctx context.Context, bucket string) (map[string]string, error) {
	out, err := r.disk.GetBucketTagging(ctx, r.path(bucket))
	return out, r.told(err)
}

func (r *rooted) PutBucketTagging(ctx context.Context, bucket string, tags map[string]string) error {
	return r.told(r.disk.PutBucketTagging(ctx, r.path(bucket), tags))
}

func (r *rooted) DeleteBucketTagging(ctx context.Context, bucket string) error {
	return r.told(r.disk.DeleteBucketTagging(ctx, r.path(bucket)))
}

func (r *rooted) PutObjectLockConfiguration(ctx context.Context, bucket string, v []byte) error {
	return r.told(r.disk.PutObjectLockConfiguration(ctx, r.path(bucket), v))
}

func (r *rooted) GetObjectLockConfiguration(ctx context.Context, bucket string) ([]byte, error) {
	out, err := r.disk.GetObjectLockConfiguration(ctx, r.path(bucket))
	return out, r.told(err)
}
