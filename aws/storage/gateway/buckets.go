package gateway

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"

	"github.com/treatyfed/treaty/core/fault"
)

// Bucket is what has to be known of a bucket to decide about it.
type Bucket struct {
	Name, Owner string // Owner: twelve digits
	Region      string // "" when it was made without one
	Policy      []byte // nil: it has none
	Created     time.Time
}

// regionAttribute keeps a bucket's region beside the backend's own attributes.
const regionAttribute = "treaty-region"

// Bucket finds a bucket; fault.NotFound when there is none of the name.
func (g *Gateway) Bucket(ctx context.Context, name string) (Bucket, error) {
	r, err := g.start()
	if err != nil {
		return Bucket{}, err
	}
	what := "bucket " + name
	info, err := os.Stat(r.store.path(name))
	if err != nil || !info.IsDir() {
		return Bucket{}, fault.New(fault.NotFound, what, "")
	}
	out := Bucket{Name: name, Created: info.ModTime()}
	if out.Owner, err = r.store.owner(name); err != nil || out.Owner == "" {
		return Bucket{}, fault.New(fault.NotFound, what, "it is being made or deleted")
	}
	region, err := r.store.meta.RetrieveAttribute(nil, r.store.path(name), "", regionAttribute)
	if err != nil && !errors.Is(err, meta.ErrNoSuchKey) {
		return Bucket{}, fault.Wrap(fault.Unavailable, what, err)
	}
	out.Region = string(region)
	out.Policy, err = r.store.GetBucketPolicy(ctx, name)
	if err != nil && !errors.Is(err, s3err.GetAPIError(s3err.ErrNoSuchBucketPolicy)) {
		return Bucket{}, fault.Wrap(fault.Unavailable, what, err)
	}
	return out, nil
}

// SetRegion notes where a bucket is said to be.
func (g *Gateway) SetRegion(_ context.Context, name, region string) error {
	r, err := g.start()
	if err != nil {
		return err
	}
	err = r.store.meta.StoreAttribute(nil, r.store.path(name), "", regionAttribute, []byte(region))
	return fault.Wrap(fault.Unavailable, "region of bucket "+name, err)
}

// SetPolicy gives a bucket its policy; nil takes it away.
func (g *Gateway) SetPolicy(ctx context.Context, name string, text []byte) error {
	r, err := g.start()
	if err != nil {
		return err
	}
	err = r.store.disk.PutBucketPolicy(ctx, r.store.path(name), text)
	return fault.Wrap(fault.Unavailable, "policy of bucket "+name, err)
}

// Tags are an object's; none when there is no such object.
func (g *Gateway) Tags(ctx context.Context, bucket, key string) (map[string]string, error) {
	r, err := g.start()
	if err != nil {
		return nil, err
	}
	tags, err := r.store.GetObjectTagging(ctx, bucket, key, "")
	var known s3err.S3Error
	if errors.As(err, &known) { // no such key, no tags
		return nil, nil
	}
	return tags, fault.Wrap(fault.Unavailable, "tags of an object in "+bucket, err)
}

// uploadID is the one form that the backend gives to the ids of uploads: a UUID in small letters.
var uploadID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// HoldsUpload reports whether an id can be an upload's. The backend takes ids for the names of folders, which
// it writes into and removes: what is none never reaches it (see rooted.upload).
func (*Gateway) HoldsUpload(id string) bool { return uploadID.MatchString(id) }

// Holds says why an object of this key cannot be kept, "" when it can. Objects are files here, so the
// segments of a key must be names that a folder can hold: what the file system would take for another
// key is refused, or a policy for the one would be got around with the other.
func (*Gateway) Holds(key string) string {
	if !utf8.ValidString(key) || strings.ContainsRune(key, 0) {
		return "keys of other than UTF-8, or with a NUL"
	}
	segments := strings.Split(strings.TrimSuffix(key, "/"), "/")
	if strings.EqualFold(segments[0], posix.MetaTmpDir) { // some file systems do not tell small letters from large
		return "keys that begin with " + posix.MetaTmpDir + "/"
	}
	for _, s := range segments {
		if s == "" || s == "." || s == ".." {
			return "keys with an empty segment, . or .."
		}
	}
	return ""
}
