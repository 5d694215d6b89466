package webidentity

import (
	"context"
	"errors"
	"strings"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
)

// The providers that every account has without registering them.
const (
	Cognito  = "cognito-identity.amazonaws.com"
	Google   = "accounts.google.com"
	Amazon   = "www.amazon.com"
	Facebook = "graph.facebook.com"
)

// provider is who vouches for a token. The empty one vouches for none.
type provider struct {
	name, account, prefix string
	issuer                string // as asked for keys
	clients               []string
	builtIn               bool // takes any audience: the role's trust policy has to say which
	thumbprints           []string
	keys                  func(ctx context.Context, kid string) (token.Published, error)
	renewed               func(ctx context.Context, failed []token.PublicKey) (token.Published, bool) // nil: keys does that itself
}

// provider finds who an account takes the token's issuer for.
func (x *examination) provider(ctx context.Context, account string) (provider, error) {
	iss := x.p.Claims.Text("iss")
	c := evidence.Check{Name: "provider", Claim: "iss", Operator: "registered in", Want: []string{"account " + account}}
	if iss == "" {
		c.Skipped, c.Note = true, "the token names no issuer"
		x.Provider = append(x.Provider, c)
		return provider{}, nil
	}
	c.Got = []string{evidence.Clip(iss)}
	from, note, err := x.find(ctx, account, iss)
	if err != nil {
		return provider{}, err
	}
	c.OK, c.Note = from.name != "", note
	if c.OK {
		c.Want = []string{from.name}
	} else if x.Reason == NoProvider {
		audience := "aud"
		if x.p.Claims.Has("azp") {
			audience = "azp" // it stands in for aud
		}
		c.Fix = "register it in account " + account + ": aws iam create-open-id-connect-provider --url " + evidence.Clip(iss) + " --client-id-list with the token's " + audience
	}
	x.Provider = append(x.Provider, c)
	return from, nil
}

func (x *examination) find(ctx context.Context, account, iss string) (from provider, note string, err error) {
	v := x.v
	name, secure := Name(iss)
	switch {
	case v.Own != nil && v.Own(iss):
		x.refuse(OwnToken)
		return from, "STS does not take its own tokens back", nil
	case v.Pools != "" && iss == v.Pools:
		return provider{name: Cognito, prefix: Cognito, issuer: iss, builtIn: true, keys: func(ctx context.Context, kid string) (token.Published, error) {
			keys, err := v.PoolKeys.PublicKeys(ctx, iss, kid)
			return token.Published{Keys: keys}, err
		}}, "the issuer of our own identity pools", nil
	case name == Google && secure, iss == Google: // its older tokens lack the scheme
		from = provider{name: Google, prefix: Google, issuer: "https://" + Google, builtIn: true}
		note = "built in"
	case !secure:
		x.refuse(NoProvider, iss)
		return from, "it is no https address", nil
	default:
		registered, err := v.Providers.Named(ctx, account, name)
		if errors.Is(err, fault.NotFound) {
			x.refuse(NoProvider, "https://"+name)
			return from, "the account has no provider of the name " + evidence.Clip(name) + "; a trailing slash counts", nil
		}
		if err != nil {
			return from, "", err
		}
		from = provider{
			name: registered.ARN, account: registered.AccountID, prefix: registered.Name, issuer: iss,
			clients: registered.ClientIDs, thumbprints: registered.Thumbprints,
		}
	}
	from.keys = func(ctx context.Context, kid string) (token.Published, error) {
		return v.Keys.PinnedKeys(ctx, from.issuer, kid, from.thumbprints)
	}
	from.renewed = func(ctx context.Context, failed []token.PublicKey) (token.Published, bool) {
		return v.Keys.RenewedPinnedKeys(ctx, from.issuer, failed, from.thumbprints)
	}
	return from, note, nil
}

// Name is an issuer as IAM names its provider: without https:// and the port 443; path, case and a slash
// at the end count. ok is false for what is no https address.
func Name(issuer string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(issuer, "https://")
	host, path := rest, ""
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		host, path = rest[:i], rest[i:]
	}
	host = strings.TrimSuffix(host, ":443")
	return host + path, ok && host != ""
}
