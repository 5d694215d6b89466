package storage

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/treatyfed/treaty/wire/sigv4"
)

// snapshot reads every file below a folder.
func snapshot(t *testing.T, folder string) map[string]string {
	t.Helper()
	out := map[string]string{}
	must(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		switch {
		case strings.HasPrefix(rel, ".run-"):
			return fs.SkipDir
		case d.IsDir():
			out[rel+"/"] = ""
			return nil
		}
		b, err := os.ReadFile(path)
		out[rel] = string(b)
		return err
	}))
	return out
}

// siege is a gateway with a bucket of the attacker's, data, one of another account's, victim, an upload
// under way in each, and a file beside the buckets.
type siege struct {
	*world
	folder       string
	mine, theirs string // upload ids
	way          http.RoundTripper
}

const outside = "canary"

func newSiege(t *testing.T) *siege {
	t.Helper()
	w := newWorld(t)
	way := w.transport()
	t.Cleanup(way.CloseIdleConnections)
	s := &siege{world: w, folder: w.s3.Gateway.Folder, way: way}
	root, other := w.root(), w.client(otherKey, "secret of "+otherKey, "")
	w.bucket(root, "data")
	w.bucket(other, "victim")
	must(t, put(t, root, "data", "a", []byte("0123456789")))
	must(t, put(t, root, "data", "dir/b", []byte("b")))
	must(t, put(t, other, "victim", "secret", []byte("the secret")))
	upload := func(c *s3.Client, bucket string) string {
		up, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: aws.String("up")})
		must(t, err)
		_, err = c.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: &bucket, Key: aws.String("up"), UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("part")})
		must(t, err)
		return *up.UploadId
	}
	s.mine, s.theirs = upload(root, "data"), upload(other, "victim")
	must(t, os.MkdirAll(filepath.Join(s.folder, outside, "deep"), 0o700))
	must(t, os.WriteFile(filepath.Join(s.folder, outside, "1"), []byte("the secret"), 0o600))
	must(t, os.WriteFile(filepath.Join(s.folder, "buckets", outside), []byte("the secret"), 0o600))
	return s
}

// attack is one request of the owner of the bucket data. It changes nothing, not even there.
type attack struct {
	method, path, body string
	header             map[string]string
	status             int    // 0: any refusal
	want               string // in the answer
}

// An upload's id is a folder's name for the gateway behind: one that climbs must not get there.
func TestUploadIDsAreNoPaths(t *testing.T) {
	t.Parallel()
	s := newSiege(t)
	before := snapshot(t, s.folder)
	const complete = `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"d41d8cd98f00b204e9800998ecf8427e"</ETag></Part></CompleteMultipartUpload>`
	climbs := []string{
		"../../../../victim", "../../../victim", "../../../../../canary", "../../../../canary", "..", ".", "", "/", "../" + s.mine,
		s.mine + "/../../../../../victim", s.mine + "/", "./" + s.mine, s.mine + "/.", "/" + s.folder + "/canary", s.mine + "\x00", "..\\..\\victim",
		strings.ToUpper(s.mine), "urn:uuid:" + s.mine, "{" + s.mine + "}", strings.ReplaceAll(s.mine, "-", ""), strings.Repeat("a", 2000),
	}
	for _, id := range climbs {
		q := "uploadId=" + url.QueryEscape(id)
		for name, c := range map[string]attack{
			"UploadPart":              {method: "PUT", path: "data/up?partNumber=1&" + q, body: "evil"},
			"UploadPartCopy":          {method: "PUT", path: "data/up?partNumber=1&" + q, header: map[string]string{"X-Amz-Copy-Source": "data/a"}},
			"ListParts":               {method: "GET", path: "data/up?" + q},
			"CompleteMultipartUpload": {method: "POST", path: "data/up?" + q, body: complete},
			"AbortMultipartUpload":    {method: "DELETE", path: "data/up?" + q},
		} {
			c.status, c.want = http.StatusNotFound, "<Code>NoSuchUpload</Code>"
			s.try(t, fmt.Sprintf("%s of %q", name, id), c, before)
		}
	}
	if _, err := s.root().ListParts(t.Context(), &s3.ListPartsInput{Bucket: aws.String("data"), Key: aws.String("up"), UploadId: &s.mine}); err != nil {
		t.Errorf("the own upload: %v", err)
	}
}

