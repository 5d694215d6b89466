// Package rule computes claims of tokens from CEL expressions (https://cel.dev).
//
// It owns the language that an issuer's rules are written in: its variables, its functions, the bounds of
// what an expression may cost and how large a result may be, and how a result becomes a JSON value. It is
// pure: the same input gives the same claims. Which rules apply to a client, and the claims that belong
// to the issuer alone (iss, exp, iat), are package idp's.
//
// Variables are issuer (its URL), client (id, name, attributes), request (grant, scope, audience,
// resource, parameters), subject (claims of the subject token, empty without one) and now. A rule that
// gives null or optional.none() leaves its claim out; reading what is not there is an error.
package rule

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"cel.dev/cel-go/cel"

	"github.com/treatyfed/treaty/core/fault"
)

// Bounds of rules.
const (
	MaxRules      = 100
	MaxExpression = 4 << 10 // bytes
	MaxName       = 256     // bytes of a claim's name
	MaxResult     = 16 << 10
	MaxDepth      = 16 // nested lists and maps of a result
)

// Reserved are the claims that no rule sets: who issues a token, when, and until when, is the issuer's to
// say. The audience, the subject and nbf are what rules are for.
var Reserved = []string{"exp", "iat", "iss"}

// Input is what rules read. Values of maps are what encoding/json decodes, json.Number included.
type Input struct {
	Issuer  string
	Client  map[string]any
	Request map[string]any
	Subject map[string]any
	Now     time.Time
}

// Rules are compiled rules. They are safe for concurrent use, and worth keeping: to compile a rule takes some
// thirty times as long as to evaluate it.
type Rules struct {
	rules []compiled // by claim
}

type compiled struct {
	claim   string
	source  string
	ast     *cel.Ast
	program cel.Program
}

// Problem is what is wrong with one rule.
type Problem struct {
	Claim  string
	Reason string
}

func (p *Problem) Error() string { return fmt.Sprintf("claim %.64q: %s", p.Claim, p.Reason) }

// Compile reads rules, by the claim that each computes. The error joins a *Problem for each rule that
// cannot be read.
func Compile(claims map[string]string) (*Rules, error) {
	if len(claims) > MaxRules {
		return nil, fmt.Errorf("there are %d rules, more than %d", len(claims), MaxRules)
	}
	out := &Rules{rules: make([]compiled, 0, len(claims))}
	if len(claims) == 0 {
		return out, nil
	}
	env, err := environment()
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "prepare the rule language", err)
	}
	var problems []error
	for _, claim := range slices.Sorted(maps.Keys(claims)) {
		c, why := compile(env, claim, claims[claim])
		if why != "" {
			problems = append(problems, &Problem{claim, why})
			continue
		}
		out.rules = append(out.rules, c)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return out, nil
}

// compile reads one rule, or says why it cannot.
func compile(env *cel.Env, claim, source string) (compiled, string) {
	if why := refuse(claim, source); why != "" {
		return compiled{}, why
	}
	ast, issues := env.Compile(source)
	if issues.Err() != nil {
		return compiled{}, explainIssues(issues)
	}
	if why := refuseType(ast.OutputType()); why != "" {
		return compiled{}, why
	}
	program, err := env.Program(ast,
		cel.EvalOptions(cel.OptOptimize),
		cel.CostLimit(maxCost),
		cel.MemoryLimit(maxMemory),
		cel.MemoryTracking(sizes),
		cel.InterruptCheckFrequency(interruptEvery))
	if err != nil {
		return compiled{}, clean(err.Error())
	}
	return compiled{claim, source, ast, program}, ""
}

func refuse(claim, source string) string {
	switch {
	case claim == "":
		return "a claim needs a name"
	case len(claim) > MaxName:
		return fmt.Sprintf("the name is longer than %d bytes", MaxName)
	case !utf8.ValidString(claim) || strings.ContainsFunc(claim, unicode.IsControl):
		return "the name has a control character or is no UTF-8"
	case slices.Contains(Reserved, claim):
		return "the issuer alone sets it: a rule cannot"
	case strings.TrimSpace(source) == "":
		return "the rule is empty; null leaves a claim out"
	case len(source) > MaxExpression:
		return fmt.Sprintf("the rule is longer than %d bytes", MaxExpression)
	case !utf8.ValidString(source):
		return "the rule is no UTF-8"
	}
	return ""
}

// Claims lists the claims that the rules may set.
func (r *Rules) Claims() []string {
	out := make([]string, 0, len(r.rules))
	for _, c := range r.rules {
		out = append(out, c.claim)
	}
	return out
}

// Eval computes every claim. The error joins what is wrong with each rule, as faults: Invalid for a rule
// that fails or whose result is no claim, LimitExceeded for one that costs too much or all of them when
// their results are too large, Unavailable when ctx ended.
func (r *Rules) Eval(ctx context.Context, in Input) (map[string]any, error) {
	vars := map[string]any{
		"issuer": in.Issuer, "client": orEmpty(in.Client), "request": orEmpty(in.Request),
		"subject": orEmpty(in.Subject), "now": in.Now.UTC(),
	}
	out := make(map[string]any, len(r.rules))
	var problems []error
	budget := budget{cost: maxTotalCost, bytes: MaxResult}
	for i := range r.rules {
		c := &r.rules[i]
		v, keep, err := c.eval(ctx, vars, &budget)
		if err != nil {
			problems = append(problems, err)
		} else if keep {
			out[c.claim] = v
		}
		if budget.spent() || ctx.Err() != nil {
			break // what follows would fail for the same reason
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return out, nil
}

func orEmpty(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}
