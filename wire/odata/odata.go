// Package odata reads the OData of Microsoft Graph: paths with keys in parentheses and in any case, the
// query options $filter, $search, $select, $expand, $orderby, $top, $skiptoken and $count, and the rule
// that some of them need the advanced query parameters.
//
// It evaluates them over resources that are JSON objects (map[string]any), so it knows no entity of its
// own: a Type names the properties there are. It leaves to the caller where the resources come from, how
// they are paged, and the envelope around an answer. Every parser is bounded in length and in depth.
//
// Error codes and texts are Graph's (learn.microsoft.com: graph/query-parameters, graph/aad-advanced-queries).
package odata

import (
	"slices"
	"strings"
)

// Type is an entity type as a query sees it.
type Type struct {
	Name          string   // "application": as in $metadata, lower camel case
	Properties    []string // the properties that may be named in $filter, $select and $orderby
	Navigation    []string // the navigation properties that may be named in $expand
	Searchable    []string // the properties that $search may name
	CaseSensitive bool     // strings compare byte by byte; directory objects compare in any case
}

// title is the name as it stands in error texts: "Application".
func (t Type) title() string {
	if t.Name == "" {
		return ""
	}
	return strings.ToUpper(t.Name[:1]) + t.Name[1:]
}

// property gives the name of a property in its declared case. Extension attributes are open.
func (t Type) property(name string) (string, bool) { return lookup(t.Properties, name) }

func lookup(names []string, name string) (string, bool) {
	i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	if i >= 0 {
		return names[i], true
	}
	return name, strings.HasPrefix(strings.ToLower(name), "extension_")
}

// Error is a query that Graph refuses with 400.
type Error struct{ Code, Message string }

func (e *Error) Error() string { return e.Code + ": " + e.Message }

func invalid(message string) *Error { return &Error{"BadRequest", message} }

func unsupported(message string) *Error { return &Error{"Request_UnsupportedQuery", message} }

// Order is one term of $orderby.
type Order struct {
	Property   string
	Descending bool
}

// Expansion is one navigation property of $expand with its own $select.
type Expansion struct {
	Property string
	Select   []string
}

// Query is a parsed set of query options. The zero Query asks for everything.
type Query struct {
	Filter    *Filter
	Search    *Search
	Select    []string // nil: all
	Expand    []Expansion
	OrderBy   []Order
	Top       int // 0: not given
	SkipToken string
	Count     bool // $count=true
	Eventual  bool // ConsistencyLevel: eventual
}

// Match reports whether a resource passes $filter and $search.
func (q Query) Match(resource map[string]any) bool {
	return (q.Filter == nil || q.Filter.Match(resource)) && (q.Search == nil || q.Search.Match(resource))
}

// Project keeps the selected properties of a resource, and every annotation ("@odata.type") it has.
func (q Query) Project(resource map[string]any) map[string]any { return project(resource, q.Select) }

// Project keeps the expanded resource's selected properties.
func (e Expansion) Project(resource map[string]any) map[string]any {
	return project(resource, e.Select)
}

func project(resource map[string]any, selected []string) map[string]any {
	if selected == nil {
		return resource
	}
	out := make(map[string]any, len(selected))
	for _, name := range selected {
		if v, ok := resource[name]; ok {
			out[name] = v
		}
	}
	for name, v := range resource {
		if strings.Contains(name, "@odata.") {
			out[name] = v
		}
	}
	return out
}

// Compare orders two resources by $orderby; 0 when it says nothing about them.
func (q Query) Compare(a, b map[string]any) int {
	for _, o := range q.OrderBy {
		c := order(a[o.Property], b[o.Property])
		if o.Descending {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}