// try sends an attack, and looks whether everything is as it was.
func (s *siege) try(t *testing.T, name string, c attack, before map[string]string) {
	t.Helper()
	got := s.asRootWith(t, c)
	if refused := 400 <= got.status && got.status < 500 || got.status == http.StatusNotImplemented; c.status == 0 && !refused || c.status != 0 && got.status != c.status || !strings.Contains(got.body, c.want) {
		t.Errorf("%s: %d %s", name, got.status, got.body)
	}
	said, _ := url.QueryUnescape(c.path) // what the sender named may come back
	if strings.Contains(got.body, "the secret") || strings.Contains(got.body, s.folder) && !strings.Contains(said, s.folder) {
		t.Errorf("%s: the answer shows what it must not: %s", name, got.body)
	}
	if after := snapshot(t, s.folder); !maps.Equal(after, before) {
		t.Fatalf("%s: %s", name, difference(before, after))
	}
}

// asRootWith signs a request as it is, however odd; the SDK's signer would tidy it.
func (s *siege) asRootWith(t *testing.T, c attack) reply {
	t.Helper()
	r := httpRequest(t, c.method, "https://s3.amazonaws.com/"+c.path, strings.NewReader(c.body))
	if c.body == "" {
		r = httpRequest(t, c.method, "https://s3.amazonaws.com/"+c.path, nil)
	}
	for name, v := range c.header {
		r.Header.Set(name, v)
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
		r.Header.Del("Host")
	}
	now := s.now().UTC()
	r.Header.Set("X-Amz-Date", now.Format("20060102T150405Z"))
	r.Header.Set("X-Amz-Content-Sha256", hashOf([]byte(c.body)))
	signed := []string{"host"}
	for name := range r.Header {
		signed = append(signed, strings.ToLower(name))
	}
	slices.Sort(signed)
	scope := now.Format("20060102") + "/us-east-1/s3/aws4_request"
	begin := sigv4.Algorithm + " Credential=" + rootKey + "/" + scope + ", SignedHeaders=" + strings.Join(signed, ";") + ", Signature="
	r.Header.Set("Authorization", begin+"none")
	e := sigv4.Examine(r, nil, sigv4.Rules{Service: "s3", Skew: time.Minute, Path: sigv4.AsSent, PayloadHash: r.Header.Get("X-Amz-Content-Sha256")}, now)
	r.Header.Set("Authorization", begin+sign("secret of "+rootKey, scope, e.StringToSign))
	a, err := s.way.RoundTrip(r)
	must(t, err)
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	must(t, err)
	return reply{a.StatusCode, string(b), a.Header}
}

// sign makes a signature of version 4.
func sign(secret, scope, text string) string {
	key := []byte("AWS4" + secret)
	mac := func(k []byte, s string) []byte { m := hmac.New(sha256.New, k); m.Write([]byte(s)); return m.Sum(nil) }
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	return hex.EncodeToString(mac(key, text))
}

