package webidentity

import (
	"encoding/json"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
)

// Reason names why a token was refused; "" when it was not. Surfaces give it their words, into which the
// report's Details go.
type Reason string

// Reasons, in the order in which they are looked for: when several hold, the first is the answer.
const (
	Malformed        Reason = "malformed token"
	AlgorithmRefused Reason = "algorithm refused" // Details: it
	MissingClaim     Reason = "missing claim"     // Details: its name
	OwnToken         Reason = "token of STS itself"
	NoProvider       Reason = "no such provider"     // Details: the issuer, with https://
	PeerUnknown      Reason = "certificate unknown"  // neither an authority nor a thumbprint vouches for the issuer's host
	KeysUnavailable  Reason = "keys unavailable"     // the issuer's documents could not be had or contradict it
	KeyUnknown       Reason = "key unknown"          // Details: kid
	SignatureInvalid Reason = "signature invalid"    // Details: kid
	TimeUnreadable   Reason = "time unreadable"      // Details: the claim
	Expired          Reason = "expired"              // Details: now less the leeway, exp
	NotYetValid      Reason = "not yet valid"        // Details: now and the leeway, nbf
	FromTheFuture    Reason = "issued in the future" // Details: iat
	NoAudience       Reason = "audience empty"
	ManyAudiences    Reason = "several audiences and no authorized party"
	AudienceMismatch Reason = "audience mismatch" // Details: the audience
	SubjectMissing   Reason = "subject is no text"
	BadTags          Reason = "principal tags malformed"
	BadTransitive    Reason = "transitive tag keys malformed"
	BadSource        Reason = "source identity malformed"
	RoleNotNamed     Reason = "role not named by the token"

	NotAmazonToken   Reason = "not a Login with Amazon token"
	NotFacebookToken Reason = "not a Facebook token"
	UnknownOpaque    Reason = "unknown provider of opaque tokens"
)

// decisive names the check that each reason stands for, where its fix is the change to propose.
var decisive = map[Reason]string{
	Malformed: token.CheckForm, AlgorithmRefused: token.CheckAlgorithm, NoProvider: "provider", PeerUnknown: "certificate", KeysUnavailable: token.CheckKeys, KeyUnknown: token.CheckKey,
	SignatureInvalid: token.CheckSignature, Expired: token.CheckExpiry, NotYetValid: token.CheckNotBefore, FromTheFuture: token.CheckIssuedAt,
	NoAudience: "audience", ManyAudiences: "audience", AudienceMismatch: "audience",
}

// fix is the change that would lift the reason.
func (r *Report) fix() string {
	for _, checks := range []evidence.Checks{r.Token, r.Provider} {
		for _, c := range checks {
			if !c.OK && !c.Skipped && c.Name == decisive[r.Reason] && c.Fix != "" {
				return c.Fix
			}
		}
	}
	return ""
}

// Opaque is the report on a token that comes with the name of the provider that issued it. Those tokens
// mean something to their issuers alone, which cannot be asked here: none is accepted.
func Opaque(provider string) Report {
	c := evidence.Check{Name: "provider", Operator: "one of", Want: []string{Amazon, Facebook}, Got: []string{evidence.Clip(provider)}}
	r := Report{Token: evidence.Checks{}}
	switch provider {
	case Amazon:
		c.OK = true
		r.refuse(NotAmazonToken)
	case Facebook:
		c.OK = true
		r.refuse(NotFacebookToken)
	default:
		c.Fix = "leave the provider id away: a token of OpenID Connect names its issuer itself"
		r.refuse(UnknownOpaque)
	}
	sig := evidence.Check{Name: "token", Operator: "accepted by", Want: []string{evidence.Clip(provider)}, Note: "an opaque token can be read by its issuer only, which is not asked from here"}
	r.Provider = evidence.Checks{c, sig}
	return r
}

// Bounds of what is kept of a token that nobody has vouched for.
const (
	trimmedValue  = 256 // bytes
	trimmedValues = 4
)

// trim cuts a report down to what names the token: strangers choose what is in one that is not proved.
func (r *Report) trim() {
	r.Header = pick(r.Header, "alg", "kid", "typ")
	r.Claims = pick(r.Claims, "iss", "sub", "aud", "azp", "exp", "nbf", "iat", "jti")
	for _, checks := range []evidence.Checks{r.Token, r.Provider} {
		for i := range checks {
			checks[i].Got = cut(checks[i].Got)
		}
	}
	r.Details = cut(r.Details)
}

func pick(from map[string]any, names ...string) map[string]any {
	out := map[string]any{}
	for _, n := range names {
		v, is := from[n]
		if !is {
			continue
		}
		if number, ok := v.(json.Number); ok && len(number) <= trimmedValue {
			out[n] = number
			continue
		}
		if values := cut(evidence.Values(v)); len(values) == 1 {
			out[n] = values[0]
		} else {
			out[n] = values
		}
	}
	return out
}

func cut(values []string) []string {
	out := make([]string, 0, min(len(values), trimmedValues))
	for _, s := range values[:min(len(values), trimmedValues)] {
		out = append(out, evidence.ClipTo(s, trimmedValue))
	}
	return out
}
