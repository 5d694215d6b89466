package policy

import "strings"

// PrincipalType is the value of aws:PrincipalType, and of federated callers the way they came.
type PrincipalType string

// The types of principals.
const (
	Anonymous     PrincipalType = "Anonymous"
	Account       PrincipalType = "Account" // the root of an account
	User          PrincipalType = "User"
	AssumedRole   PrincipalType = "AssumedRole"
	FederatedUser PrincipalType = "FederatedUser"
	WebIdentity   PrincipalType = "WebIdentity" // a verified token, while it asks for a role
	SAML          PrincipalType = "SAML"        // a verified assertion, while it asks for a role
	Service       PrincipalType = "Service"
)

// Principal is who asks.
type Principal struct {
	Type    PrincipalType
	Account string // twelve digits; of WebIdentity and SAML the provider's account, "" for built-in providers

	// ARN is the caller's own: of the root, the user, the role's session (arn:aws:sts::…:assumed-role/…) or
	// the federated user. Issuer is the ARN behind a session: the role's, or the user's that federated;
	// otherwise it equals ARN. ID is the unique id of the user or role (AIDA…, AROA…), for root the account.
	ARN, Issuer, ID string

	Federated string // WebIdentity, SAML: the provider's ARN, or "cognito-identity.amazonaws.com"
	Service   string // Service: "lambda.amazonaws.com"
}

// Request is what is asked of the policies.
type Request struct {
	Principal Principal
	Action    string // "s3:GetObject"
	Resource  string // an ARN, or "*"
	// Owner is the account that has the resource; "" takes the account in Resource's ARN, and the
	// principal's when there is none (S3 names no account).
	Owner   string
	Context Context
}

// Context is the request's condition keys, by Key in lower case.
type Context map[string]Values

// Values of a condition key. Many is a property of the key (aws:TagKeys, PROVIDER:amr), not of how many
// values came.
type Values struct {
	Values []string
	Many   bool
}

// Set gives a single-valued key its value.
func (c Context) Set(key, value string) { c[strings.ToLower(key)] = Values{Values: []string{value}} }

// SetMany gives a multivalued key its values, which may be none.
func (c Context) SetMany(key string, values ...string) {
	c[strings.ToLower(key)] = Values{Values: values, Many: true}
}

// Source is a policy as it applies to a request. Several of one type are one set: any may allow.
type Source struct {
	Type     Type
	Name     string // its ARN, or "inline policy NAME of role NAME", "session policy", "PolicyInputList.1"
	Document *Document
}
