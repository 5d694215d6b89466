package aws

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"
)

// DecodeJSON fills v, a pointer to a struct, from an awsJson1.1 body. Unknown members are ignored and
// nulls count as absent; a member that comes twice, a value of another type, invalid UTF-8 and anything
// after the object are refused with a *DecodeError. Numbers for integers may have a fraction, which is
// cut off, as AWS does.
func (c *Codec) DecodeJSON(body []byte, v any) (*Presence, error) {
	if !utf8.Valid(body) {
		return nil, &DecodeError{}
	}
	d := &jsonDecoder{codec: c, tokens: json.NewDecoder(bytes.NewReader(body))}
	d.tokens.UseNumber()
	t, err := d.next()
	if err != nil {
		return nil, err
	}
	if t != json.Delim('{') {
		return nil, &DecodeError{Message: unexpected(t, "Expected null")}
	}
	if err := d.object(reflect.ValueOf(v).Elem(), &path{}, 1); err != nil {
		return nil, err
	}
	if _, err := d.tokens.Token(); !errors.Is(err, io.EOF) {
		return nil, &DecodeError{}
	}
	return &d.presence, nil
}

type jsonDecoder struct {
	codec    *Codec
	tokens   *json.Decoder
	presence Presence
}

// next reads a token. What is no JSON has no message, as from AWS.
func (d *jsonDecoder) next() (json.Token, error) {
	t, err := d.tokens.Token()
	if err != nil {
		return nil, &DecodeError{}
	}
	return t, nil
}

// unexpected words a token of the wrong type; otherwise is said of scalars where none may stand.
func unexpected(t json.Token, otherwise string) string {
	switch t := t.(type) {
	case json.Delim:
		if t == '[' {
			return "Start of list found where not expected"
		}
		return "Start of structure or map found where not expected"
	}
	return otherwise
}

// unconvertible words a scalar of the wrong type.
func unconvertible(t json.Token, to string) string {
	is := "NULL_VALUE"
	switch t := t.(type) {
	case json.Delim:
		return unexpected(t, "")
	case string:
		is = "STRING_VALUE"
	case json.Number:
		is = "NUMBER_VALUE"
	case bool:
		is = "FALSE_VALUE"
		if t {
			is = "TRUE_VALUE"
		}
	}
	return is + " can not be converted to " + to
}

// object reads the members of a struct, its brace being read.
func (d *jsonDecoder) object(v reflect.Value, at *path, depth int) error {
	fields := d.codec.fields(v.Type())
	seen := make([]bool, len(fields))
	for d.tokens.More() {
		key, err := d.next()
		if err != nil {
			return err
		}
		name, ok := key.(string)
		if !ok {
			return at.fail("")
		}
		i := find(fields, name)
		if i < 0 {
			if err := d.skip(at.member(name), depth); err != nil {
				return err
			}
			continue
		}
		f := fields[i]
		if seen[i] {
			return at.member(f.lower).fail("Duplicate member")
		}
		seen[i] = true
		if err := d.value(v.Field(f.index), at.member(f.lower), depth); err != nil {
			return err
		}
	}
	_, err := d.next()
	return err
}

func find(fields []field, name string) int {
	for i, f := range fields {
		if f.name == name || f.lower == name {
			return i
		}
	}
	return -1
}

// value reads the value of a member. A null leaves it alone.
func (d *jsonDecoder) value(v reflect.Value, at *path, depth int) error {
	t, err := d.next()
	if err != nil || t == nil {
		return err
	}
	return d.decode(v, t, at, depth, false)
}

// element reads a member of a list or map; a null is noted and is none.
func (d *jsonDecoder) element(v reflect.Value, at *path, depth int) (bool, error) {
	t, err := d.next()
	if err != nil {
		return false, err
	}
	if t == nil {
		d.presence.nulls = append(d.presence.nulls, at.String())
		return false, nil
	}
	return true, d.decode(v, t, at, depth, true)
}

