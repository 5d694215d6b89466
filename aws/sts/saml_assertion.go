package sts

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/wire/saml"
)

// redeem is how soon after its issue an assertion must be used (IAM user guide, "Troubleshoot SAML
// federation": "Token must be redeemed within 5 minutes of issuance").
const redeem = 5 * time.Minute

// samlExamination is one response on its way. The first refusal is the answer; the audit keeps all checks.
type samlExamination struct {
	now       time.Time
	role      string
	requestID string
	proof     *SAMLEvidence
	session   evidence.Checks // what of the assertion bounds the session
	refusal   *op.Error
	id        samlIdentity // complete when there is no refusal
}

// samlIdentity is what a verified assertion says.
type samlIdentity struct {
	provider                     directory.SAMLProvider
	issuer, subject, subjectType string
	recipient, qualifier         string
	sessionName, source          string
	tags                         []directory.Tag
	transitive                   []string
	notAfter                     time.Time
	attributes                   []saml.Attribute
}

func (x *samlExamination) refuse(e *op.Error) {
	if x.refusal == nil {
		x.refusal = e
	}
}

// provider, say and names keep a check in one of the lists, and its refusal when it failed.
func (x *samlExamination) provider(c evidence.Check, e *op.Error) { x.keep(&x.proof.Provider, c, e) }
func (x *samlExamination) say(c evidence.Check, e *op.Error)      { x.keep(&x.proof.Assertion, c, e) }
func (x *samlExamination) names(c evidence.Check, e *op.Error)    { x.keep(&x.proof.Roles, c, e) }

func (x *samlExamination) keep(list *evidence.Checks, c evidence.Check, e *op.Error) {
	c.Got = evidence.Values(c.Got)
	*list = append(*list, c)
	if !c.OK {
		x.refuse(e)
	}
}

// encryption holds a response against what the provider demands.
func (x *samlExamination) encryption(p directory.SAMLProvider, r *saml.Response) {
	const required = "Required" // assertionEncryptionModeType of the IAM service model
	if r.Problem != nil {
		return
	}
	got := "plain"
	if r.Encrypted {
		got = "encrypted"
	}
	x.provider(evidence.Check{
		Name: "encryption", Claim: "AssertionEncryptionMode", Operator: "admits", Want: []string{p.Encryption}, Got: []string{got}, OK: r.Encrypted || p.Encryption != required,
	}, x.discovery(textNotSAML, noResponse))
}

// assertion looks at everything that a verified assertion says and AWS asks for. Audience, NotBefore, the
// response's Issuer and Destination, OneTimeUse and whose sign-in endpoint is the Recipient are not asked
// for (recorded): trust policies ask for saml:aud, which is the Recipient.
func (x *samlExamination) assertion(p directory.SAMLProvider, entity string, a *saml.Assertion) {
	x.id = samlIdentity{provider: p, issuer: a.Issuer, attributes: a.Attributes, qualifier: nameQualifier(a.Issuer, p.AccountID, p.Name)}
	x.say(evidence.Compare("issuer", "Issuer", entity, a.Issuer), x.discovery("Issuer not present in specified provider", noResponse))
	x.needed(a)
	x.times(a)
	x.roles(a)
	x.shape(a)
	x.proof.Subject = &SAMLSubject{
		Issuer: evidence.Clip(x.id.issuer), Name: evidence.Clip(x.id.subject), Type: evidence.Clip(x.id.subjectType), NameQualifier: x.id.qualifier,
	}
}

