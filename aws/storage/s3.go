package storage

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/aws/storage/gateway"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/wire/sigv4"
)

// S3 answers for Amazon S3. Either Gateway or Endpoint must be set, and everything else but Log.
type S3 struct {
	Gateway  *gateway.Gateway // buckets of all accounts in this process
	Endpoint *Endpoint        // or elsewhere, of one account
	Access   Authority
	Audit    audit.Recorder
	Region   string           // of requests that name none
	Now      func() time.Time // of the twin
	Wall     func() time.Time // of the machine
	Log      *slog.Logger     // nil discards

	keys  sigv4.KeyCache
	once  sync.Once
	inner http.RoundTripper // to the gateway
}

// s3Call is one request.
type s3Call struct {
	s    *S3
	w    http.ResponseWriter
	sent *http.Request // as its signature has it
	r    *http.Request // with the headers that were in its query
	info *audit.Request
	now  time.Time

	target    target
	operation operation
	query     url.Values // as it goes on
	source    source     // of a copy
	caller    caller
	hash      string // X-Amz-Content-Sha256, or what stands for it
	bucket    gateway.Bucket
	context   policy.Context
	patience  *patience
	course    course

	document []byte            // the body as it goes on, when it was read here
	tags     map[string]string // that the request gives to an object
	location string            // that it wants for a bucket
}

// ServeHTTP answers one request.
func (s *S3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	x := &s3Call{s: s, w: w, sent: r, r: r, info: audit.RequestOf(ctx), now: s.Now()}
	x.patience = &patience{control: http.NewResponseController(w), wall: s.Wall}
	x.info.Surface = "s3"
	x.name(w.Header())
	if err := x.serve(ctx); err != nil {
		x.refuse(ctx, err)
	}
}

// name says who answers, when, and under which id.
func (x *s3Call) name(h http.Header) {
	h.Set("Date", x.now.UTC().Format(http.TimeFormat)) // clients correct their clocks by it
	h.Set("Server", "AmazonS3")
	h.Set("X-Amz-Request-Id", x.info.ID)
	h.Set("X-Amz-Id-2", hostID(x.info.ID))
}

func (x *s3Call) serve(ctx context.Context) error {
	var unread error // told only to callers who have shown who they are
	x.target, unread = targetOf(x.r.Host, rawPath(x.r))
	_, raw, _ := strings.Cut(x.r.RequestURI, "?")
	if x.r.RequestURI == "" {
		raw = x.r.URL.RawQuery
	}
	if x.r.Method == http.MethodOptions && unread == nil {
		return x.preflight(ctx)
	}
	if unread == nil {
		x.r, unread = hoisted(x.sent, x.sent.URL.Query())
	}
	if unread == nil {
		x.operation, x.query, unread = operationOf(x.r.Method, x.target, raw, x.r.Header.Get("X-Amz-Copy-Source") != "")
	}
	if unread == nil {
		unread = x.checkIDs()
	}
	if unread == nil && x.operation.copies() {
		x.source, unread = copySource(strings.Join(x.r.Header.Values("X-Amz-Copy-Source"), ","))
	}
	x.info.Operation = x.operation.name
	if err := x.authenticate(ctx); err != nil {
		return err
	}
	if unread != nil {
		return unread
	}
	if err := x.locate(ctx); err != nil {
		return err
	}
	if err := x.readDocument(); err != nil {
		return err
	}
	x.context = x.conditions()
	if x.operation.name == "DeleteObjects" { // decides for each
		return x.deleteObjects(ctx)
	}
	demands, err := x.demands(ctx)
	if err != nil {
		return err
	}
	if err := x.permit(ctx, demands); err != nil {
		return err
	}
	if x.s.Gateway != nil && asksForACL(x.r.Header) {
		return errNoACLs.saying("The bucket does not allow ACLs")
	}
	if act := ownOperations[x.operation.name]; act != nil && x.s.Gateway != nil {
		return act(x, ctx)
	}
	return x.forward(ctx)
}

// asksForACL reports whether a request wants an access control list that says more than that the owner owns.
// Buckets here are as new ones of S3 are, without lists (S3 user guide, "Controlling ownership of objects").
func asksForACL(h http.Header) bool {
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-Grant-") {
			return true
		}
	}
	canned := h.Get("X-Amz-Acl")
	return canned != "" && canned != "private" && canned != "bucket-owner-full-control"
}

// authenticate finds the caller. A request with no signature at all is anybody's.
func (x *s3Call) authenticate(ctx context.Context) error {
	r := x.sent
	q := r.URL.Query()
	presigned := presigned(q)
	x.hash = r.Header.Get("X-Amz-Content-Sha256")
	if presigned {
		if v := q.Get("X-Amz-Content-Sha256"); v != "" {
			x.hash = v
		} else if x.hash == "" {
			x.hash = unsignedPayload
		}
	}
	if r.Header.Get("Authorization") == "" && !presigned {
		x.caller.nameless = true
		x.info.Caller = "anonymous"
		return nil
	}
	hash := x.hash
	if hash == "" {
		hash = "missing"
	}
	var err error
	x.caller, err = examine(ctx, x.s.Access, r, nil, sigv4.Rules{
		Service: "s3", Region: x.target.region, Skew: maxSkew, Path: sigv4.AsSent, PayloadHash: hash, MustExpire: true,
	}, x.now, &x.s.keys)
	if err != nil {
		return err
	}
	x.info.Caller = x.caller.key.Subject.Principal.ARN
	var refusal *s3Error
	switch e := x.caller.signed; {
	case x.hash == "":
		refusal = &errMissingHash
	case x.caller.problem != nil:
		x.info.Caller = op.Claimed(e.Credential.AccessKeyID)
		refusal = authenticationError(x.caller, x.now)
		if region := e.Credential.Region; x.caller.problem.Kind == sigv4.Misscoped &&
			(x.target.region != "" && region != x.target.region || !sigv4.RegionName(region)) {
			refusal = wrongRegion(e, cmp.Or(x.target.region, x.s.Region)) // clients sign anew for the region that is named
		}
	default:
		refusal = headersNotSigned(r.Header, e.SignedHeaders)
	}
	if refusal == nil {
		return nil
	}
	return x.refused(ctx, refusal, "", nil)
}

// headersNotSigned finds headers of S3's own that the signature leaves out: somebody between may have set
// them.
func headersNotSigned(h http.Header, signed []string) *s3Error {
	var loose []string
	for name := range h {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") && !slices.Contains(signed, name) {
			loose = append(loose, name)
		}
	}
	if loose == nil {
		return nil
	}
	slices.Sort(loose)
	return errHeadersNotSigned.with("HeadersNotSigned", strings.Join(loose, ", "))
}

// locate finds the bucket and whose it is.
func (x *s3Call) locate(ctx context.Context) error {
	mine := gateway.Bucket{Name: x.target.bucket, Owner: x.caller.key.Subject.Principal.Account}
	if x.s.Gateway == nil {
		mine.Owner = x.s.Endpoint.Account
		x.bucket = mine
	} else if x.target.bucket != "" && x.operation.name != "CreateBucket" {
		var err error
		if x.bucket, err = x.find(ctx, x.target.bucket); err != nil {
			return err
		}
	} else {
		x.bucket = mine
	}
	if want := x.r.Header.Get("X-Amz-Expected-Bucket-Owner"); want != "" && want != x.bucket.Owner {
		return x.refused(ctx, &errAccessDenied, x.target.arn(), nil)
	}
	return x.holds(x.target)
}

// find finds a bucket of the gateway.
func (x *s3Call) find(ctx context.Context, name string) (gateway.Bucket, error) {
	b, err := x.s.Gateway.Bucket(ctx, name)
	if errors.Is(err, fault.NotFound) {
		return b, errNoSuchBucket.with("BucketName", name)
	}
	return b, err
}

// holds refuses keys that the gateway cannot have: there is no such object, and there will not be.
func (x *s3Call) holds(t target) error {
	if x.s.Gateway == nil || t.key == "" {
		return nil
	}
	why := x.s.Gateway.Holds(t.key)
	switch {
	case why == "":
		return nil
	case t == x.target && (x.r.Method == http.MethodPut || x.r.Method == http.MethodPost):
		return errNotImplemented.saying("Objects are files here: %s are not implemented.", why)
	}
	return noSuchKey(t.key)
}

func noSuchKey(key string) *s3Error {
	e := s3Error{Code: "NoSuchKey", Message: "The specified key does not exist.", Status: http.StatusNotFound}
	return e.with("Key", key)
}

// refused records a refusal, which is then to be answered.
func (x *s3Call) refused(ctx context.Context, e *s3Error, resource string, decisions []policy.Decision) error {
	if err := record(ctx, x.s.Audit, x.now, x.caller, resource, e.Code, decisions); err != nil {
		return err
	}
	return e
}

// refuse answers with an error.
func (x *s3Call) refuse(ctx context.Context, err error) {
	var e *s3Error
	if !errors.As(err, &e) {
		e = &errInternal
		if errors.Is(err, fault.Unavailable) || errors.As(err, new(errNoWay)) {
			e = &errUnavailable
		}
		discard(x.s.Log).ErrorContext(ctx, "s3 request failed", "request", x.info.ID, "operation", x.operation.name, "error", err)
	}
	x.info.Code = e.Code
	x.w.Header().Set("Content-Type", "application/xml")
	x.letGo()
	x.w.WriteHeader(e.Status)
	if x.r.Method != http.MethodHead {
		_, _ = x.w.Write(e.body(x.info.ID)) // whoever does not read it is gone
	}
}

// maxDrain is how much of a body is taken in before a refusal, so that a client that sends first and reads
// then gets it. Whoever waits for "100 Continue" sends nothing.
const maxDrain = 8 << 20

// letGo leaves the rest of a body.
func (x *s3Call) letGo() {
	if x.r.Body == nil || x.r.ContentLength == 0 {
		return
	}
	if x.r.Header.Get("Expect") == "" {
		if n, err := io.CopyN(io.Discard, x.incoming(), maxDrain+1); n <= maxDrain && err == io.EOF {
			return
		}
	}
	x.w.Header().Set("Connection", "close")
}
