package idp

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
)

// byBearer is the method of endpoints at which a client's secret is its token (RFC 6750 section 2.1).
const byBearer = "bearer"

// issue carries a request to a product's own endpoint through client, rules, token and audit. want
// authenticates and says what the token is made from. A refusal is on record, and left to the caller to
// write as the product writes it.
func (s *Service) issue(w http.ResponseWriter, r *http.Request, i directory.Issuer, operation string, want func(context.Context, *call) (Mint, error)) (Minted, *Refusal) {
	ctx, c := r.Context(), s.begin(w, r, asked{issuer: i, preset: presetOf(i)})
	c.record.Operation = operation
	m, err := want(ctx, c)
	var minted Minted
	if err == nil {
		if minted, err = s.mint(ctx, c, m); err != nil {
			err = unruly(err)
		}
	}
	refused := s.refusal(ctx, c, err)
	if err := s.keep(ctx, c, refused); err != nil {
		refused = s.refusal(ctx, c, err)
	}
	return minted, refused
}

// authenticateBearer finds the client whose secret the request bears. Who bears nothing is told so.
func (s *Service) authenticateBearer(r *http.Request, c *call) error {
	c.evidence.Method = byBearer
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	given := strings.EqualFold(scheme, "Bearer") && secret != ""
	c.evidence.Client = evidence.Checks{{Name: checkMethods, Operator: "exactly one", Want: []string{byBearer}, OK: given}}
	if !given {
		return refuse(invalidClient, "the request has no bearer token")
	}
	var known, live bool
	hash := s.Sealer.Hash(credential.Secret(strings.TrimSpace(secret)))
	for _, client := range c.issuer.Clients {
		for _, candidate := range client.Secrets {
			if !hmac.Equal(hash, candidate.Hash) || live {
				continue
			}
			known, live, c.client = true, c.valid(candidate), client
		}
	}
	c.record.Caller = evidence.Clip(c.client.ID)
	return c.secretFound(known, live, "the bearer token belongs to no client of the issuer")
}

// attributesOf are a client's attributes under what a mint says, for a preset to add to. Whole numbers stay
// whole: a claim that is written from one has no exponent.
func attributesOf(c directory.IssuerClient, parameters map[string]any) map[string]any {
	out := make(map[string]any, len(c.Attributes)+len(parameters)+16)
	maps.Copy(out, c.Attributes)
	maps.Copy(out, parameters)
	for name, v := range out {
		if f, is := v.(float64); is && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
			out[name] = int64(f)
		}
	}
	return out
}

// setDefault sets an attribute that is missing or null.
func setDefault(attributes map[string]any, name string, v any) {
	if attributes[name] == nil {
		attributes[name] = v
	}
}

// textOf reads an attribute that is a text.
func textOf(attributes map[string]any, name string) string {
	s, _ := attributes[name].(string)
	return s
}

// derivedGUID makes a UUID that is always the same for the same parts.
func derivedGUID(parts ...string) string {
	sum := digest(parts)
	return guid(sum[:])
}

// derivedNumber makes so many digits (at most 30) that are always the same for the same parts.
func derivedNumber(digits int, parts ...string) string {
	sum := digest(parts)
	out := make([]byte, digits)
	for i := range out {
		out[i] = '0' + sum[i]%10
	}
	out[0] = '1' + sum[0]%9
	return string(out)
}

// derivedHash makes a hash as of a commit that is always the same for the same parts.
func derivedHash(parts ...string) string { return fmt.Sprintf("%x", digest(parts))[:40] }

func digest(parts []string) [sha256.Size]byte {
	return sha256.Sum256([]byte(strings.Join(parts, "\x00")))
}

// copied makes rules that take client attributes as they are, under the claims' own names.
func copied(rules map[string]string, names ...string) map[string]string {
	for _, name := range names {
		rules[name] = "client.attributes." + name
	}
	return rules
}

// written makes rules that take client attributes as texts, and leave out those that are not there.
func written(rules map[string]string, names ...string) map[string]string {
	for _, name := range names {
		rules[name] = "client.attributes.?" + name + ".optMap(v, string(v))"
	}
	return rules
}

// sortedClaims are the names of rules and the claims that every token has.
func sortedClaims(rules map[string]string, more ...string) []string {
	return slices.Sorted(slices.Values(append(slices.Collect(maps.Keys(rules)), more...)))
}

// queryAudience is the audience parameter of a query: at most one, of a bounded length.
func queryAudience(r *http.Request) (string, error) {
	all := r.URL.Query()["audience"]
	if len(all) > 1 {
		return "", refuse(invalidRequest, "audience is given more than once")
	}
	if len(all) == 0 {
		return "", nil
	}
	if len(all[0]) > maxTarget {
		return "", refuse(invalidRequest, "the audience is too long")
	}
	return all[0], nil
}
