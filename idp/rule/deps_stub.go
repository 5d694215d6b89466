// Package rule will compute claims of tokens from CEL expressions.
package rule

import _ "cel.dev/cel-go/cel"