func difference(before, after map[string]string) string {
	var out []string
	for name, v := range before {
		if got, ok := after[name]; !ok {
			out = append(out, "gone: "+name)
		} else if got != v {
			out = append(out, "changed: "+name)
		}
	}
	for name := range after {
		if _, ok := before[name]; !ok {
			out = append(out, "new: "+name)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// Every other value of a request that the gateway behind makes a file's name of, or might.
func TestKeysAreNoPaths(t *testing.T) {
	t.Parallel()
	s := newSiege(t)
	before := snapshot(t, s.folder)
	for _, key := range []string{
		"../victim/secret", "..%2fvictim%2fsecret", "%2e%2e%2fvictim%2fsecret", "dir/../../victim/secret", "../../canary/1", "..", "a/.", "dir//b", "//etc/passwd",
		"a%00", "a%00/../../victim/secret", "%ff", ".sgwtmp/", ".SGWTMP/x", ".sgwtmp/../../victim/secret", "%2esgwtmp/multipart/" + s.mine,
	} {
		for name, c := range attacksOnKey(s, key) {
			s.try(t, name+" "+key, c, before)
		}
	}
}

// attacksOnKey are all ways to name an object. Reading finds nothing, writing is refused, listing finds what
// is the bucket's.
func attacksOnKey(s *siege, key string) map[string]attack {
	const missing, refused = http.StatusNotFound, http.StatusNotImplemented
	object, many := "data/"+key, http.StatusOK // with the refusal in it
	if name := unescaped(key); !utf8.ValidString(name) || strings.Contains(name, "\x00") {
		many = http.StatusBadRequest // XML has no such characters
	}
	copying := func(source string) map[string]string { return map[string]string{"X-Amz-Copy-Source": source} }
	out := map[string]attack{
		"get":         {method: "GET", path: object, status: missing},
		"head":        {method: "HEAD", path: object, status: missing},
		"delete":      {method: "DELETE", path: object, status: missing},
		"put":         {method: "PUT", path: object, body: "evil", status: refused},
		"begin":       {method: "POST", path: object + "?uploads", status: refused},
		"tag":         {method: "PUT", path: object + "?tagging", body: "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>", status: refused},
		"untag":       {method: "DELETE", path: object + "?tagging", status: missing},
		"retain":      {method: "PUT", path: object + "?retention", body: "<Retention/>", status: refused},
		"hold":        {method: "PUT", path: object + "?legal-hold", body: "<LegalHold><Status>ON</Status></LegalHold>", status: refused},
		"abort":       {method: "DELETE", path: object + "?uploadId=" + s.mine, status: missing},
		"copy to":     {method: "PUT", path: object, header: copying("data/a"), status: refused},
		"copy":        {method: "PUT", path: "data/copy", header: copying(object), status: missing},
		"copy part":   {method: "PUT", path: "data/up?partNumber=1&uploadId=" + s.mine, header: copying(object), status: missing},
		"delete many": {method: "POST", path: "data?delete", body: "<Delete><Object><Key>" + unescaped(key) + "</Key></Object></Delete>", status: many, want: "<Error>"},
		"list":        {method: "GET", path: "data?list-type=2&prefix=" + key + "%2f", status: 200, want: "<KeyCount>0<"},
		"list levels": {method: "GET", path: "data?delimiter=%2f&prefix=" + key + "&marker=" + key, status: 200},
		"continue":    {method: "GET", path: "data?list-type=2&continuation-token=" + key + "&start-after=" + key, status: 200},
		"versions":    {method: "GET", path: "data?versions&prefix=" + key + "&key-marker=" + key + "&version-id-marker=" + key, status: 200},
		"uploads":     {method: "GET", path: "data?uploads&prefix=" + key + "&key-marker=" + key + "&upload-id-marker=" + key, status: 400, want: "InvalidArgument"},
	}
	for _, sub := range []string{"tagging", "retention", "legal-hold", "attributes", "acl"} {
		out["get "+sub] = attack{method: "GET", path: object + "?" + sub, header: map[string]string{"X-Amz-Object-Attributes": "ETag"}, status: missing}
	}
	if strings.Contains(key, "%") { // escaped once more it is a key of its own, which nobody has
		out["copy, escaped twice"] = attack{method: "PUT", path: "data/copy", header: copying(strings.ReplaceAll(object, "%", "%25")), status: missing}
	}
	return out
}

func unescaped(s string) string {
	if t, err := url.PathUnescape(s); err == nil {
		return t
	}
	return s
}

// The other names of a request: buckets, hosts, versions, parts, and files by the name of a folder.
func TestNoOtherNameIsAPath(t *testing.T) {
	t.Parallel()
	s := newSiege(t)
	before := snapshot(t, s.folder)
	const tags = "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"
	host := func(h string) map[string]string { return map[string]string{"Host": h} }
	from := func(source string) map[string]string { return map[string]string{"X-Amz-Copy-Source": source} }
	for name, c := range map[string]attack{
		"a bucket that climbs":                          {method: "GET", path: "../canary/1"},
		"a bucket that climbs, escaped":                 {method: "GET", path: "%2e%2e/canary/1"},
		"a bucket with a slash":                         {method: "GET", path: "..%2fcanary/1"},
		"a bucket and more behind a slash":              {method: "GET", path: "data%2f..%2fvictim/secret"},
		"a bucket of dots":                              {method: "GET", path: ".../1"},
		"a bucket with two dots":                        {method: "GET", path: "a..b/1"},
		"a bucket with a NUL":                           {method: "GET", path: "data%00/a"},
		"making a bucket that climbs":                   {method: "PUT", path: "..%2fcanary%2fnew"},
		"making a bucket in another":                    {method: "PUT", path: "victim%2fnew"},
		"making the backend's folder":                   {method: "PUT", path: ".sgwtmp"},
		"deleting a bucket that climbs":                 {method: "DELETE", path: "..%2fcanary"},
		"a file that is no bucket":                      {method: "GET", path: "canary"},
		"deleting a file that is no bucket":             {method: "DELETE", path: "canary"},
		"a host that climbs":                            {method: "GET", path: "1", header: host("..%2fcanary.s3.amazonaws.com")},
		"a host with a slash":                           {method: "GET", path: "secret", header: host("data%2f..%2fvictim.s3.amazonaws.com")},
		"a host of dots":                                {method: "GET", path: "1", header: host("a..b.s3.amazonaws.com")},
		"a host and a path that climbs":                 {method: "GET", path: "../victim/secret", header: host("data.s3.amazonaws.com")},
		"a host and a path that climbs, escaped":        {method: "PUT", path: "..%2fvictim%2fsecret", body: "evil", header: host("data.s3.amazonaws.com")},
		"a source of another bucket that climbs":        {method: "PUT", path: "data/c", header: from("../victim/secret")},
		"a source whose bucket has a slash":             {method: "PUT", path: "data/c", header: from("..%2fvictim%2fsecret")},
		"a source by its absolute path":                 {method: "PUT", path: "data/c", header: from("/" + s.folder + "/canary/1")},
		"a source that is the file of no bucket":        {method: "PUT", path: "data/c", header: from("canary/x")},
		"a source of another account":                   {method: "PUT", path: "data/c", header: from("victim/secret")},
		"a source with a version that climbs":           {method: "PUT", path: "data/c", header: from("data/a?versionId=../../victim/secret")},
		"a source with a version that climbs, escaped":  {method: "PUT", path: "data/c", header: from("data/a%3FversionId=..%2f..%2fvictim%2fsecret")},
		"a source with an empty query":                  {method: "PUT", path: "data/c", header: from("data/a?versionId"), want: "<Code>InvalidArgument</Code>"},
		"a source with a version of none":               {method: "PUT", path: "data/c", header: from("data/a?versionId=01ARZ3NDEKTSV4RRFFQ69G5FAV"), want: "<Message>Invalid version id specified</Message>"},
		"a version that climbs":                         {method: "GET", path: "data/a?versionId=..%2f..%2fvictim%2fsecret"},
		"deleting a version that climbs":                {method: "DELETE", path: "data/a?versionId=..%2f..%2f..%2fvictim"},
		"deleting a version of none":                    {method: "DELETE", path: "data/a?versionId=01ARZ3NDEKTSV4RRFFQ69G5FAV", want: "<Message>Invalid version id specified</Message>"},
		"deleting one of many by a version":             {method: "POST", path: "data?delete", body: "<Delete><Object><Key>a</Key><VersionId>../../victim/secret</VersionId></Object></Delete>", status: http.StatusOK, want: "<Error><Key>a</Key><VersionId>../../victim/secret</VersionId><Code>InvalidArgument</Code>"},
		"tagging a version that climbs":                 {method: "PUT", path: "data/a?tagging&versionId=..%2f..%2fvictim%2fsecret", body: tags},
		"a part that climbs":                            {method: "PUT", path: "data/up?partNumber=..%2f1&uploadId=" + s.mine, body: "evil"},
		"a part below the first":                        {method: "PUT", path: "data/up?partNumber=-1&uploadId=" + s.mine, body: "evil"},
		"a part beyond the last":                        {method: "PUT", path: "data/up?partNumber=10001&uploadId=" + s.mine, body: "evil"},
		"no part":                                       {method: "PUT", path: "data/up?partNumber=&uploadId=" + s.mine, body: "evil"},
		"a part without its number":                     {method: "PUT", path: "data/up?uploadId=" + s.mine, body: "evil"},
		"parts from one that climbs":                    {method: "GET", path: "data/up?part-number-marker=..%2f..&uploadId=" + s.mine},
		"reading a part that climbs":                    {method: "GET", path: "data/a?partNumber=..%2f1"},
		"finishing with a part that climbs":             {method: "POST", path: "data/up?uploadId=" + s.mine, body: `<CompleteMultipartUpload><Part><PartNumber>../1</PartNumber><ETag>"d41d8cd98f00b204e9800998ecf8427e"</ETag></Part></CompleteMultipartUpload>`},
		"finishing with a tag that climbs":              {method: "POST", path: "data/up?uploadId=" + s.mine, body: `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>../../../../victim</ETag></Part></CompleteMultipartUpload>`},
		"another account's upload":                      {method: "DELETE", path: "data/up?uploadId=" + s.theirs},
		"the own upload under another key":              {method: "DELETE", path: "data/other?uploadId=" + s.mine},
		"an upload by its id twice":                     {method: "DELETE", path: "data/up?uploadId=x&uploadId=" + s.mine},
		"a file by a folder's name":                     {method: "GET", path: "data/a/"},
		"deleting a file by a folder's name":            {method: "DELETE", path: "data/a/", status: http.StatusNoContent},
		"writing a file by a folder's name":             {method: "PUT", path: "data/a/"},
		"below a file":                                  {method: "GET", path: "data/a/x"},
		"a version of none":                             {method: "GET", path: "data/a?versionId=01ARZ3NDEKTSV4RRFFQ69G5FAV", want: "<Message>Invalid version id specified</Message>"},
		"copying onto a file by a folder's name":        {method: "PUT", path: "data/a/", header: from("data/dir/b")},
		"copying a file onto itself by a folder's name": {method: "PUT", path: "data/a/", header: map[string]string{"X-Amz-Copy-Source": "data/a", "X-Amz-Metadata-Directive": "REPLACE"}},
		"beginning an upload by a folder's name":        {method: "POST", path: "data/a/?uploads"},
		"tags of a file by a folder's name":             {method: "GET", path: "data/a/?tagging"},
		"tagging a file by a folder's name":             {method: "PUT", path: "data/a/?tagging", body: tags},
		"untagging a file by a folder's name":           {method: "DELETE", path: "data/a/?tagging"},
		"attributes of a file by a folder's name":       {method: "GET", path: "data/a/?attributes", header: map[string]string{"X-Amz-Object-Attributes": "ETag,ObjectSize"}},
		"retention of a file by a folder's name":        {method: "GET", path: "data/a/?retention"},
		"hold of a file by a folder's name":             {method: "GET", path: "data/a/?legal-hold"},
		"copying a file by a folder's name":             {method: "PUT", path: "data/c", header: from("data/a/")},
		"copying a part by a folder's name":             {method: "PUT", path: "data/up?partNumber=1&uploadId=" + s.mine, header: from("data/a/")},
		"a folder by a file's name":                     {method: "GET", path: "data/dir"},
		"tagging a folder by a file's name":             {method: "PUT", path: "data/dir?tagging", body: tags},
		"the bucket by a file's name":                   {method: "PUT", path: "data/%2e?tagging", body: tags},
		"the attributes' folder of an object":           {method: "GET", path: "data/a/meta/etag"},
		"the attributes' folder of the bucket":          {method: "GET", path: "data/meta/acl"},
		"versitygw's locks":                             {method: "GET", path: "data/.objlock/x"},
		"writing into the attributes' folder":           {method: "PUT", path: "data/a/meta/etag", body: "evil"},
	} {
		s.try(t, name, c, before)
	}
}
