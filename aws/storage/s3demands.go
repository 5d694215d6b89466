package storage

import (
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/aws/storage/gateway"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/wire/sigv4"
)

// demand is one permission that a request needs.
type demand struct {
	action string
	target target
	bucket gateway.Bucket
}

// demands lists what a request needs, its own action first.
func (x *s3Call) demands(ctx context.Context) ([]demand, error) {
	out := []demand{{x.operation.action, x.target, x.bucket}}
	add := func(action string, when bool) {
		if when {
			out = append(out, demand{action, x.target, x.bucket})
		}
	}
	h := x.r.Header
	switch x.operation.name {
	case "PutObject", "CopyObject", "CreateMultipartUpload":
		add("s3:PutObjectTagging", h.Get("X-Amz-Tagging") != "")
		add("s3:PutObjectAcl", grants(h))
		add("s3:PutObjectRetention", h.Get("X-Amz-Object-Lock-Mode") != "" || h.Get("X-Amz-Object-Lock-Retain-Until-Date") != "")
		add("s3:PutObjectLegalHold", h.Get("X-Amz-Object-Lock-Legal-Hold") != "")
	case "CreateBucket":
		locked := strings.EqualFold(h.Get("X-Amz-Bucket-Object-Lock-Enabled"), "true")
		add("s3:PutBucketAcl", grants(h))
		add("s3:PutBucketObjectLockConfiguration", locked)
		add("s3:PutBucketVersioning", locked)
		add("s3:PutBucketOwnershipControls", h.Get("X-Amz-Object-Ownership") != "")
	case "GetObjectAttributes":
		action := "s3:GetObjectAttributes"
		if x.query.Get("versionId") != "" {
			action = "s3:GetObjectVersionAttributes"
		}
		add(action, true)
	case "DeleteObject", "PutObjectRetention":
		add("s3:BypassGovernanceRetention", strings.EqualFold(h.Get("X-Amz-Bypass-Governance-Retention"), "true"))
	}
	if x.operation.copies() {
		read, err := x.readsSource(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, read)
	}
	return out, nil
}

// grants reports a request for an access control list.
func grants(h http.Header) bool {
	for name := range h {
		if name == "X-Amz-Acl" || strings.HasPrefix(name, "X-Amz-Grant-") {
			return true
		}
	}
	return false
}

// readsSource is the permission to read what is copied.
func (x *s3Call) readsSource(ctx context.Context) (demand, error) {
	from, bucket := x.source.target, x.bucket
	if err := x.holds(from); err != nil {
		return demand{}, err
	}
	if x.s.Gateway != nil {
		var err error
		if bucket, err = x.find(ctx, from.bucket); err != nil {
			return demand{}, err
		}
	}
	if err := x.checkVersion(x.source.version); err != nil {
		return demand{}, err
	}
	if want := x.r.Header.Get("X-Amz-Source-Expected-Bucket-Owner"); want != "" && want != bucket.Owner {
		return demand{}, x.refused(ctx, &errAccessDenied, from.arn(), nil)
	}
	d := demand{"s3:GetObject", from, bucket}
	if x.source.version != "" {
		d.action = "s3:GetObjectVersion"
	}
	return d, nil
}

// permit decides every demand, records, and gives the first refusal.
func (x *s3Call) permit(ctx context.Context, demands []demand) error {
	var refusal *s3Error
	var decisions []policy.Decision
	for _, d := range demands {
		decision, no, err := x.decide(ctx, d)
		if err != nil {
			return err
		}
		decisions = append(decisions, decision)
		if refusal == nil {
			refusal = no
		}
	}
	resource := demands[0].target.arn()
	if refusal != nil {
		return x.refused(ctx, refusal, resource, decisions)
	}
	return record(ctx, x.s.Audit, x.now, x.caller, resource, "", decisions)
}

func (x *s3Call) denied(d demand, decision policy.Decision) *s3Error {
	arn := d.target.arn()
	if d.target.bucket == "" {
		arn = ""
	}
	return denied(decision, d.bucket.Owner == x.caller.subject().Principal.Account, arn)
}

