package webidentity

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
)

// times checks exp, nbf and iat, each with the leeway. They are whole seconds, as numbers or in strings.
func (x *examination) times() {
	if x.p.Claims == nil {
		return
	}
	early, late := x.now.Add(-Leeway).Unix(), x.now.Add(Leeway).Unix()
	for _, rule := range [...]struct {
		name, claim, operator string
		now                   int64
		holds                 func(t int64) bool
		reason                Reason
	}{
		{token.CheckExpiry, "exp", "after", early, func(t int64) bool { return early < t }, Expired},
		{token.CheckNotBefore, "nbf", "not after", late, func(t int64) bool { return late >= t }, NotYetValid},
		{token.CheckIssuedAt, "iat", "not after", late, func(t int64) bool { return late >= t }, FromTheFuture},
	} {
		now := strconv.FormatInt(rule.now, 10)
		c := evidence.Check{Name: rule.name, Claim: rule.claim, Operator: rule.operator, Want: []string{now}}
		v, is := x.p.Claims[rule.claim]
		t, readable := seconds(v)
		switch {
		case !is:
			if c.OK = rule.claim == "nbf"; c.OK {
				c.Note = "absent, and not required"
			}
		case !readable:
			c.Got, c.Note = evidence.Values(v), "not whole seconds since 1970"
			x.refuse(TimeUnreadable, rule.claim)
		default:
			c.Got, c.OK = []string{strconv.FormatInt(t, 10)}, rule.holds(t)
			c.Note = Leeway.String() + " of difference between clocks are tolerated"
		}
		if readable && !c.OK {
			c.Fix = "present a fresh token, or compare the clocks of the issuer and of this server"
			if details := []string{now, c.Got[0]}; rule.reason == FromTheFuture {
				x.refuse(rule.reason, details[1])
			} else {
				x.refuse(rule.reason, details...)
			}
		}
		x.Token = append(x.Token, c)
	}
}

// maxDigits keeps a time within an int64.
const maxDigits = 18

// seconds reads a time as STS does: an integer, or a string that is one. Fractions are refused.
func seconds(v any) (int64, bool) {
	var text string
	switch v := v.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	default:
		return 0, false
	}
	digits := strings.TrimPrefix(text, "-")
	if digits == "" || len(digits) > maxDigits || strings.Trim(digits, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// audience checks whom the token was issued for. Where it names an authorized party, azp, that one stands in
// for aud: it is compared with the provider's client ids, and becomes the audience of conditions and answer.
func (x *examination) audience(from provider, id *Identity) {
	aud, present := x.p.Claims["aud"]
	if !present {
		return
	}
	id.OriginalAudience = x.p.Claims.Texts("aud")
	_, id.AudienceList = aud.([]any)
	azp, party := x.p.Claims["azp"]
	if azp == nil {
		party = false
	}
	c := evidence.Check{Name: "audience", Claim: "aud", Operator: "one of", Want: slices.Clone(from.clients), Got: evidence.Values(aud)}
	if party {
		c.Claim, c.Got = "azp", evidence.Values(azp)
		c.Note = "azp is compared in place of aud, which is " + strings.Join(evidence.Values(aud), ", ")
		id.Audience = x.p.Claims.Text("azp")
	} else if len(id.OriginalAudience) > 0 {
		id.Audience = id.OriginalAudience[0]
	}
	switch {
	case len(id.OriginalAudience) == 0:
		c.Note = "the claim is neither a string nor an array with one"
		x.refuse(NoAudience)
	case !party && len(id.OriginalAudience) > 1:
		c.Note = "several audiences need a claim azp that says which is meant"
		x.refuse(ManyAudiences)
	case from.name == "":
		c.Skipped, c.Note = true, "there is no provider that has client ids"
	case from.builtIn:
		c.OK, c.Note = true, "a built-in provider takes any; the role's trust policy has to say which"
	case !slices.Contains(from.clients, id.Audience) || party && azp != any(id.Audience):
		c.Fix = "add the audience to the provider's client ids, or have the token issued for one of them"
		x.refuse(AudienceMismatch, id.Audience)
	default:
		c.OK = true
	}
	x.Token = append(x.Token, c)
}

// subject reads sub, which may be empty, and any plain value.
func (x *examination) subject(id *Identity) {
	v, present := x.p.Claims["sub"]
	if !present {
		return
	}
	c := evidence.Check{Name: "subject", Claim: "sub", Operator: "is", Want: []string{"a text"}, Got: evidence.Values(v)}
	if id.Subject, c.OK = text(v); !c.OK {
		x.refuse(SubjectMissing)
	}
	x.Token = append(x.Token, c)
	id.AMR = x.p.Claims.Texts("amr")
	id.Email = x.p.Claims.Text("email")
}

// text is a plain value as a string: a number as it was written.
func text(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}