// decode reads what the token t begins.
func (d *jsonDecoder) decode(v reflect.Value, t json.Token, at *path, depth int, element bool) error {
	if depth >= maxDepth {
		return at.fail("Input is nested too deeply")
	}
	pointer := v.Kind() == reflect.Pointer
	if pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch {
	case isTime(v.Type()), isBlob(v.Type()):
	case v.Kind() == reflect.Struct:
		if t != json.Delim('{') {
			return at.fail(unexpected(t, "Expected null"))
		}
		return d.object(v, at, depth+1)
	case v.Kind() == reflect.Slice:
		if t != json.Delim('[') {
			return at.fail(unexpected(t, "Expected list or null"))
		}
		return d.list(v, at, depth+1)
	case v.Kind() == reflect.Map:
		if t != json.Delim('{') {
			return at.fail(unexpected(t, "Expected map or null"))
		}
		return d.dictionary(v, at, depth+1)
	}
	if !pointer && !element {
		d.presence.mark(at)
	}
	return jsonScalar(v, t, at)
}

func (d *jsonDecoder) list(v reflect.Value, at *path, depth int) error {
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for i := 1; d.tokens.More(); i++ {
		e := reflect.New(v.Type().Elem()).Elem()
		ok, err := d.element(e, at.item(i), depth)
		if err != nil {
			return err
		}
		if ok {
			v.Set(reflect.Append(v, e))
		}
	}
	_, err := d.next()
	return err
}

func (d *jsonDecoder) dictionary(v reflect.Value, at *path, depth int) error {
	v.Set(reflect.MakeMap(v.Type()))
	seen := map[string]bool{}
	for d.tokens.More() {
		t, err := d.next()
		if err != nil {
			return err
		}
		name, _ := t.(string)
		if seen[name] {
			return at.member(name).fail("Duplicate member")
		}
		seen[name] = true
		key := reflect.ValueOf(name).Convert(v.Type().Key())
		e := reflect.New(v.Type().Elem()).Elem()
		ok, err := d.element(e, at.member(name).member("member"), depth)
		if err != nil {
			return err
		}
		if ok {
			v.SetMapIndex(key, e)
		}
	}
	_, err := d.next()
	return err
}

// skip reads over the value of an unknown member.
func (d *jsonDecoder) skip(at *path, depth int) error {
	for open := 0; ; {
		t, err := d.next()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			open++
		case json.Delim('}'), json.Delim(']'):
			open--
		}
		if depth+open > maxDepth {
			return at.fail("Input is nested too deeply")
		}
		if open == 0 {
			return nil
		}
	}
}

func jsonScalar(v reflect.Value, t json.Token, at *path) error {
	s, isString := t.(string)
	n, isNumber := t.(json.Number)
	switch {
	case isTime(v.Type()):
		when, ok := epoch(n)
		if !isNumber || !ok {
			return at.fail(unconvertible(t, "a Timestamp"))
		}
		v.Set(reflect.ValueOf(when))
	case isBlob(v.Type()):
		b, err := base64.StdEncoding.DecodeString(s)
		if !isString || err != nil {
			return at.fail(unconvertible(t, "a Blob"))
		}
		v.SetBytes(b)
	case v.Kind() == reflect.String:
		if !isString {
			return at.fail(unconvertible(t, "a String"))
		}
		v.SetString(s)
	case v.Kind() == reflect.Bool:
		b, ok := t.(bool)
		if !ok {
			return at.fail(unconvertible(t, "Boolean"))
		}
		v.SetBool(b)
	case v.CanInt():
		i, ok := truncate(n)
		if !isNumber || !ok || v.OverflowInt(i) {
			return at.fail(unconvertible(t, integerName(v.Kind())))
		}
		v.SetInt(i)
	case v.CanFloat():
		f, err := strconv.ParseFloat(string(n), 64)
		if !isNumber || err != nil || v.OverflowFloat(f) {
			return at.fail(unconvertible(t, "Double"))
		}
		v.SetFloat(f)
	default:
		return at.fail("members of type " + v.Type().String() + " are not supported")
	}
	return nil
}

// integerName is what AWS calls an integer of that width.
func integerName(k reflect.Kind) string {
	if k == reflect.Int64 {
		return "Long"
	}
	return "Integer"
}

// truncate reads an integer, cutting a fraction off.
func truncate(n json.Number) (int64, bool) {
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return i, true
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil || math.Abs(f) >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}

// epoch reads seconds since 1970, with a fraction down to milliseconds.
func epoch(n json.Number) (time.Time, bool) {
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil || math.Abs(f) > 253402300799 { // 9999-12-31T23:59:59Z
		return time.Time{}, false
	}
	return time.UnixMilli(int64(math.Round(f * 1e3))).UTC(), true
}
