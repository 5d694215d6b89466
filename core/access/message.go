package access

import (
	"encoding/base64"
	"encoding/json"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// Denial is what an encoded authorisation message holds: services that must not show a caller why it was
// refused give it one, for somebody with the permission to decode.
type Denial struct {
	ID       string          `json:"id"` // of the caller: its unique id
	Name     string          `json:"name"`
	ARN      string          `json:"arn"`
	Decision policy.Decision `json:"decision"` // with only the statements that made it
	Keys     policy.Context  `json:"keys,omitempty"`
}

// maxMessage bounds an encoded message, in characters (STS API reference, DecodeAuthorizationMessage).
const maxMessage = 10240

// messageLabel binds a message to the account of the caller that got it.
func messageLabel(account string) string { return "authorization message " + account }

// EncodeDecision seals a decision for the account of the caller that it is about. What does not fit is left
// out: statements from the last, then the condition keys.
func EncodeDecision(s *credential.Sealer, who Subject, d policy.Decision, k policy.Context) (string, error) {
	v := Denial{ID: who.Principal.ID, Name: who.UserName, ARN: who.Principal.ARN, Decision: d, Keys: k}
	if who.Session != nil {
		v.ID = who.UserID
	}
	v.Decision.Statements = nil
	decisive := map[policy.Result]policy.Effect{policy.Allowed: policy.Allow, policy.ExplicitDeny: policy.Deny}[d.Result]
	for _, m := range d.Statements {
		if m.Applies && m.Effect == decisive {
			v.Decision.Statements = append(v.Decision.Statements, m)
		}
	}
	for {
		plain, err := json.Marshal(v)
		if err != nil {
			return "", fault.Wrap(fault.Internal, "authorization message", err)
		}
		sealed, err := s.Seal(messageLabel(who.Principal.Account), plain)
		if err != nil {
			return "", err
		}
		n := len(v.Decision.Statements)
		switch {
		case base64.RawURLEncoding.EncodedLen(len(sealed)) <= maxMessage:
			return base64.RawURLEncoding.EncodeToString(sealed), nil
		case n > 0:
			v.Decision.Statements = v.Decision.Statements[:n*3/4]
		case len(v.Keys) > 0:
			v.Keys = nil
		default:
			return "", fault.New(fault.LimitExceeded, "authorization message", "the decision is too large")
		}
	}
}

// DecodeDecision opens a message for an account. What was not sealed here for that account is fault.Invalid.
func DecodeDecision(s *credential.Sealer, account, message string) (Denial, error) {
	refuse := func(reason string) (Denial, error) {
		return Denial{}, fault.New(fault.Invalid, "authorization message", reason)
	}
	if len(message) > maxMessage {
		return refuse("it is too long")
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(message)
	if err != nil {
		return refuse("it is not base64")
	}
	plain, err := s.Open(messageLabel(account), sealed)
	if err != nil {
		return refuse("it was not made here for this account, or altered")
	}
	var v Denial
	if err := json.Unmarshal(plain, &v); err != nil {
		return refuse("it cannot be read")
	}
	return v, nil
}
