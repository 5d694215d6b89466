package rest

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
)

// BadRequest is what a request that does not fit its input becomes. Status is the HTTP status that the
// flaw itself asks for: 400, 413 for a body over MaxBody, 415 for a body that is no JSON by its type.
type BadRequest struct {
	Status int
	Field  string // "body", "body.properties.location", "$top", "If-Match"
	Reason string // lower case, safe for the client
}

func (e *BadRequest) Error() string { return e.Field + ": " + e.Reason }

func bad(field, reason string) *BadRequest {
	return &BadRequest{Status: http.StatusBadRequest, Field: field, Reason: reason}
}

// Bounds of a query string.
const (
	MaxQuery  = 16 << 10 // bytes
	MaxParams = 100
)

// ParseQuery splits a query string at "&" only, since OData uses ";" inside $expand, and lowers the
// parameters' names. "+" is a space. Too long, too many and badly escaped ones are a *BadRequest.
func ParseQuery(raw string) (url.Values, error) {
	if len(raw) > MaxQuery {
		return nil, bad("query", "the query string is too long")
	}
	q := url.Values{}
	n := 0
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		if n++; n > MaxParams {
			return nil, bad("query", "too many parameters")
		}
		k, v, _ := strings.Cut(pair, "=")
		k, err := url.QueryUnescape(k)
		if err != nil {
			return nil, bad("query", "a parameter's name is badly escaped")
		}
		v, err = url.QueryUnescape(v)
		if err != nil {
			return nil, bad(k, "the value is badly escaped")
		}
		k = strings.ToLower(k)
		q[k] = append(q[k], v)
	}
	return q, nil
}

type field struct {
	index  int
	source string // path, query, header, body
	name   string
	set    func(reflect.Value, string) error
}

// binder reads the tags of In once and returns the function that fills an In from a request.
func binder[In any]() func(*http.Request, *In) error {
	fields, usesQuery := fieldsOf(reflect.TypeFor[In]())
	return func(r *http.Request, in *In) error {
		v := reflect.ValueOf(in).Elem()
		var q url.Values
		if usesQuery {
			var err error
			if q, err = ParseQuery(r.URL.RawQuery); err != nil {
				return err
			}
		}
		for _, f := range fields {
			if err := f.bind(v.Field(f.index), r, q); err != nil {
				return err
			}
		}
		return nil
	}
}

func (f field) bind(v reflect.Value, r *http.Request, q url.Values) error {
	var vals []string
	switch f.source {
	case "body":
		return ReadJSON(r, v.Addr().Interface(), f.name == "optional")
	case "path":
		vals = []string{r.PathValue(f.name)}
	case "query":
		if f.name == "*" {
			v.Set(reflect.ValueOf(q))
			return nil
		}
		vals = q[strings.ToLower(f.name)]
	case "header":
		vals = r.Header.Values(f.name)
	}
	if len(vals) == 0 {
		return nil
	}
	if v.Type() == reflect.TypeFor[[]string]() {
		v.Set(reflect.ValueOf(vals))
		return nil
	}
	if len(vals) > 1 {
		return bad(f.name, "given more than once")
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	} else if vals[0] == "" {
		return nil
	}
	if err := f.set(v, vals[0]); err != nil {
		return bad(f.name, err.Error())
	}
	return nil
}

func fieldsOf(t reflect.Type) (fields []field, usesQuery bool) {
	if t.Kind() != reflect.Struct {
		panic("rest: " + t.String() + " is no struct")
	}
	for i := range t.NumField() {
		sf := t.Field(i)
		for _, source := range []string{"path", "query", "header", "body"} {
			name, ok := sf.Tag.Lookup(source)
			if !ok {
				continue
			}
			f := field{index: i, source: source, name: name}
			if source != "body" {
				f.set = setter(t, sf, source, name)
			}
			usesQuery = usesQuery || source == "query"
			fields = append(fields, f)
		}
	}
	return fields, usesQuery
}

func setter(in reflect.Type, sf reflect.StructField, source, name string) func(reflect.Value, string) error {
	t := sf.Type
	if source == "query" && (t == reflect.TypeFor[[]string]() || name == "*" && t == reflect.TypeFor[url.Values]()) {
		return nil
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return func(v reflect.Value, s string) error { v.SetString(s); return nil }
	case reflect.Int, reflect.Int64:
		return func(v reflect.Value, s string) error {
			n, err := strconv.ParseInt(s, 10, t.Bits())
			if err != nil {
				return fmt.Errorf("not a whole number")
			}
			v.SetInt(n)
			return nil
		}
	case reflect.Bool:
		return func(v reflect.Value, s string) error {
			b, err := strconv.ParseBool(strings.ToLower(s))
			if err != nil {
				return fmt.Errorf("neither true nor false")
			}
			v.SetBool(b)
			return nil
		}
	}
	panic(fmt.Sprintf("rest: %s.%s: cannot bind %s to %s", in, sf.Name, source, sf.Type))
}
