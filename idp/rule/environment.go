package rule

import (
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// Bounds of the language. A unit of CEL's cost is some tens of nanoseconds: a rule ends after a few
// milliseconds, all rules of a token after some twenty. Kubernetes allows an expression a million
// ("Resource usage by CEL expressions").
const (
	maxCost        = 50_000
	maxTotalCost   = 200_000
	maxMemory      = 20_000 // elements, or tens of characters, of one value on the way
	maxNodes       = 5_000  // of an expression after its macros were expanded: nested ones multiply
	maxParserDepth = 32     // operators in a row count, too; the types of nested lists cost the square of their depth
	maxParserFixes = 8
	maxRegexp      = 2_000 // instructions of a compiled pattern
	maxReadDepth   = 24    // nested lists and maps that a rule may touch
	maxReadNodes   = 5_000
	interruptEvery = 100 // iterations of a comprehension between two looks at the context
)

// environment is the language. To build it takes milliseconds, so it is built when it is first needed,
// and it never changes: what cel-go 0.33 leaves for later, the names it proposes in place of an unknown one,
// a first rule with an unknown name fills in, for it does so without a lock.
var environment = sync.OnceValues(func() (*cel.Env, error) {
	document := cel.MapType(cel.StringType, cel.DynType)
	options := []cel.EnvOption{
		cel.Variable("issuer", cel.StringType),
		cel.Variable("client", document),
		cel.Variable("request", document),
		cel.Variable("subject", document),
		cel.Variable("now", cel.TimestampType),
		cel.OptionalTypes(),
		cel.DefaultUTCTimeZone(true),
		cel.CrossTypeNumericComparisons(true),
		cel.EnableIdentifierEscapeSyntax(), // subject.`kubernetes.io`
		cel.ParserExpressionSizeLimit(MaxExpression),
		cel.ParserRecursionLimit(maxParserDepth),
		cel.ParserErrorRecoveryLimit(maxParserFixes),
		cel.ExpressionNodeLimit(maxNodes),
		cel.ExpressionNestingDepthLimit(maxParserDepth),
		cel.RegexProgramSizeLimit(maxRegexp),
	}
	env, err := cel.NewEnv(append(options, textFunctions()...)...)
	if err == nil {
		_, _ = env.Compile("unknown")
	}
	return env, err
})

// sizes measures values deeper than CEL's default of five: claims of subject tokens nest.
func sizes(t *types.MemoryTracker) {
	types.MemoryTrackerSizeCalculator(types.NewSizeCalculator(
		types.SizeCalculatorMaxDepth(maxReadDepth),
		types.SizeCalculatorMaxTraversal(maxReadNodes)))(t)
}