// decide evaluates one demand with the caller's policies and the bucket's. The refusal is nil when it is
// allowed.
func (x *s3Call) decide(ctx context.Context, d demand) (decision policy.Decision, refusal *s3Error, err error) {
	ask := access.Ask{Subject: x.caller.subject(), Action: d.action, Resource: d.target.arn(), Owner: d.bucket.Owner, Context: policy.Context{}}
	for name, v := range x.context {
		ask.Context[name] = v
	}
	if d.bucket.Owner != "" {
		ask.Context.Set("s3:ResourceAccount", d.bucket.Owner)
	}
	if len(d.bucket.Policy) > 0 {
		doc, err := policy.Parse(string(d.bucket.Policy), policy.Resource)
		if err != nil {
			return decision, nil, err
		}
		ask.Policies = append(ask.Policies, policy.Source{Type: policy.ResourceBased, Name: "policy of bucket " + d.bucket.Name, Document: doc})
	}
	if decision, err = x.s.Access.Decide(ctx, ask); err != nil {
		return decision, nil, err
	}
	if d.target.key != "" && asks(decision, existingTag) {
		if x.s.Gateway == nil {
			decision = unseen(decision, existingTag, "an endpoint elsewhere")
			return decision, x.denied(d, decision), nil
		}
		// Reading an object's tags costs, and few policies ask for them.
		tags, err := x.s.Gateway.Tags(ctx, d.target.bucket, d.target.key)
		if err != nil {
			return decision, nil, err
		}
		for name, value := range tags {
			ask.Context.Set(existingTag+name, value)
		}
		if decision, err = x.s.Access.Decide(ctx, ask); err != nil {
			return decision, nil, err
		}
	}
	if !decision.Allows() {
		refusal = x.denied(d, decision)
	}
	return decision, refusal, nil
}

const existingTag = "s3:ExistingObjectTag/"

// headerKeys are the condition keys that are headers (Service Authorization Reference, Amazon S3).
var headerKeys = []string{
	"x-amz-acl", "x-amz-grant-full-control", "x-amz-grant-read", "x-amz-grant-read-acp",
	"x-amz-grant-write", "x-amz-grant-write-acp", "x-amz-metadata-directive", "x-amz-object-ownership", "x-amz-server-side-encryption",
	"x-amz-server-side-encryption-aws-kms-key-id", "x-amz-server-side-encryption-customer-algorithm", "x-amz-storage-class",
	"x-amz-website-redirect-location", "if-match", "if-none-match",
}

// conditions are the condition keys of the request.
func (x *s3Call) conditions() policy.Context {
	region, r := x.s.Region, x.r
	k := policy.Context{}
	if !x.caller.nameless {
		e := x.caller.signed
		region = e.Credential.Region
		k.Set("s3:signatureversion", sigv4.Algorithm)
		k.Set("s3:authType", "REST-HEADER")
		if e.Presigned {
			k.Set("s3:authType", "REST-QUERY-STRING")
			k.Set("s3:signatureAge", strconv.FormatInt(max(0, x.now.Sub(e.Time).Milliseconds()), 10))
		}
	}
	for name, v := range op.GlobalKeys(r, region, x.now) {
		k[name] = v
	}
	if r.TLS != nil {
		k.Set("s3:TlsVersion", map[uint16]string{0x0301: "1.0", 0x0302: "1.1", 0x0303: "1.2", 0x0304: "1.3"}[r.TLS.Version])
	}
	for _, name := range headerKeys {
		if v := r.Header.Values(name); v != nil {
			k.Set("s3:"+name, op.Clipped(strings.Join(v, ",")))
		}
	}
	if x.hash != "" {
		k.Set("s3:x-amz-content-sha256", op.Clipped(x.hash))
	}
	if x.operation.copies() {
		k.Set("s3:x-amz-copy-source", op.Clipped(x.source.plain()))
	}
	for name, header := range map[string]string{
		"s3:object-lock-mode": "X-Amz-Object-Lock-Mode", "s3:object-lock-legal-hold": "X-Amz-Object-Lock-Legal-Hold",
		"s3:object-lock-retain-until-date": "X-Amz-Object-Lock-Retain-Until-Date",
	} {
		if v := r.Header.Get(header); v != "" {
			k.Set(name, op.Clipped(v))
		}
	}
	for name, parameter := range map[string]string{"s3:prefix": "prefix", "s3:delimiter": "delimiter", "s3:max-keys": "max-keys", "s3:VersionId": "versionId"} {
		if x.query.Has(parameter) {
			k.Set(name, op.Clipped(x.query.Get(parameter)))
		}
	}
	if len(x.tags) > 0 {
		names := make([]string, 0, len(x.tags))
		for name, value := range x.tags {
			names = append(names, name)
			k.Set("s3:RequestObjectTag/"+name, value)
		}
		slices.Sort(names)
		k.SetMany("s3:RequestObjectTagKeys", names...)
	}
	if x.location != "" {
		k.Set("s3:LocationConstraint", x.location)
	}
	return k
}
