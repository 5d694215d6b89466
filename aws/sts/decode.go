package sts

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// decodeAuthorizationMessage shows the decision in a message that access.EncodeDecision made for the
// caller's account.
func (s *Service) decodeAuthorizationMessage(ctx context.Context, in *sts.DecodeAuthorizationMessageInput) (*sts.DecodeAuthorizationMessageOutput, error) {
	denial, err := access.DecodeDecision(s.Sealer, op.CallerOf(ctx).Account, *in.EncodedMessage)
	if errors.Is(err, fault.Invalid) {
		return nil, &op.Error{Code: "InvalidAuthorizationMessageException", Message: "Message is not valid"}
	}
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(decode(denial))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "decode authorization message", err)
	}
	return &sts.DecodeAuthorizationMessageOutput{DecodedMessage: new(string(text))}, nil
}

// items is how every list stands in a decoded message (STS API reference, DecodeAuthorizationMessage,
// "Examples").
type items[T any] struct {
	Items []T `json:"items"`
}

func itemsOf[T any](list ...T) items[T] {
	if list == nil {
		list = []T{}
	}
	return items[T]{list}
}

type decoded struct {
	Allowed      bool                `json:"allowed"`
	ExplicitDeny bool                `json:"explicitDeny"`
	Matched      items[decodedMatch] `json:"matchedStatements"`
	Failures     items[struct{}]     `json:"failures"` // of the evaluation itself, which has none
	Context      decodedRequest      `json:"context"`
}

type decodedMatch struct {
	ID         string                  `json:"statementId"`
	Effect     string                  `json:"effect"`
	Principals items[decodedValue]     `json:"principals"`
	Groups     items[decodedValue]     `json:"principalGroups"`
	Actions    items[decodedValue]     `json:"actions"`
	Resources  items[decodedValue]     `json:"resources"`
	Conditions items[decodedCondition] `json:"conditions"`
}

type decodedRequest struct {
	Principal  decodedPrincipal        `json:"principal"`
	Action     string                  `json:"action"`
	Resource   string                  `json:"resource"`
	Conditions items[decodedCondition] `json:"conditions"`
}

type decodedPrincipal struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
	ARN  string `json:"arn"`
}

type decodedCondition struct {
	Key    string              `json:"key"`
	Values items[decodedValue] `json:"values"`
}

type decodedValue struct {
	Value string `json:"value"`
}

func decode(v access.Denial) decoded {
	out := decoded{
		Allowed: v.Decision.Allows(), ExplicitDeny: v.Decision.Result == policy.ExplicitDeny,
		Matched: itemsOf[decodedMatch](), Failures: itemsOf[struct{}](),
		Context: decodedRequest{
			Principal: decodedPrincipal{ID: v.ID, Name: v.Name, ARN: v.ARN},
			Action:    v.Decision.Action, Resource: v.Decision.Resource, Conditions: itemsOf[decodedCondition](),
		},
	}
	for _, m := range v.Decision.Statements {
		out.Matched.Items = append(out.Matched.Items, decodeMatch(m, v.ID))
	}
	for _, key := range slices.Sorted(maps.Keys(v.Keys)) {
		out.Context.Conditions.Items = append(out.Context.Conditions.Items, decodedCondition{key, valuesOf(v.Keys[key].Values)})
	}
	return out
}

// decodeMatch shows a statement by what its checks wanted.
func decodeMatch(m policy.Matched, caller string) decodedMatch {
	out := decodedMatch{
		ID: m.SID, Effect: strings.ToUpper(string(m.Effect)), Principals: valuesOf([]string{caller}), Groups: valuesOf(nil),
		Actions: valuesOf(nil), Resources: valuesOf(nil), Conditions: itemsOf[decodedCondition](),
	}
	for _, c := range m.Checks {
		switch kindOf(c) {
		case "action":
			out.Actions = valuesOf(c.Want)
		case "resource":
			out.Resources = valuesOf(c.Want)
		case "condition":
			out.Conditions.Items = append(out.Conditions.Items, decodedCondition{c.Claim, valuesOf(c.Want)})
		}
	}
	return out
}

// kindOf is the element of a statement that a check is about.
func kindOf(c evidence.Check) string {
	switch name := strings.ToLower(c.Name); {
	case strings.HasSuffix(name, "action"):
		return "action"
	case strings.HasSuffix(name, "resource"):
		return "resource"
	case strings.HasSuffix(name, "principal"):
		return "principal"
	}
	return "condition"
}

func valuesOf(list []string) items[decodedValue] {
	out := itemsOf[decodedValue]()
	for _, v := range list {
		out.Items = append(out.Items, decodedValue{v})
	}
	return out
}
