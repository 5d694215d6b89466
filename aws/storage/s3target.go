package storage

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/treatyfed/treaty/aws/op"
)

// target is what a request's host and path name: nothing (the service), a bucket, or an object.
type target struct {
	bucket, key string
	region      string // of the host, "" when it names none
}

// Hosts of S3: [BUCKET.]s3[.dualstack][.REGION].amazonaws.com, and the older s3-REGION (S3 user guide,
// "Methods for accessing a general purpose bucket", "Virtual hosting of buckets").
var s3Host = regexp.MustCompile(`^(?:([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\.)?s3(?:[.-](?:dualstack\.)?([a-z]{2,4}(?:-[a-z]+)+-[0-9]))?\.amazonaws\.com$`)

var s3Bucket = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// maxKey bounds an object's key, in bytes (S3 user guide, "Naming Amazon S3 objects").
const maxKey = 1024

// rawPath is the path as it was sent.
func rawPath(r *http.Request) string {
	if strings.HasPrefix(r.RequestURI, "/") {
		path, _, _ := strings.Cut(r.RequestURI, "?")
		return path
	}
	return r.URL.EscapedPath()
}

// targetOf reads host and path. Any name that is not S3's own has the bucket in the path.
func targetOf(host, path string) (target, error) {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	t := target{}
	m := s3Host.FindStringSubmatch(strings.ToLower(strings.TrimSuffix(host, ".")))
	rest := strings.TrimPrefix(path, "/")
	if m != nil {
		t.bucket, t.region = m[1], m[2]
	}
	if t.bucket == "" && rest != "" {
		first, behind, _ := strings.Cut(rest, "/")
		name, err := url.PathUnescape(first)
		if err != nil {
			return t, &errBadURI
		}
		if !s3Bucket.MatchString(name) {
			return t, errBucketName.with("BucketName", name)
		}
		t.bucket, rest = name, behind
	}
	key, err := url.PathUnescape(rest)
	if err != nil {
		return t, &errBadURI
	}
	if t.key = key; len(key) > maxKey {
		return t, errKeyTooLong.with("Size", itoa(len(key))).with("MaxSizeAllowed", itoa(maxKey))
	}
	return t, nil
}

// path is the target by path style, escaped as S3's signatures have it.
func (t target) path() string {
	if t.bucket == "" {
		return "/"
	}
	if t.key == "" {
		return "/" + t.bucket
	}
	return "/" + t.bucket + "/" + escapeKey(t.key)
}

// escapeKey percent-encodes all but the unreserved characters of RFC 3986 and slashes.
func escapeKey(key string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(key) {
		c := key[i]
		if 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', hex[c>>4], hex[c&15]})
	}
	return b.String()
}

// arn names what policies speak of.
func (t target) arn() string {
	switch {
	case t.bucket == "":
		return "arn:aws:s3:::*" // both "*" and "arn:aws:s3:::*" are written for ListAllMyBuckets
	case t.key == "":
		return "arn:aws:s3:::" + t.bucket
	}
	return "arn:aws:s3:::" + t.bucket + "/" + t.key
}

// source is what is copied.
type source struct {
	target
	version string
}

// header is X-Amz-Copy-Source for it: what goes on is what was decided about.
func (f source) header() string { return f.query(f.bucket + "/" + escapeKey(f.key)) }

// plain is the value of the condition key, which policies write without escapes.
func (f source) plain() string { return f.query(f.bucket + "/" + f.key) }

func (f source) query(path string) string {
	if f.version == "" {
		return path
	}
	return path + "?versionId=" + f.version
}

// copySource reads X-Amz-Copy-Source: [/]BUCKET/KEY[?versionId=ID], percent-encoded. An access point's ARN
// is nothing that we have.
func copySource(h string) (f source, err error) {
	path, query, found := strings.Cut(h, "?")
	name, version, _ := strings.Cut(query, "=")
	if found && name != "versionId" || found && version == "" {
		return f, errInvalidArgument.saying("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	plain, err := url.QueryUnescape(path) // as S3 does: "+" is a space here
	if err != nil {
		return f, errInvalidArgument.saying("Copy Source is not URL-encoded")
	}
	if f.version, err = url.QueryUnescape(version); err != nil || version != "" && !opaque(f.version) {
		return f, errVersionID.with("ArgumentName", "versionId").with("ArgumentValue", op.Clipped(version))
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(plain, "/"), "/")
	if !s3Bucket.MatchString(bucket) || key == "" || strings.Contains(key, "?versionId=") {
		return f, errInvalidArgument.saying("Copy Source must mention the source bucket and key: sourcebucket/sourcekey")
	}
	if len(key) > maxKey {
		return f, &errKeyTooLong
	}
	f.target = target{bucket: bucket, key: key}
	return f, nil
}
