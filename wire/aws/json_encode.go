package aws

import (
	"encoding/base64"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// AppendJSON appends v as awsJson1.1 has it: nil members and empty enums are left out, false and 0 stay,
// timestamps are seconds since 1970 with at most three digits of fraction, map keys are sorted.
func (c *Codec) AppendJSON(b []byte, v any) []byte { return c.appendJSON(b, reflect.ValueOf(v)) }

func (c *Codec) appendJSON(b []byte, v reflect.Value) []byte {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch {
	case isTime(v.Type()):
		return appendEpoch(b, v.Interface().(time.Time))
	case isBlob(v.Type()):
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
		return append(b, '"')
	}
	switch v.Kind() {
	case reflect.Struct:
		b = append(b, '{')
		first := true
		for _, f := range c.fields(v.Type()) {
			if m := v.Field(f.index); !absent(m) {
				b = comma(b, &first)
				b = append(appendString(b, f.name), ':')
				b = c.appendJSON(b, m)
			}
		}
		return append(b, '}')
	case reflect.Slice:
		b = append(b, '[')
		first := true
		for i := range v.Len() {
			b = c.appendJSON(comma(b, &first), v.Index(i))
		}
		return append(b, ']')
	case reflect.Map:
		b = append(b, '{')
		first := true
		for _, k := range sortedKeys(v) {
			b = append(appendString(comma(b, &first), k.String()), ':')
			b = c.appendJSON(b, v.MapIndex(k))
		}
		return append(b, '}')
	case reflect.String:
		return appendString(b, v.String())
	default:
		return appendNumber(b, v)
	}
}

// absent reports whether an encoder leaves a member out.
func absent(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface:
		return v.IsNil()
	case reflect.String:
		return v.Len() == 0
	}
	return isTime(v.Type()) && v.IsZero()
}

func comma(b []byte, first *bool) []byte {
	if *first {
		*first = false
		return b
	}
	return append(b, ',')
}

func sortedKeys(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(x, y reflect.Value) int { return strings.Compare(x.String(), y.String()) })
	return keys
}

// appendNumber appends a boolean or a number.
func appendNumber(b []byte, v reflect.Value) []byte {
	switch {
	case v.Kind() == reflect.Bool:
		return strconv.AppendBool(b, v.Bool())
	case v.CanInt():
		return strconv.AppendInt(b, v.Int(), 10)
	case v.CanFloat():
		return strconv.AppendFloat(b, v.Float(), 'g', -1, v.Type().Bits())
	}
	return append(b, "null"...)
}

func appendEpoch(b []byte, t time.Time) []byte {
	if t.Nanosecond()/1e6 == 0 {
		return strconv.AppendInt(b, t.Unix(), 10)
	}
	return strconv.AppendFloat(b, float64(t.UnixMilli())/1e3, 'f', 3, 64)
}

// appendString appends a JSON string: quotes, backslashes and control characters escaped, all else as it
// is, invalid UTF-8 as U+FFFD.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r < ' ' || r == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
