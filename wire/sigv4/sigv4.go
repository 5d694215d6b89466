// Package sigv4 examines AWS Signature Version 4 on incoming requests, in the Authorization header or in
// the query (presigned).
//
// It owns the parsing of both forms, the canonical request, the string to sign, the derived keys and the
// words in which AWS refuses. Examine looks at everything that needs no secret, Verify at the signature;
// neither stops at the first fault, so the Examination holds every check. It leaves whose the access key
// is, session tokens, and the error code on the wire to its caller.
//
// What is signed is taken as it was sent (request line, Host, header values), so a request that reached
// us through a proxy under a cloud's name verifies like one to a loopback port.
//
// Sources: AWS General Reference, "Signature Version 4 signing process"; the order of checks and their
// texts as recorded from services built on AWS's common framework.
package sigv4

import (
	"fmt"
	"time"
)

// Algorithm is the only one that is verified.
const Algorithm = "AWS4-HMAC-SHA256"

// Terminator ends every credential scope.
const Terminator = "aws4_request"

// The forms of dates: X-Amz-Date, and the first part of a scope.
const (
	stampForm = "20060102T150405Z"
	dayForm   = "20060102"
)

// Kind says what is wrong with a request's authentication. The caller gives it its protocol's code.
type Kind int

// The kinds.
const (
	Missing      Kind = iota + 1 // no authentication at all
	Ambiguous                    // in the header and in the query
	Incomplete                   // malformed or unknown
	Skewed                       // signed too long ago, or in the future
	Unsigned                     // a header that must be signed is not
	Misscoped                    // wrong region, service, terminator or day in the credential
	UnknownToken                 // decided by the caller: no such access key, or a session token that is none
	ExpiredToken                 // decided by the caller: a session that has ended
	Mismatched                   // the signature is another one
)

// Problem is one fault in a request's authentication, worded as AWS does.
type Problem struct {
	Kind    Kind
	Message string
	Check   string // the name of the check that failed, where there is one
}

func (p *Problem) Error() string { return p.Message }

// Check is one look at one thing; its fields are those of Treaty's evidence.
type Check struct {
	Name, Claim, Operator string
	Want, Got             []string
	OK, Skipped           bool
	Note, Fix             string
}

// Rules is how a service wants to be signed for.
type Rules struct {
	Service string        // signing name
	Region  string        // "" when the endpoint is of no region: any region's name will do
	Skew    time.Duration // how far the signature's date may be from now
	// FixedWindow makes a presigned request good for Skew whatever its X-Amz-Expires.
	FixedWindow bool
	// MustExpire refuses a presigned request that does not say how long it is good for.
	MustExpire bool
	// Path says how the path is canonicalised.
	Path PathRule
	// PayloadHash replaces the hash of the body, when a service allows that ("UNSIGNED-PAYLOAD").
	PayloadHash string
}

// PathRule is one of the two ways to canonicalise a path.
type PathRule int

// The ways: all services but S3 normalise the path and encode it once more than it was sent.
const (
	EncodedAgain PathRule = iota
	AsSent                // S3
)

// Credential is the scope of a signature.
type Credential struct {
	AccessKeyID, Day, Region, Service, Terminator string
}

// Scope is what the key is derived for, as the string to sign has it.
func (c Credential) Scope() string {
	return c.Day + "/" + c.Region + "/" + c.Service + "/" + c.Terminator
}

// Examination is all that was found of a request's authentication.
type Examination struct {
	Presigned     bool
	Credential    Credential
	SignedHeaders []string // lower case, sorted
	Time          time.Time
	Expires       time.Duration // X-Amz-Expires, 0 without
	SecurityToken string

	CanonicalRequest string
	StringToSign     string

	Checks   []Check
	problems []*Problem

	stamp      string // the date as sent
	algorithm  string
	credential string
	signature  string
	scoped     bool // the credential has its five parts
}

// Err is the first problem, nil when there is none. Problems stand in the order in which AWS looks: form,
// date, signed headers, algorithm, credential, then what the caller found, the signature last.
func (e *Examination) Err() *Problem {
	if len(e.problems) == 0 {
		return nil
	}
	return e.problems[0]
}

// Refuse adds a check that the caller made itself and that did not pass.
func (e *Examination) Refuse(k Kind, message string, c Check) {
	c.OK = false
	e.Checks = append(e.Checks, c)
	e.problems = append(e.problems, &Problem{k, message, c.Name})
}

// Accept adds a check that the caller made itself and that passed.
func (e *Examination) Accept(c Check) {
	c.OK = true
	e.Checks = append(e.Checks, c)
}

// check adds a check; when it did not pass, the problem is of kind k.
func (e *Examination) check(ok bool, k Kind, message string, c Check) {
	if ok {
		e.Accept(c)
		return
	}
	e.Refuse(k, message, c)
}

// window is what AWS prints for a tolerance: "15 min.".
func window(d time.Duration) string {
	if d%time.Minute == 0 {
		return fmt.Sprintf("%d min.", d/time.Minute)
	}
	return fmt.Sprintf("%d sec.", d/time.Second)
}

// Signature is the one that came with the request, for services that tell it back.
func (e *Examination) Signature() string { return e.signature }
