package rule

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"cel.dev/cel-go/cel"
	celast "cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
)

// budget is what all rules of a token may still spend.
type budget struct {
	cost  int64
	bytes int // of JSON
}

func (b *budget) spent() bool { return b.cost <= 0 || b.bytes < 0 }

var (
	errTooLarge = errors.New("too large")
	errTooMuch  = errors.New("it costs more than a rule may")
)

// eval computes one claim; keep is false when it is to be left out.
func (c *compiled) eval(ctx context.Context, vars map[string]any, b *budget) (v any, keep bool, err error) {
	out, details, err := c.program.ContextEval(ctx, vars)
	if details != nil {
		if cost := details.ActualCost(); cost != nil {
			b.cost -= int64(*cost)
		}
	}
	if err != nil {
		return nil, false, c.fail(ctx, err)
	}
	w := writer{left: b.bytes}
	v, keep, err = w.claim(out)
	if err == nil && keep {
		err = fits(c.claim, v)
	}
	b.bytes = w.left
	if err == nil && b.cost <= 0 {
		err = errTooMuch
	}
	if err != nil {
		return nil, false, c.fail(ctx, err)
	}
	return v, keep, nil
}

// fail says which claim could not be computed, by which rule, and why.
func (c *compiled) fail(ctx context.Context, err error) error {
	f := &fault.Fault{Kind: fault.Invalid, Op: fmt.Sprintf("compute claim %q by the rule %s", c.claim, evidence.Clip(c.source))}
	var cancelled interpreter.EvalCancelledError
	switch {
	case errors.Is(err, interpreter.InterruptError{}):
		f.Kind, f.Reason, f.Err = fault.Unavailable, "the request ended before the rule did", context.Cause(ctx)
	case errors.As(err, &cancelled):
		f.Kind, f.Reason = fault.LimitExceeded, why(cancelled)
	case errors.Is(err, errTooMuch):
		f.Kind, f.Reason = fault.LimitExceeded, "the rules of a token together cost more than they may"
	case errors.Is(err, errTooLarge), strings.Contains(err.Error(), "exceeds limit of"):
		f.Kind, f.Reason = fault.LimitExceeded, clean(err.Error())
	default:
		f.Reason = c.reason(err)
	}
	return f
}

func why(cancelled interpreter.EvalCancelledError) string {
	if cancelled.Cause == interpreter.CostLimitExceeded {
		return "it costs more than a rule may"
	}
	return "it makes a value larger than a rule may"
}

// missing is how the interpreter says that a map has no such member.
var missing = regexp.MustCompile(`^no such (?:key|attribute\(s\)): (.*)$`)

// reason puts an error of the interpreter into words that need no knowledge of CEL.
func (c *compiled) reason(err error) string {
	text, at := clean(err.Error()), c.where(err)
	if m := missing.FindStringSubmatch(text); m != nil {
		text = fmt.Sprintf("there is no %q to read", m[1])
		if at != "" {
			text += " in " + at
		}
		return text + "; has(…) asks whether there is one, .? reads what may be missing"
	}
	if at != "" {
		text += " in " + at
	}
	if strings.HasPrefix(text, "no such overload") {
		text += " (values of other kinds than it takes)"
	}
	return text
}

// where gives the part of the rule that failed, "" when it is the whole rule or is not known.
func (c *compiled) where(err error) string {
	var e *types.Err
	if !errors.As(err, &e) || e.NodeID() == 0 {
		return ""
	}
	rep := c.ast.NativeRep()
	found := ""
	celast.PostOrderVisit(rep.Expr(), celast.NewExprVisitor(func(x celast.Expr) {
		if x.ID() == e.NodeID() && found == "" {
			found, _ = cel.ExprToString(x, rep.SourceInfo())
		}
	}))
	if found == c.source {
		return ""
	}
	return evidence.Clip(found)
}

// explainIssues puts what the compiler found on one line, without its drawing of the source.
func explainIssues(issues *cel.Issues) string {
	var parts []string
	for _, e := range issues.Errors() {
		text := clean(e.Message)
		if strings.Contains(text, "recursion") {
			text = fmt.Sprintf("the rule is nested deeper than %d levels; operators and calls in a row count", maxParserDepth)
		}
		if strings.Contains(text, "'_?_:_'") {
			text += ": both branches must be of one kind; dyn(null) fits any"
		}
		if l := e.Location; l != nil && l.Line() > 0 {
			text = fmt.Sprintf("line %d, character %d: %s", l.Line(), l.Column()+1, text)
		}
		if parts = append(parts, text); len(parts) == 3 {
			break // one mistake causes many
		}
	}
	if len(parts) == 0 {
		return clean(issues.Err().Error())
	}
	return strings.Join(parts, "; ")
}

// clean makes a text of the library fit for one line of ours.
func clean(s string) string {
	s = strings.NewReplacer(" (in container '')", "", "\n", " ").Replace(s)
	return evidence.Clip(strings.TrimPrefix(strings.TrimSpace(s), "Syntax error: "))
}
