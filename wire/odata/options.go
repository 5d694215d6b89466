package odata

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Bounds of query options.
const (
	MaxTop       = 999 // learn.microsoft.com graph/query-parameters: "maximum page size … 999"
	maxFilter    = 8 << 10
	maxSearch    = 2 << 10
	maxNames     = 200
	maxSkipToken = 4 << 10
)

// Parse reads the query options of a request for a collection of t, or for one entity of it. params are
// the parameters with their names in lower case, as wire/rest.ParseQuery gives them; an option's "$" may
// be left out, as Graph allows. Options that Graph ignores here ($skip, $format, custom ones) are
// ignored. Every error is an *Error.
func Parse(t Type, params url.Values, header http.Header) (Query, error) {
	q := Query{Eventual: strings.EqualFold(strings.TrimSpace(header.Get("ConsistencyLevel")), "eventual")}
	values := map[string]string{}
	for name, vs := range params {
		name = strings.TrimPrefix(name, "$")
		if slices.Contains([]string{"filter", "search", "select", "expand", "orderby", "top", "skiptoken", "count"}, name) {
			if _, twice := values[name]; twice || len(vs) != 1 {
				return q, invalid("Query option '$" + name + "' was specified more than once, but it must be specified at most once.")
			}
			values[name] = vs[0]
		}
	}
	readers := []struct {
		name string
		read func(Type, string) error
	}{
		{"count", q.readCount}, {"top", q.readTop}, {"skiptoken", q.readSkipToken}, {"select", q.readSelect},
		{"expand", q.readExpand}, {"filter", q.readFilter}, {"search", q.readSearch}, {"orderby", q.readOrderBy},
	}
	for _, r := range readers {
		if v, ok := values[r.name]; ok {
			if err := r.read(t, v); err != nil {
				return q, err
			}
		}
	}
	return q, q.advanced(t)
}

func (q *Query) readCount(_ Type, v string) error {
	switch strings.ToLower(v) {
	case "true":
		q.Count = true
	case "false":
	default:
		return invalid("Invalid value '" + clip(v) + "' for $count query option found. Valid values are 'true' and 'false'.")
	}
	return nil
}

func (q *Query) readTop(_ Type, v string) error {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		return invalid("Invalid value '" + clip(v) + "' for $top query option found. The $top query option requires a non-negative integer value.")
	}
	if n < 1 || n > MaxTop {
		return unsupported("Invalid page size specified: '" + strconv.FormatInt(n, 10) + "'. Must be between 1 and 999 inclusive.")
	}
	q.Top = int(n)
	return nil
}

func (q *Query) readSkipToken(_ Type, v string) error {
	if v == "" || len(v) > maxSkipToken {
		return &Error{"Directory_ExpiredPageToken", "Specified page token value has expired and can no longer be included in your request."}
	}
	q.SkipToken = v
	return nil
}

func (q *Query) readSelect(t Type, v string) (err error) {
	q.Select, err = selection(t, v)
	return err
}

// selection reads a $select list; nil for "*" or an empty one.
func selection(t Type, v string) ([]string, error) {
	var out []string
	for _, name := range list(v) {
		if name == "*" {
			return nil, nil
		}
		p, ok := t.property(name)
		if !ok {
			if p, ok = lookup(t.Navigation, name); !ok {
				return nil, invalid("Parsing OData Select and Expand failed: Could not find a property named '" + clip(name) + "' on type 'microsoft.graph." + t.Name + "'.")
			}
		}
		if !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out, nil
}

// list splits at commas outside parentheses and quotes, trims, and drops empty items.
func list(v string) []string {
	var out []string
	depth, start, quoted := 0, 0, false
	add := func(end int) {
		if s := strings.TrimSpace(v[start:end]); s != "" && len(out) < maxNames {
			out = append(out, s)
		}
		start = end + 1
	}
	for i := range len(v) {
		switch {
		case v[i] == '\'':
			quoted = !quoted
		case quoted:
		case v[i] == '(':
			depth++
		case v[i] == ')':
			depth--
		case v[i] == ',' && depth == 0:
			add(i)
		}
	}
	add(len(v))
	return out
}

// readExpand reads $expand=nav or nav($select=a,b;$top=20). Graph expands one navigation property a
// request and at most 20 objects (learn.microsoft.com graph/query-parameters, "expand").
func (q *Query) readExpand(t Type, v string) error {
	items := list(v)
	for _, item := range items {
		name, inner, nested := strings.Cut(item, "(")
		name = strings.TrimSpace(name)
		p, ok := lookup(t.Navigation, name)
		if !ok || strings.HasPrefix(p, "extension_") {
			return invalid("Parsing OData Select and Expand failed: Could not find a property named '" + clip(name) + "' on type 'microsoft.graph." + t.Name + "'.")
		}
		e := Expansion{Property: p}
		if nested {
			inner, ok = strings.CutSuffix(strings.TrimSpace(inner), ")")
			if !ok {
				return invalid("Parsing OData Select and Expand failed: Syntax error: missing ')' in '" + clip(item) + "'.")
			}
			for opt := range strings.SplitSeq(inner, ";") {
				k, val, _ := strings.Cut(opt, "=")
				if strings.EqualFold(strings.TrimPrefix(strings.TrimSpace(k), "$"), "select") {
					e.Select = list(val)
				}
			}
		}
		q.Expand = append(q.Expand, e)
	}
	if len(q.Expand) > 1 {
		return unsupported("Only one property can be expanded in a single request. Request contains multiple expand properties.")
	}
	return nil
}

func (q *Query) readFilter(t Type, v string) (err error) {
	q.Filter, err = ParseFilter(t, v)
	return err
}

func (q *Query) readSearch(t Type, v string) (err error) {
	q.Search, err = ParseSearch(t, v)
	return err
}

func (q *Query) readOrderBy(t Type, v string) error {
	for _, term := range list(v) {
		f := strings.Fields(term)
		p, ok := t.property(f[0])
		if !ok {
			return invalid("Could not find a property named '" + clip(f[0]) + "' on type 'microsoft.graph." + t.Name + "'.")
		}
		o := Order{Property: p}
		switch {
		case len(f) == 1 || len(f) == 2 && strings.EqualFold(f[1], "asc"):
		case len(f) == 2 && strings.EqualFold(f[1], "desc"):
			o.Descending = true
		default:
			return invalid("Syntax error at position " + strconv.Itoa(len(v)) + " in '" + clip(v) + "'.")
		}
		q.OrderBy = append(q.OrderBy, o)
	}
	return nil
}

// moreInformation ends the texts about advanced queries.
const moreInformation = "Refer to https://aka.ms/graph-docs/advanced-queries for more information"

// advanced applies the rule that ne, not, ge, le, endsWith and $orderby beside $filter need both
// ConsistencyLevel: eventual and $count=true, and $search the header alone (graph/aad-advanced-queries).
func (q *Query) advanced(t Type) error {
	if q.Search != nil && !q.Eventual {
		return unsupported("Request with $search query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'")
	}
	if q.Eventual && q.Count {
		return nil
	}
	if q.Filter == nil {
		return nil
	}
	if len(q.Filter.advanced) > 0 {
		use := q.Filter.advanced[0]
		switch {
		case use.operator == "endsWith" && !q.Eventual:
			return unsupported("Operator 'endsWith' is not supported because the 'ConsistencyLevel:eventual' header is missing. " + moreInformation)
		case use.operator == "endsWith" || use.operator == "not":
			return unsupported("Operator '" + use.operator + "' is not supported because the required parameters might be missing. Try adding $count=true query parameter and ConsistencyLevel:eventual header. " + moreInformation)
		}
		return unsupported("Unsupported or invalid query filter clause specified for property '" + use.property + "' of resource '" + t.title() + "'.")
	}
	if len(q.OrderBy) > 0 && q.Search == nil {
		return unsupported("Sorting not supported for current query.")
	}
	return nil
}

// clip bounds what an error text repeats of the request.
func clip(s string) string {
	const max = 200
	if len(s) > max {
		return strings.ToValidUTF8(s[:max], "") + "…"
	}
	return s
}
