package rule

import (
	"encoding/json"
	"fmt"
	"math"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// refuseType says why no value of a type can be a claim, "" when it may be one.
func refuseType(t *cel.Type) string {
	switch t.Kind() {
	case types.BytesKind, types.DurationKind, types.TypeKind, types.StructKind:
		return "the rule gives " + kindName(t.TypeName()) + ", which no claim can be"
	}
	return ""
}

// kindName is how a type is called in our errors.
func kindName(cel string) string {
	switch cel {
	case "bytes":
		return "bytes"
	case "google.protobuf.Duration":
		return "a duration"
	case "type":
		return "a type"
	}
	return "a value of type " + cel
}

// writer makes plain JSON values of CEL's, and counts the bytes that they take.
type writer struct {
	left  int
	depth int
}

// claim gives the value of a claim; keep is false for null and for an optional without a value.
func (w *writer) claim(v ref.Val) (out any, keep bool, err error) {
	if o, ok := v.(*types.Optional); ok {
		if !o.HasValue() {
			return nil, false, nil
		}
		v = o.GetValue()
	}
	if v == types.NullValue {
		return nil, false, nil
	}
	out, err = w.value(v)
	return out, err == nil, err
}

func (w *writer) value(v ref.Val) (any, error) {
	switch v := v.(type) {
	case types.String:
		return w.text(string(v))
	case types.Bool:
		return bool(v), w.take(5)
	case types.Int:
		return int64(v), w.take(20)
	case types.Uint:
		if uint64(v) > math.MaxInt64 {
			return nil, fmt.Errorf("%d is too large for a number in a claim", uint64(v))
		}
		return int64(v), w.take(20)
	case types.Double:
		if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("%v is no number that JSON has", f)
		}
		return float64(v), w.take(24)
	case types.Timestamp: // RFC 7519 section 2: NumericDate
		return v.Unix(), w.take(20)
	case types.Null:
		return nil, w.take(4)
	case *types.Err:
		return nil, v
	case traits.Mapper:
		return nested(w, v, w.object)
	case traits.Lister:
		return nested(w, v, w.array)
	}
	return nil, fmt.Errorf("the result has %s, which no claim can have", kindName(v.Type().TypeName()))
}

func nested[T any](w *writer, v T, write func(T) (any, error)) (any, error) {
	if w.depth++; w.depth > MaxDepth {
		return nil, fmt.Errorf("%w: the result is nested deeper than %d", errTooLarge, MaxDepth)
	}
	defer func() { w.depth-- }()
	return write(v)
}

func (w *writer) array(list traits.Lister) (any, error) {
	n := int(list.Size().(types.Int))
	if err := w.take(2 + n); err != nil {
		return nil, err
	}
	out := make([]any, 0, n)
	for it := list.Iterator(); it.HasNext() == types.True; {
		v, err := w.value(it.Next())
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (w *writer) object(m traits.Mapper) (any, error) {
	n := int(m.Size().(types.Int))
	if err := w.take(2 + 2*n); err != nil {
		return nil, err
	}
	out := make(map[string]any, n)
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, fmt.Errorf("the result has a map whose key %v is no text", key.Value())
		}
		if _, err := w.text(string(name)); err != nil {
			return nil, err
		}
		v, err := w.value(m.Get(key))
		if err != nil {
			return nil, err
		}
		out[string(name)] = v
	}
	return out, nil
}

func (w *writer) text(s string) (any, error) {
	if err := w.take(len(s) + 2); err != nil {
		return nil, err
	}
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("the result has a text that is no UTF-8")
	}
	quoted, err := json.Marshal(s) // what escapes add
	if err != nil {
		return nil, err
	}
	return s, w.take(len(quoted) - len(s) - 2)
}

func (w *writer) take(n int) error {
	if w.left -= n; w.left < 0 {
		return fmt.Errorf("%w: the claims of a token take more than %d bytes", errTooLarge, MaxResult)
	}
	return nil
}

// fits says why a value cannot be a registered claim (RFC 7519 section 4.1), nil when it can.
func fits(claim string, v any) error {
	ok, want := true, ""
	switch claim {
	case "sub", "jti":
		s, text := v.(string)
		ok, want = text && s != "", "a text that is not empty"
	case "aud":
		ok, want = audience(v), "a text, or a list of texts, that are not empty"
	case "nbf":
		_, ok = v.(int64)
		want = "a time"
	}
	if !ok {
		return fmt.Errorf("%s must be %s", claim, want)
	}
	return nil
}

func audience(v any) bool {
	switch v := v.(type) {
	case string:
		return v != ""
	case []any:
		for _, e := range v {
			if s, ok := e.(string); !ok || s == "" {
				return false
			}
		}
		return len(v) > 0
	}
	return false
}
