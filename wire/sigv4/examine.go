package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// region is what the name of a region looks like: us-east-1, us-gov-west-1, cn-north-1, ap-southeast-7.
var region = regexp.MustCompile(`^[a-z]{2,8}(-[a-z]{2,16}){1,3}-[0-9]{1,2}$`)

// RegionName reports whether s looks like the name of a region.
func RegionName(s string) bool { return region.MatchString(s) }

// mustSign lists headers that have to be signed when they are there.
var mustSign = []string{"X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Target"}

// Examine looks at all of a request's authentication that needs no secret. body is the whole body.
func Examine(r *http.Request, body []byte, rules Rules, now time.Time) *Examination {
	e := &Examination{}
	_, raw := target(r)
	query := parseQuery(raw)
	if !e.parse(r, query, rules) {
		return e
	}
	e.checkTime(rules, now)
	e.checkHeaders(r)
	e.check(e.algorithm == Algorithm, Incomplete, "Unsupported AWS 'algorithm': '"+e.algorithm+"'.",
		Check{Name: "algorithm", Operator: "equals", Want: []string{Algorithm}, Got: []string{e.algorithm}})
	if e.parseCredential(); e.scoped {
		e.checkScope(rules)
	}
	hash := rules.PayloadHash
	if hash == "" {
		sum := sha256.Sum256(body)
		hash = hex.EncodeToString(sum[:])
	}
	e.CanonicalRequest = canonical(r, query, e.SignedHeaders, hash, rules.Path)
	sum := sha256.Sum256([]byte(e.CanonicalRequest))
	stamp := e.stamp
	if !e.Time.IsZero() {
		stamp = e.Time.Format(stampForm)
	}
	e.StringToSign = Algorithm + "\n" + stamp + "\n" + e.Credential.Scope() + "\n" + hex.EncodeToString(sum[:])
	return e
}

// checkTime looks at the date and how far it is from now.
func (e *Examination) checkTime(rules Rules, now time.Time) {
	when, ok := parseTime(e.stamp)
	e.check(ok, Incomplete, "Date must be in ISO-8601 'basic format'. Got '"+e.stamp+"'. See http://en.wikipedia.org/wiki/ISO_8601",
		Check{Name: "date", Claim: "X-Amz-Date", Operator: "is", Want: []string{"YYYYMMDDThhmmssZ"}, Got: []string{e.stamp}})
	if !ok {
		return
	}
	e.Time = when
	now = now.UTC()
	life := rules.Skew
	if e.Presigned && e.Expires > 0 && !rules.FixedWindow {
		life = e.Expires
	}
	stamp, nowStamp := when.Format(stampForm), now.Format(stampForm)
	oldest, latest := now.Add(-life).Format(stampForm), now.Add(rules.Skew).Format(stampForm)
	e.check(!when.Before(now.Add(-life)), Skewed,
		"Signature expired: "+stamp+" is now earlier than "+oldest+" ("+nowStamp+" - "+window(life)+")",
		Check{Name: "not expired", Claim: "X-Amz-Date", Operator: "not before", Want: []string{oldest}, Got: []string{stamp}, Fix: "sign again; set this machine's clock"})
	e.check(!when.After(now.Add(rules.Skew)), Skewed,
		"Signature not yet current: "+stamp+" is still later than "+latest+" ("+nowStamp+" + "+window(rules.Skew)+")",
		Check{Name: "already valid", Claim: "X-Amz-Date", Operator: "not after", Want: []string{latest}, Got: []string{stamp}, Fix: "set this machine's clock"})
}

// checkHeaders looks whether what has to be signed is.
func (e *Examination) checkHeaders(r *http.Request) {
	host := slices.Contains(e.SignedHeaders, "host") || slices.Contains(e.SignedHeaders, ":authority")
	e.check(host, Unsigned, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
		Check{Name: "signed headers", Operator: "has", Want: []string{"host"}, Got: e.SignedHeaders})
	for _, name := range mustSign {
		if r.Header.Values(name) == nil {
			continue
		}
		e.check(slices.Contains(e.SignedHeaders, strings.ToLower(name)), Unsigned, "'"+name+"' must be a 'SignedHeader' in the AWS Authorization.",
			Check{Name: "signed headers", Operator: "has", Want: []string{strings.ToLower(name)}, Got: e.SignedHeaders})
	}
}

// checkScope looks at the parts of the credential. AWS says all that is wrong with them in one message.
func (e *Examination) checkScope(rules Rules) {
	var wrong []string
	part := func(name, want, got string, ok bool, message string) {
		e.Checks = append(e.Checks, Check{Name: "credential " + name, Operator: "equals", Want: []string{want}, Got: []string{got}, OK: ok})
		if !ok {
			wrong = append(wrong, message)
		}
	}
	c := e.Credential
	want := rules.Region
	ok := c.Region == want
	if want == "" {
		want, ok = "any region", RegionName(c.Region)
	}
	part("region", want, c.Region, ok, "Credential should be scoped to a valid region, not '"+c.Region+"'.")
	part("service", rules.Service, c.Service, c.Service == rules.Service, "Credential should be scoped to correct service: '"+rules.Service+"'.")
	part("terminator", Terminator, c.Terminator, c.Terminator == Terminator, "Credential should be scoped with a valid terminator: '"+Terminator+"', not '"+c.Terminator+"'.")
	if !e.Time.IsZero() {
		day := e.Time.Format(dayForm)
		part("day", day, c.Day, c.Day == day, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '"+
			c.Day+"' != '"+day+"', from '"+e.Time.Format(stampForm)+"'.")
	}
	if wrong != nil {
		e.problems = append(e.problems, &Problem{Kind: Misscoped, Message: strings.Join(wrong, " ")})
	}
}

const textMismatch = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."

// Verify compares the signature with the one that secret makes, in constant time. keys may be nil.
func (e *Examination) Verify(secret string, keys *KeyCache) {
	c := Check{Name: "signature", Operator: "equals", Want: []string{"the signature of this request"}}
	if e.StringToSign == "" || !e.scoped {
		c.Skipped, c.Note = true, "there is no complete authentication to verify"
		e.Checks = append(e.Checks, c)
		return
	}
	key := keys.derive(secret, e.Credential)
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(e.StringToSign))
	want := hex.EncodeToString(mac.Sum(nil))
	ok := hmac.Equal([]byte(want), []byte(e.signature))
	if !ok {
		c.Fix = "compare the secret access key, and what a proxy may have changed: host, path, signed headers, body"
	}
	e.check(ok, Mismatched, textMismatch, c)
}

// Skip notes that the signature could not be verified, and why.
func (e *Examination) Skip(why string) {
	e.Checks = append(e.Checks, Check{Name: "signature", Operator: "equals", Want: []string{"the signature of this request"}, Skipped: true, Note: why})
}
