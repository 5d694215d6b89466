package storage

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestTheSDKStoresInBothStylesOfAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, edit := range map[string]func(*s3.Options){
		"by virtual host":     func(*s3.Options) {},
		"by path":             func(o *s3.Options) { o.UsePathStyle = true },
		"by dual-stack names": func(o *s3.Options) { o.EndpointOptions.UseDualStackEndpoint = aws.DualStackEndpointStateEnabled },
		"by another region":   func(o *s3.Options) { o.Region = "eu-west-1" },
		"on a loopback port":  func(o *s3.Options) { o.BaseEndpoint = aws.String(w.server.URL); o.UsePathStyle = true },
	} {
		c, bucket := w.root(edit), strings.ReplaceAll(name, " ", "-")
		w.bucket(c, bucket)
		for _, key := range []string{"a.txt", "dir/b c+d&é=%.txt", "folder/"} {
			body := []byte(key)
			if strings.HasSuffix(key, "/") {
				body = nil
			}
			if err := put(t, c, bucket, key, body); err != nil {
				t.Errorf("%s: put %s: %v", name, key, err)
				continue
			}
			if got, err := get(t, c, bucket, key); err != nil || got != string(body) {
				t.Errorf("%s: get %s: %q, %v", name, key, got, err)
			}
		}
		list, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: aws.String("dir/")})
		if err != nil || len(list.Contents) != 1 || *list.Contents[0].Key != "dir/b c+d&é=%.txt" {
			t.Errorf("%s: the list is %v, %v", name, list, err)
		}
	}
	where, err := w.root().CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("far-away"), CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-central-1"}})
	if err != nil || *where.Location != "/far-away" {
		t.Fatal(where, err)
	}
	if l, err := w.root().GetBucketLocation(t.Context(), &s3.GetBucketLocationInput{Bucket: aws.String("far-away")}); err != nil || l.LocationConstraint != "eu-central-1" {
		t.Errorf("the location is %v, %v", l, err)
	}
	if h, err := w.root().HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("far-away")}); err != nil || *h.BucketRegion != "eu-central-1" {
		t.Errorf("the head is %+v, %v", h, err)
	}
}

func TestPoliciesDecideAboutObjects(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root()
	w.bucket(root, "data")
	for _, key := range []string{"home/alice/a", "home/bob/b", "public/p", "secret/s"} {
		must(t, put(t, root, "data", key, []byte(key)))
	}
	s, token := w.session(map[string]string{"user": "alice"}, `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::data/home/${aws:PrincipalTag/user}/*"},
		{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::data","Condition":{"StringLike":{"s3:prefix":"home/${aws:PrincipalTag/user}/*"}}},
		{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"},
		{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::data/secret/*"}]}`)
	c, ctx := w.client(s.KeyID, s.Secret.Reveal(), token), t.Context()
	data := aws.String("data")
	list := func(prefix string) func() error {
		return func() error {
			_, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: data, Prefix: &prefix})
			return err
		}
	}
	copying := func(source, to string) func() error {
		return func() error {
			_, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: data, Key: &to, CopySource: &source})
			return err
		}
	}
	tagged := func() error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: data, Key: aws.String("home/alice/t"), Body: strings.NewReader("x"), Tagging: aws.String("a=b")})
		return err
	}
	read := func(key string) func() error { return func() error { _, err := get(t, c, "data", key); return err } }
	write := func(key string) func() error { return func() error { return put(t, c, "data", key, []byte("new")) } }
	for _, try := range []struct {
		name string
		call func() error
		want string
	}{
		{"reading the own folder", read("home/alice/a"), ""},
		{"reading what everybody may", read("public/p"), ""},
		{"reading what is denied", read("secret/s"), "with an explicit deny in an identity-based policy"},
		{"writing into the own folder", write("home/alice/n"), ""},
		{"writing into another's folder", write("home/bob/n"), `on resource: "arn:aws:s3:::data/home/bob/n" because no identity-based policy allows the s3:PutObject action`},
		{"writing tags without the permission", tagged, "s3:PutObjectTagging"},
		{"listing the own folder", list("home/alice/"), ""},
		{"listing another's folder", list("home/bob/"), "s3:ListBucket"},
		{"listing everything", list(""), "s3:ListBucket"},
		{"copying what may be read", copying("data/public/p", "home/alice/copy"), ""},
		{"copying what is denied", copying("data/secret/s", "home/alice/copy"), "with an explicit deny"},
		{"copying what is denied, its name escaped", copying("data/%73ecret%2Fs", "home/alice/copy"), "with an explicit deny"},
		{"copying to where nothing may be written", copying("data/public/p", "home/bob/copy"), "s3:PutObject"},
		{"deleting in another's folder", func() error {
			_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: data, Key: aws.String("home/bob/b")})
			return err
		}, "s3:DeleteObject"},
		{"learning which object is missing without s3:ListBucket", read("public/none"), `s3:ListBucket on resource: "arn:aws:s3:::data"`},
		{"a bucket that nobody has", func() error { _, err := get(t, c, "nothing-here", "x"); return err }, "NoSuchBucket"},
		{"making a bucket", func() error {
			_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String("mine")})
			return err
		}, "s3:CreateBucket"},
	} {
		err := try.call()
		if try.want == "" && err != nil || try.want != "" && (err == nil || !strings.Contains(err.Error(), try.want)) {
			t.Errorf("%s: %v", try.name, err)
		}
	}
	if got, err := get(t, root, "data", "home/alice/copy"); err != nil || got != "public/p" {
		t.Errorf("the copy is %q, %v", got, err)
	}
	if _, err := get(t, c, "data", "public/none"); code(err) != "AccessDenied" {
		t.Errorf("an object that is not there: %v", err)
	}
	if e := w.last(); e.Surface != "s3" || e.Operation != "GetObject" || e.RequestID == "" || e.Code != "AccessDenied" || e.Caller != s.ARN || len(decisions(t, e)) != 1 || decisions(t, e)[0].Action != "s3:ListBucket" {
		t.Errorf("the event is %+v", e)
	}
	// Of several objects to delete, those go that may.
	out, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: data, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("home/alice/a")}, {Key: aws.String("home/bob/b")}, {Key: aws.String("home/alice/<&>")}}}})
	if err != nil || len(out.Deleted) != 2 || len(out.Errors) != 1 || *out.Errors[0].Key != "home/bob/b" || *out.Errors[0].Code != "AccessDenied" {
		t.Errorf("deleted: %+v, %v", out, err)
	}
	if _, err := get(t, root, "data", "home/bob/b"); err != nil {
		t.Error(err)
	}
}

