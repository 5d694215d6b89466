package op

import (
	"context"

	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/policy"
)

// Caller is who signed the request.
type Caller struct {
	Account     string // twelve digits
	ARN         string // arn:aws:iam::123456789012:root
	UserID      string // the unique id that GetCallerIdentity shows; for root the account id
	AccessKeyID string
	Region      string // of the signature's scope
	Subject     access.Subject
	Proof       evidence.Checks // how the signature was examined
}

// Root reports whether the caller is the root of its account.
func (c Caller) Root() bool { return c.Subject.Principal.Type == policy.Account }

type callerKey struct{}
type regionKey struct{}

// WithCaller puts a caller and its region into the context, as the Dispatcher does for signed calls.
func WithCaller(ctx context.Context, c Caller) context.Context {
	ctx = context.WithValue(ctx, callerKey{}, c)
	if c.Region != "" {
		ctx = WithRegion(ctx, c.Region)
	}
	return ctx
}

// CallerOf returns who signed the request being served; for public operations the zero Caller.
func CallerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(callerKey{}).(Caller)
	return c
}

// WithRegion puts the region that a request is for into the context.
func WithRegion(ctx context.Context, region string) context.Context {
	return context.WithValue(ctx, regionKey{}, region)
}

// RegionOf returns the region that the request being served is for: the signature scope's, else the
// host's, else the Dispatcher's default.
func RegionOf(ctx context.Context) string {
	r, _ := ctx.Value(regionKey{}).(string)
	return r
}