// needed checks that the elements are there without which AWS does not read an assertion.
func (x *samlExamination) needed(a *saml.Assertion) {
	bad := x.discovery(textNotSAML, noResponse)
	present := func(name string, ok bool, got ...string) {
		x.say(evidence.Check{Name: name, Operator: "present", Got: got, OK: ok}, bad)
	}
	present("Conditions", a.Conditions != nil)
	present("AuthnStatement", len(a.Statements) > 0)
	if n := a.NameID; n != nil {
		x.id.subject, x.id.subjectType = n.Value, subjectType(n.Format)
		present("NameID", n.Value != "", n.Value)
		present("Format of NameID", n.Format != "", n.Format)
	} else {
		present("NameID", false)
	}
	x.say(evidence.Check{
		Name: "SubjectConfirmation", Operator: "is", Want: []string{"one"}, Got: []string{strconv.Itoa(len(a.Confirmations))}, OK: len(a.Confirmations) == 1,
	}, bad)
	if len(a.Confirmations) == 1 {
		c := a.Confirmations[0]
		x.id.recipient = c.Recipient
		x.say(evidence.Check{Name: "confirmation method", Claim: "Method", Operator: "equals", Want: []string{saml.Bearer}, Got: []string{c.Method}, OK: c.Method == saml.Bearer}, bad)
		present("Recipient of SubjectConfirmationData", c.Recipient != "", c.Recipient)
		present("NotOnOrAfter of SubjectConfirmationData", !c.NotOnOrAfter.IsZero())
	}
	_, ok := a.Attribute(attributeRole)
	present("attribute "+attributeRole, ok)
}

// times checks what ends an assertion, without any tolerance.
func (x *samlExamination) times(a *saml.Assertion) {
	late := x.discovery("Response has expired", noResponse)
	late.Code = "ExpiredTokenException"
	until := func(name string, t time.Time) {
		if !t.IsZero() {
			x.say(evidence.Check{
				Name: name, Claim: "NotOnOrAfter", Operator: "after", Want: []string{stamp(x.now)}, Got: []string{stamp(t)}, OK: x.now.Before(t),
				Fix: "sign in again, or compare the clocks of the identity provider and of this server",
			}, late)
		}
	}
	if a.Conditions != nil {
		until("end of Conditions", a.Conditions.NotOnOrAfter)
	}
	for _, c := range a.Confirmations {
		until("end of SubjectConfirmationData", c.NotOnOrAfter)
	}
	for _, s := range a.Statements {
		until("end of the provider's session", s.SessionNotOnOrAfter)
		if !s.SessionNotOnOrAfter.IsZero() {
			x.bound("SessionNotOnOrAfter", s.SessionNotOnOrAfter)
		}
	}
	x.say(evidence.Check{
		Name: "issued", Claim: "IssueInstant", Operator: "not before", Want: []string{stamp(x.now.Add(-redeem))}, Got: []string{stamp(a.IssueInstant)},
		OK: !a.IssueInstant.Before(x.now.Add(-redeem)), Fix: "redeem the assertion within five minutes",
	}, expired("Token must be redeemed within 5 minutes of issuance"))
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// bound lets the session end no later than t.
func (x *samlExamination) bound(claim string, t time.Time) {
	if x.id.notAfter.IsZero() || t.Before(x.id.notAfter) {
		x.id.notAfter = t
	}
	x.session = append(x.session, evidence.Check{Name: "session end", Claim: claim, Operator: "no later than", Want: []string{stamp(t)}, OK: true})
}

// roles checks that the assertion names the role with this provider: "ROLE,PROVIDER", in either order.
func (x *samlExamination) roles(a *saml.Assertion) {
	list, ok := a.Attribute(attributeRole)
	if !ok {
		return
	}
	named := false
	for _, v := range list.Values {
		first, second, _ := strings.Cut(v, ",")
		pair := []string{strings.TrimSpace(first), strings.TrimSpace(second)}
		named = named || slices.Equal(pair, []string{x.role, x.id.provider.ARN}) || slices.Equal(pair, []string{x.id.provider.ARN, x.role})
	}
	x.names(evidence.Check{
		Name: "role named by the assertion", Claim: attributeRole, Operator: "has", Want: []string{x.role + "," + x.id.provider.ARN}, Got: list.Values, OK: named,
		Fix: "have the identity provider put the pair of role and provider into the attribute",
	}, invalidToken("SAML Assertion doesn't contain the requested Role and Metadata in the attributes"))
	account := strings.SplitN(x.role, ":", 6)[4]
	x.names(evidence.Check{
		Name: "account of the provider", Operator: "equals", Want: []string{account}, Got: []string{x.id.provider.AccountID}, OK: account == x.id.provider.AccountID,
		Note: "a role is assumed through a provider of its own account",
	}, notAuthorized("sts:AssumeRoleWithSAML"))
}

var (
	sessionNameForm = regexp.MustCompile(`^[a-zA-Z_0-9+=,.@-]{2,64}$`)
)