func TestBucketPoliciesOpenToOthersAndToNobodyElse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, other, ann := w.root(), w.client(otherKey, "secret of "+otherKey, ""), w.ann()
	w.bucket(root, "data")
	must(t, put(t, root, "data", "shared/a", []byte("a")))
	must(t, put(t, root, "data", "public/p", []byte("p")))
	must(t, put(t, root, "data", "closed/c", []byte("c")))
	if _, err := get(t, other, "data", "shared/a"); code(err) != "AccessDenied" || strings.Contains(err.Error(), "because") {
		t.Errorf("another account's root without a policy: %v", err)
	}
	_, err := root.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("data"), Policy: aws.String(`{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"` + stranger + `"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::data/shared/*"},
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::` + account + `:user/ann"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::data/shared/*"},
		{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/public/*"},
		{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"arn:aws:s3:::data/closed/*"}]}`)})
	must(t, err)
	anonymous := func(key string) string {
		a, err := w.transport().RoundTrip(httpRequest(t, http.MethodGet, "https://data.s3.amazonaws.com/"+key, nil))
		must(t, err)
		defer a.Body.Close()
		b, _ := io.ReadAll(a.Body)
		return fmt.Sprint(a.StatusCode, " ", string(b))
	}
	for name, try := range map[string]struct {
		c    *s3.Client
		key  string
		want string
	}{
		"another account's root":           {other, "shared/a", ""},
		"another account's root elsewhere": {other, "closed/c", "AccessDenied"},
		"a user whom the policy names":     {ann, "shared/a", ""},
		"a user whom it does not name":     {ann, "closed/c", "AccessDenied"},
		"the owner where all are denied":   {root, "closed/c", "AccessDenied"},
	} {
		if _, err := get(t, try.c, "data", try.key); code(err) != try.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := anonymous("public/p"); got != "200 p" {
		t.Errorf("anybody reads %s", got)
	}
	for _, key := range []string{"shared/a", "closed/c", "public/../shared/a", "public/%2e%2e/shared/a", "public//../shared/a", "public/..%2fshared/a"} {
		if got := anonymous(key); strings.HasPrefix(got, "200") {
			t.Errorf("anybody reads %s: %s", key, got)
		}
	}
	if s, err := root.GetBucketPolicyStatus(t.Context(), &s3.GetBucketPolicyStatusInput{Bucket: aws.String("data")}); err != nil || !*s.PolicyStatus.IsPublic {
		t.Errorf("the status is %+v, %v", s, err)
	}
	for name, text := range map[string]string{
		"of another bucket":  `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::other/*"}}`,
		"of another service": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole","Resource":"arn:aws:s3:::data/*"}}`,
		"without principals": `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::data/*"}}`,
		"that is no JSON":    `x`,
	} {
		if _, err := root.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: aws.String("data"), Policy: &text}); code(err) != "MalformedPolicy" {
			t.Errorf("a policy %s: %v", name, err)
		}
	}
	_, err = root.DeleteBucketPolicy(t.Context(), &s3.DeleteBucketPolicyInput{Bucket: aws.String("data")})
	must(t, err)
	if _, err := get(t, other, "data", "shared/a"); code(err) != "AccessDenied" {
		t.Errorf("after the policy is gone: %v", err)
	}
	if _, err := root.GetBucketPolicy(t.Context(), &s3.GetBucketPolicyInput{Bucket: aws.String("data")}); code(err) != "NoSuchBucketPolicy" {
		t.Errorf("the policy that is gone: %v", err)
	}
}

func httpRequest(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	must(t, err)
	return r
}

func TestAuthenticationFailsInS3sWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bucket(w.root(), "data")
	s, token := w.session(nil, statement("Allow", "s3:*", "*"))
	for name, c := range map[string]struct {
		id, secret, token, want string
		status                  int
	}{
		"a session":                       {s.KeyID, s.Secret.Reveal(), token, "", 0},
		"an unknown key":                  {"AKIAUNKNOWN", "x", "", "InvalidAccessKeyId", 403},
		"a session without its token":     {s.KeyID, s.Secret.Reveal(), "", "InvalidAccessKeyId", 403},
		"a token of nobody":               {s.KeyID, s.Secret.Reveal(), "bm90aGluZw==", "InvalidToken", 400},
		"a token with another key":        {rootKey, "secret of " + rootKey, token, "InvalidToken", 400},
		"a wrong secret":                  {s.KeyID, "wrong", token, "SignatureDoesNotMatch", 403},
		"a root key of the gateway":       {"root", "root", "", "InvalidAccessKeyId", 403},
		"an account's key of the gateway": {account, account, "", "InvalidAccessKeyId", 403},
	} {
		_, err := w.client(c.id, c.secret, c.token).ListBuckets(t.Context(), &s3.ListBucketsInput{})
		if code(err) != c.want || c.status > 0 && !strings.Contains(err.Error(), fmt.Sprint("StatusCode: ", c.status)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The twin's clock decides: what was signed by the machine's is too old, and then the session too.
	w.offset.Store(int64(20 * time.Minute))
	if _, err := w.client(s.KeyID, s.Secret.Reveal(), token).ListBuckets(t.Context(), &s3.ListBucketsInput{}); code(err) != "RequestTimeTooSkewed" {
		t.Errorf("a request of 20 minutes ago: %v", err)
	}
	if got := w.signed(t, http.MethodGet, "https://s3.amazonaws.com/", nil, s.KeyID, s.Secret.Reveal(), token, nil); got.status != 200 {
		t.Errorf("signed by the twin's clock: %+v", got)
	}
	w.offset.Store(int64(2 * time.Hour))
	if got := w.signed(t, http.MethodGet, "https://s3.amazonaws.com/", nil, s.KeyID, s.Secret.Reveal(), token, nil); got.status != 400 || !strings.Contains(got.body, "<Code>ExpiredToken</Code><Message>The provided token has expired.</Message>") {
		t.Errorf("an expired session: %+v", got)
	}
}

type reply struct {
	status int
	body   string
	header http.Header
}

// signed sends a request that is signed by the twin's clock; edit changes it afterwards.
func (w *world) signed(t *testing.T, method, url string, body []byte, id, secret, token string, edit func(*http.Request)) reply {
	t.Helper()
	r := httpRequest(t, method, url, bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	sum := sha256.Sum256(body)
	r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(sum[:]))
	must(t, v4.NewSigner().SignHTTP(t.Context(), aws.Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token}, r, hex.EncodeToString(sum[:]), "s3", "us-east-1", w.now(), func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }))
	if edit != nil {
		edit(r)
	}
	a, err := w.transport().RoundTrip(r)
	must(t, err)
	defer a.Body.Close()
	b, err := io.ReadAll(a.Body)
	must(t, err)
	return reply{a.StatusCode, string(b), a.Header}
}

func (w *world) asRoot(t *testing.T, method, url string, body []byte, edit func(*http.Request)) reply {
	t.Helper()
	return w.signed(t, method, url, body, rootKey, "secret of "+rootKey, "", edit)
}

func TestTheGateOfS3IsNotGotRound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root()
	w.bucket(root, "data")
	must(t, put(t, root, "data", "a", []byte("0123456789")))
	const base = "https://s3.amazonaws.com/"
	for name, c := range map[string]struct {
		method, path, body string
		edit               func(*http.Request)
		want               string // code, "" allowed
		status             int
	}{
		"a header that is not signed":         {"PUT", "data/b", "x", func(r *http.Request) { r.Header.Set("X-Amz-Acl", "public-read") }, "<HeadersNotSigned>x-amz-acl</HeadersNotSigned>", 403},
		"another body":                        {"PUT", "data/b", "good", func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("evil")) }, "XAmzContentSHA256Mismatch", 400},
		"another path":                        {"GET", "data/a", "", func(r *http.Request) { r.URL.Path = "/data/b" }, "SignatureDoesNotMatch", 403},
		"another query":                       {"GET", "data/a", "", func(r *http.Request) { r.URL.RawQuery = "acl" }, "SignatureDoesNotMatch", 403},
		"another host":                        {"GET", "data/a", "", func(r *http.Request) { r.Host = "data.s3.amazonaws.com" }, "SignatureDoesNotMatch", 403},
		"a path that climbs":                  {"PUT", "data/x/../../other/a", "x", nil, "NotImplemented", 501},
		"a path with an empty segment":        {"PUT", "data/x//a", "x", nil, "NotImplemented", 501},
		"an empty bucket":                     {"GET", "/data/a", "", nil, "InvalidBucketName", 400},
		"a bucket that climbs":                {"GET", "../a", "", nil, "InvalidBucketName", 400},
		"the backend's own folder":            {"GET", "data/.sgwtmp/multipart/x", "", nil, "NoSuchKey", 404},
		"two operations at once":              {"GET", "data?acl=&policy=", "", nil, "InvalidArgument", 400},
		"an operation that nobody knows":      {"GET", "data?unheard-of=", "", nil, "NotImplemented", 501},
		"a form":                              {"POST", "data", "x", nil, "MethodNotAllowed", 405},
		"versitygw's administration":          {"PATCH", "create-user", "x", nil, "MethodNotAllowed", 405},
		"a source where nothing is copied":    {"PUT", "data/c?tagging=", "<Tagging><TagSet></TagSet></Tagging>", nil, "NoSuchKey", 404},
		"the owner that is expected":          {"GET", "data/a", "", nil, "", 200},
		"a key that is longer than S3 allows": {"GET", "data/" + strings.Repeat("k", 1025), "", nil, "KeyTooLongError", 400},
		"too many keys to delete":             {"POST", "data?delete=", "<Delete>" + strings.Repeat("<Object><Key>k</Key></Object>", 1001) + "</Delete>", nil, "MalformedXML", 400},
	} {
		got := w.asRoot(t, c.method, base+c.path, []byte(c.body), c.edit)
		if got.status != c.status || !strings.Contains(got.body, c.want) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		if id := got.header.Get("X-Amz-Request-Id"); !strings.HasPrefix(id, "00000000-") || c.want != "" && !strings.Contains(got.body, "<RequestId>"+id+"</RequestId>") {
			t.Errorf("%s: the request id is %s in %s", name, id, got.body)
		}
	}
	if _, err := get(t, root, "data", "b"); code(err) != "NoSuchKey" {
		t.Errorf("what was refused is there: %v", err)
	}
}

func TestAccessControlListsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root := w.root()
	w.bucket(root, "lists")
	for acl, want := range map[types.ObjectCannedACL]string{"public-read": "AccessControlListNotSupported", "authenticated-read": "AccessControlListNotSupported", "private": "", "bucket-owner-full-control": ""} {
		_, err := root.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lists"), Key: aws.String("k"), Body: strings.NewReader("x"), ACL: acl})
		if code(err) != want {
			t.Errorf("%s: %v", acl, err)
		}
	}
	_, err := root.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lists"), Key: aws.String("k"), Body: strings.NewReader("x"), GrantRead: aws.String("uri=http://acs.amazonaws.com/groups/global/AllUsers")})
	if code(err) != "AccessControlListNotSupported" {
		t.Errorf("a grant: %v", err)
	}
}

func TestRevocationIsFeltAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bucket(w.root(), "data")
	must(t, put(t, w.root(), "data", "a", []byte("a")))
	ann := w.ann(statement("Allow", "s3:GetObject", "*"))
	if _, err := get(t, ann, "data", "a"); err != nil {
		t.Fatal(err)
	}
	u, err := w.store.IAMUsers.WithID(t.Context(), "AIDAANN")
	must(t, err)
	u.Grants = grant(statement("Allow", "s3:PutObject", "*"))
	must(t, w.store.IAMUsers.Update(t.Context(), u))
	if _, err := get(t, ann, "data", "a"); code(err) != "AccessDenied" {
		t.Errorf("after the policy changed: %v", err)
	}
	k, err := w.store.Accounts.AccessKey(t.Context(), annKey)
	must(t, err)
	k.Active = false
	must(t, w.store.Accounts.PutAccessKey(t.Context(), k))
	if err := put(t, ann, "data", "b", nil); code(err) != "InvalidAccessKeyId" {
		t.Errorf("with an inactive key: %v", err)
	}
}

func TestPresignedURLsLastAsLongAsTheySay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx := w.root(), t.Context()
	w.bucket(root, "data")
	s, token := w.session(nil, statement("Allow", "s3:*", "arn:aws:s3:::data/*"))
	p := s3.NewPresignClient(w.client(s.KeyID, s.Secret.Reveal(), token), s3.WithPresignExpires(10*time.Minute))
	up, err := p.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("data"), Key: aws.String("a b+c")})
	must(t, err)
	down, err := p.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("data"), Key: aws.String("a b+c"), ResponseContentType: aws.String("text/x-presigned")})
	must(t, err)
	do := func(method, url, body string) reply {
		t.Helper()
		r := httpRequest(t, method, url, strings.NewReader(body))
		if method == http.MethodGet {
			r = httpRequest(t, method, url, nil)
		}
		a, err := w.transport().RoundTrip(r)
		must(t, err)
		defer a.Body.Close()
		b, _ := io.ReadAll(a.Body)
		return reply{a.StatusCode, string(b), a.Header}
	}
	if got := do(http.MethodPut, up.URL, "presigned"); got.status != 200 {
		t.Errorf("upload: %+v", got)
	}
	if got := do(http.MethodGet, down.URL, ""); got.status != 200 || got.body != "presigned" || got.header.Get("Content-Type") != "text/x-presigned" {
		t.Errorf("download: %+v", got)
	}
	if got := do(http.MethodGet, strings.Replace(down.URL, "a%20b", "other%20b", 1), ""); got.status != 403 || !strings.Contains(got.body, "SignatureDoesNotMatch") {
		t.Errorf("another object: %+v", got)
	}
	w.offset.Store(int64(11 * time.Minute))
	if got := do(http.MethodGet, down.URL, ""); got.status != 403 || !strings.Contains(got.body, "<Code>AccessDenied</Code><Message>Request has expired</Message><X-Amz-Expires>600</X-Amz-Expires>") {
		t.Errorf("after its time: %+v", got)
	}
}

func TestLargeObjectsStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	root, ctx, data, big := w.root(), t.Context(), aws.String("data"), aws.String("big")
	w.bucket(root, "data")
	part := bytes.Repeat([]byte("0123456789abcdef"), 6<<20/16)
	up, err := root.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: data, Key: big})
	must(t, err)
	parts := make([]types.CompletedPart, 3)
	var wg sync.WaitGroup
	for i := range parts {
		wg.Go(func() {
			out, err := root.UploadPart(ctx, &s3.UploadPartInput{Bucket: data, Key: big, UploadId: up.UploadId, PartNumber: aws.Int32(int32(i + 1)), Body: bytes.NewReader(part)})
			if err != nil {
				t.Error(err)
				return
			}
			parts[i] = types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32}
		})
	}
	wg.Wait()
	_, err = root.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: data, Key: big, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	must(t, err)
	got, err := get(t, root, "data", "big")
	if err != nil || got != strings.Repeat(string(part), 3) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	out, err := root.GetObject(ctx, &s3.GetObjectInput{Bucket: data, Key: big, Range: aws.String("bytes=6291450-6291461")})
	must(t, err)
	if b, _ := io.ReadAll(out.Body); string(b) != "abcdef012345" || out.ContentRange == nil {
		t.Errorf("the range is %q", b)
	}
	// A body that ends too early leaves nothing.
	r, err := w.transport().RoundTrip(func() *http.Request {
		r := httpRequest(t, http.MethodPut, "https://data.s3.amazonaws.com/cut", io.MultiReader(bytes.NewReader(part), failing{}))
		r.ContentLength = int64(2 * len(part))
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		must(t, v4.NewSigner().SignHTTP(ctx, aws.Credentials{AccessKeyID: rootKey, SecretAccessKey: "secret of " + rootKey}, r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", w.now(), func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }))
		return r
	}())
	if err == nil {
		r.Body.Close()
		t.Errorf("half a body is answered with %d", r.StatusCode)
	}
	if _, err := get(t, root, "data", "cut"); code(err) != "NoSuchKey" {
		t.Errorf("half a body: %v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }
