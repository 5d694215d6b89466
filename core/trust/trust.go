// Package trust matches a token to a trust: a set of conditions on claims that an owner has laid down.
//
// It owns the conditions, their operators, the verdict with one check a condition, and the decision over
// several trusts with the verification of the token behind it (exchange.go). One type serves an Entra
// federated identity credential, an IAM role's trust policy, an identity pool's login providers and a
// SAML audience. Verification of signatures is core/token's; what a refusal is called is the surface's.
package trust

import (
	"github.com/treatyfed/treaty/core/evidence"
)

// Operator says how a claim is compared.
type Operator string

// Operators of conditions.
const (
	Equals   Operator = "equals"   // the claim is a string equal to one of Want, byte for byte
	Contains Operator = "contains" // the claim is a string equal to, or an array that has, one of Want
	Matches  Operator = "matches"  // Want[0] is an expression over several claims, see Expression
)

// Names of the conditions that every exchange knows; a trust may hold others beside them.
const (
	IssuerCondition   = "issuer"
	SubjectCondition  = "subject"
	AudienceCondition = "audience"
)

// Condition is one demand on a token.
type Condition struct {
	Name     string   `json:"name"` // "issuer", "subject", "audience"
	Claim    string   `json:"claim"`
	Operator Operator `json:"operator"`
	Want     []string `json:"want"`
}

// Trust is what an owner accepts: every condition must hold.
type Trust struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	Conditions []Condition `json:"conditions"`
}

// Federated is the trust of a federated credential: an issuer, a subject or, when subject is empty, an
// expression, and the audiences one of which the token must have.
func Federated(id, name, issuer, subject, expression string, audiences []string) Trust {
	who := Condition{Name: SubjectCondition, Claim: "sub", Operator: Equals, Want: []string{subject}}
	if subject == "" && expression != "" {
		who = Condition{Name: SubjectCondition, Operator: Matches, Want: []string{expression}}
	}
	return Trust{ID: id, Name: name, Conditions: []Condition{
		{Name: IssuerCondition, Claim: "iss", Operator: Equals, Want: []string{issuer}},
		who,
		{Name: AudienceCondition, Claim: "aud", Operator: Contains, Want: audiences},
	}}
}

// Verdict is the outcome of matching one trust: a check for each condition, in order, none left out.
type Verdict struct {
	Trust  string          `json:"trust"` // the trust's name
	ID     string          `json:"id"`
	Checks evidence.Checks `json:"checks"`
}

// OK reports whether every condition held.
func (v Verdict) OK() bool { return len(v.Checks) > 0 && v.Checks.OK() }
