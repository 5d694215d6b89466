package policy

import "github.com/treatyfed/treaty/core/evidence"

// Result is how a decision came out, in the words of SimulatePrincipalPolicy.
type Result string

// The results.
const (
	Allowed      Result = "allowed"
	ExplicitDeny Result = "explicitDeny"
	ImplicitDeny Result = "implicitDeny"
)

// Decision is the outcome of Evaluate with all that it rests on. Evaluation never stops early.
type Decision struct {
	Result   Result `json:"result"`
	Action   string `json:"action"`
	Resource string `json:"resource"`
	Caller   string `json:"caller"` // Principal.ARN, or the federated provider, or the service, or "anonymous"

	// Because ends the cloud's refusal text ("because no identity-based policy allows the s3:GetObject
	// action", "with an explicit deny in a session policy"); "" when allowed.
	Because string `json:"because,omitempty"`

	Layers []Layer `json:"layers"` // each type of policy that had a say, and what it said; in the order of Type

	// Statements holds those that are about the request: principal, action and resource fit. In a refusal it
	// also holds the statements that would have allowed but for one element (of actions, one of the same service).
	Statements []Matched `json:"statements,omitempty"`

	// Missing lists, sorted, the keys whose absence made a condition false, or left a variable without value,
	// in statements about the request.
	Missing []string `json:"missing,omitempty"`
}

// Layer is what the policies of one type said together.
type Layer struct {
	Type       Type   `json:"type"`
	Result     Result `json:"result"`
	Needed     bool   `json:"needed"` // its allow was required; a deny always counts
	Statements int    `json:"statements"`
	Note       string `json:"note,omitempty"`
}

// Matched is a statement with the checks of its elements and conditions.
type Matched struct {
	Source  string          `json:"source"`
	Type    Type            `json:"type"`
	Index   int             `json:"index"` // of the statement in its document, from 0
	SID     string          `json:"sid,omitempty"`
	Effect  Effect          `json:"effect"`
	Applies bool            `json:"applies"` // every check passed
	Checks  evidence.Checks `json:"checks"`  // principal, action, resource, then one for each condition
	Start   Position        `json:"start"`
	End     Position        `json:"end"`
}

// The names of checks.
const (
	CheckPrincipal = "principal"
	CheckAction    = "action"
	CheckResource  = "resource"
	CheckCondition = "condition"
)

// Allows reports whether the request is allowed.
func (d Decision) Allows() bool { return d.Result == Allowed }
