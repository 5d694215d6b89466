package policy

import "fmt"

// Type says in which way a policy takes part.
type Type int

// The types, as the refusal text names them and in the order in which a refusal looks for the one to name.
const (
	IdentityBased Type = iota + 1 // "identity-based policy"
	Boundary                      // "permissions boundary"
	SessionPolicy                 // "session policy"
	ResourceBased                 // "resource-based policy"
	RoleTrust                     // "role trust policy": must allow, within the account as well
)

// typeNames are the cloud's words (IAM user guide, "Troubleshoot access denied error messages").
var typeNames = [...]string{
	IdentityBased: "identity-based policy",
	Boundary:      "permissions boundary",
	SessionPolicy: "session policy",
	ResourceBased: "resource-based policy",
	RoleTrust:     "role trust policy",
}

func (t Type) known() bool { return t >= IdentityBased && t <= RoleTrust }

func (t Type) String() string {
	if !t.known() {
		return fmt.Sprintf("policy type %d", int(t))
	}
	return typeNames[t]
}

// MarshalText writes the name.
func (t Type) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads a name.
func (t *Type) UnmarshalText(b []byte) error {
	for i := IdentityBased; i.known(); i++ {
		if typeNames[i] == string(b) {
			*t = i
			return nil
		}
	}
	return fmt.Errorf("no policy type is called %q", b)
}

// withArticle puts "a" or "an" before the name.
func (t Type) withArticle() string {
	if t == IdentityBased {
		return "an " + t.String()
	}
	return "a " + t.String()
}
