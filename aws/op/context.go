package op

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/treatyfed/treaty/core/policy"
)

// facts are what policies may ask about any request.
type facts struct {
	sourceIP, userAgent, referer, region string
	secure, global                       bool
	at                                   time.Time
}

type factsKey struct{}

// maxHeaderKey bounds the condition keys that are headers, in bytes: their senders choose them, and matching
// one with a policy's patterns takes time in proportion to both lengths.
const maxHeaderKey = 2048

// Clipped is what a sender chose, a header or a parameter, as policies see it.
func Clipped(s string) string { return s[:min(len(s), maxHeaderKey)] }

// GlobalKeys is RequestContext for surfaces that the Dispatcher does not serve.
func GlobalKeys(r *http.Request, region string, now time.Time) policy.Context {
	return factsOf(r, region, now).keys()
}

// withFacts notes what the request shows of itself.
func withFacts(ctx context.Context, r *http.Request, region string, now time.Time) context.Context {
	return context.WithValue(ctx, factsKey{}, factsOf(r, region, now))
}

func factsOf(r *http.Request, region string, now time.Time) facts {
	ip, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		ip = r.RemoteAddr
	}
	return facts{
		sourceIP: ip, userAgent: Clipped(r.UserAgent()), referer: Clipped(r.Referer()), region: region, secure: r.TLS != nil, at: now.UTC(),
		global: globalEndpoint(r.Host),
	}
}

// GlobalEndpoint reports that the request came to the name of its service that has no region in it.
func GlobalEndpoint(ctx context.Context) bool {
	f, _ := ctx.Value(factsKey{}).(facts)
	return f.global
}

// RequestContext is a fresh map of the condition keys that every request has (IAM user guide, "AWS global
// condition context keys"): where it came from and when. The caller's own keys are core/access's.
func RequestContext(ctx context.Context) policy.Context {
	f, _ := ctx.Value(factsKey{}).(facts)
	return f.keys()
}

func (f facts) keys() policy.Context {
	k := policy.Context{}
	for name, v := range map[string]string{"aws:SourceIp": f.sourceIP, "aws:UserAgent": f.userAgent, "aws:Referer": f.referer, "aws:RequestedRegion": f.region} {
		if v != "" {
			k.Set(name, v)
		}
	}
	k.Set("aws:SecureTransport", strconv.FormatBool(f.secure))
	k.Set("aws:ViaAWSService", "false")
	if !f.at.IsZero() {
		k.Set("aws:CurrentTime", f.at.Format("2006-01-02T15:04:05Z"))
		k.Set("aws:EpochTime", strconv.FormatInt(f.at.Unix(), 10))
	}
	return k
}
