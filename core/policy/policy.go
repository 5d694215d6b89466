// Package policy is the IAM policy language: a document is parsed once, and a request is evaluated
// against the documents that apply to it.
//
// It owns the grammar with the cloud's own texts for what is malformed, principals, actions, resources,
// condition operators, policy variables, and the rules by which identity, resource, trust, boundary and
// session policies come to one Decision (IAM user guide, "Policy evaluation logic"). It is pure: it reads
// no directory and no clock. Who the caller is and which documents apply to it is core/access's.
package policy

// Kind says what a document is for, and so which elements it may and must have.
type Kind int

// The kinds. Identity reads every policy of a user, group or role, boundaries included. Managed is for those
// who create one: only managed policies must name the newer version, "A managed policy must have a version
// string"; inline and session policies may be of the older.
const (
	Identity Kind = iota + 1 // no Principal; Resource required
	Session                  // as Identity
	Trust                    // of a role: Principal required, no Resource, sts: actions only
	Resource                 // Principal required (a bucket's policy)
	Managed                  // as Identity, and Version must be 2012-10-17
	Accepted                 // a managed policy in force: its grammar alone, since AWS's own break rules that IAM has for others
)

// Document is a parsed policy. It is not changed after Parse and may be shared.
type Document struct {
	Version    string // as written; "" means 2008-10-17, which has no policy variables
	ID         string
	Statements []Statement
}

// Statement is one statement of a document. Nil lists were not written.
type Statement struct {
	SID           string
	Effect        Effect
	Principals    *Principals
	NotPrincipals *Principals
	Actions       []string
	NotActions    []string
	Resources     []string
	NotResources  []string
	Conditions    []Condition // in the order written
	Start, End    Position    // of the statement's braces in the text

	compiled compiled
}

// Effect of a statement.
type Effect string

// The effects.
const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// Principals is a Principal or NotPrincipal element. Any is the bare string "*"; the lists hold what was
// written under AWS, Federated, Service and CanonicalUser, unique ids included (AIDA…, AROA…).
type Principals struct {
	Any           bool
	AWS           []string
	Federated     []string
	Service       []string
	CanonicalUser []string
}

// Condition is one key of one operator: all its values are alternatives. Numbers and booleans are kept as
// their text.
type Condition struct {
	Operator string // as written: "ForAnyValue:StringLike"
	Key      string // as written
	Values   []string
}

// Position in a document's text; both count from 1.
type Position struct{ Line, Column int }

// Malformed is what Parse finds wrong, in the cloud's words (code MalformedPolicyDocument).
type Malformed struct{ Message string }

func (m *Malformed) Error() string { return m.Message }
