package aws

import (
	"encoding/base64"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxParameters bounds one request: ten times the largest list of the services concerned.
	maxParameters = 2000
	// maxSkip is how many elements of a list may be missing between two that came.
	maxSkip = 10
)

// DecodeQuery fills v, a pointer to a struct, from the parameters of an awsQuery request. Lists are
// X.member.N counted from 1, maps X.entry.N.key and .value, structures X.Field; a bare X= is an empty
// list. Unknown parameters are ignored. What does not fit is a *DecodeError, for which AWS's code is
// MalformedInput.
func (c *Codec) DecodeQuery(parameters url.Values, v any) (*Presence, error) {
	if len(parameters) > maxParameters {
		return nil, &DecodeError{Message: "Too many parameters"}
	}
	root, err := grow(parameters)
	if err != nil {
		return nil, err
	}
	d := &queryDecoder{codec: c}
	if err := d.object(root, reflect.ValueOf(v).Elem(), &path{}); err != nil {
		return nil, err
	}
	return &d.presence, nil
}

// node is a parameter, or the part of its name up to a dot.
type node struct {
	value string
	set   bool
	kids  map[string]*node
}

// grow makes a tree of the parameters' dotted names.
func grow(parameters url.Values) (*node, error) {
	root := &node{}
	for name, values := range parameters {
		if strings.Count(name, ".") >= maxDepth {
			return nil, &DecodeError{Message: "Input is nested too deeply"}
		}
		n := root
		for part := range strings.SplitSeq(name, ".") {
			if n.kids == nil {
				n.kids = map[string]*node{}
			}
			if n.kids[part] == nil {
				n.kids[part] = &node{}
			}
			n = n.kids[part]
		}
		n.value, n.set = values[0], true
	}
	return root, nil
}

type queryDecoder struct {
	codec    *Codec
	presence Presence
}

func (d *queryDecoder) object(n *node, v reflect.Value, at *path) error {
	for _, f := range d.codec.fields(v.Type()) {
		kid := n.kids[f.name]
		if kid == nil {
			kid = n.kids[f.lower]
		}
		if kid == nil {
			continue
		}
		if err := d.value(kid, v.Field(f.index), at.member(f.lower), false); err != nil {
			return err
		}
	}
	return nil
}

func (d *queryDecoder) value(n *node, v reflect.Value, at *path, element bool) error {
	t := v.Type()
	pointer := t.Kind() == reflect.Pointer
	if pointer {
		t = t.Elem()
	}
	compound := t.Kind() == reflect.Map || t.Kind() == reflect.Slice && !isBlob(t) || t.Kind() == reflect.Struct && !isTime(t)
	if compound && n.value != "" {
		return at.fail("Unexpected value where a list, map or structure is expected")
	}
	if !compound && len(n.kids) > 0 {
		return at.fail("Start of structure or map found where not expected")
	}
	if compound && t.Kind() == reflect.Struct && len(n.kids) == 0 {
		return nil
	}
	if pointer {
		v.Set(reflect.New(t))
		v = v.Elem()
	}
	switch {
	case compound && t.Kind() == reflect.Struct:
		return d.object(n, v, at)
	case compound && t.Kind() == reflect.Slice:
		return d.list(n, v, at)
	case compound:
		return d.dictionary(n, v, at)
	}
	if !pointer && !element {
		d.presence.mark(at)
	}
	return queryScalar(v, n.value, at)
}

func (d *queryDecoder) list(n *node, v reflect.Value, at *path) error {
	items, err := elements(n, "member", at)
	if err != nil || items == nil {
		return err
	}
	v.Set(reflect.MakeSlice(v.Type(), len(items), len(items)))
	for i, item := range items {
		if err := d.value(item, v.Index(i), at.item(i+1), true); err != nil {
			return err
		}
	}
	return nil
}

func (d *queryDecoder) dictionary(n *node, v reflect.Value, at *path) error {
	entries, err := elements(n, "entry", at)
	if err != nil || entries == nil {
		return err
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range entries {
		key, val := e.kids["key"], e.kids["value"]
		if key == nil || val == nil || len(key.kids) > 0 {
			return at.fail("Map entry without key or value")
		}
		k := reflect.ValueOf(key.value).Convert(v.Type().Key())
		if v.MapIndex(k).IsValid() {
			return at.member(key.value).fail("Duplicate map key")
		}
		x := reflect.New(v.Type().Elem()).Elem()
		if err := d.value(val, x, at.member(key.value).member("member"), true); err != nil {
			return err
		}
		v.SetMapIndex(k, x)
	}
	return nil
}

// elements returns the numbered children of n under word ("member" or "entry") in order of their
// numbers; nil when there are none and n is not the bare empty parameter either.
func elements(n *node, word string, at *path) ([]*node, error) {
	under := n.kids[word]
	if under == nil {
		if n.set && len(n.kids) == 0 {
			return []*node{}, nil
		}
		return nil, nil
	}
	type numbered struct {
		n    int
		node *node
	}
	var found []numbered
	for text, kid := range under.kids {
		i, err := index(text, at)
		if err != nil {
			return nil, err
		}
		found = append(found, numbered{i, kid})
	}
	slices.SortFunc(found, func(a, b numbered) int { return a.n - b.n })
	out := make([]*node, len(found))
	last := 0
	for i, f := range found {
		if f.n == last {
			return nil, at.fail("Duplicate list index " + strconv.Itoa(f.n))
		}
		if skip := f.n - last - 1; skip > maxSkip {
			return nil, at.fail("Excessively sparse input would skip " + strconv.Itoa(skip) + " list elements")
		}
		last, out[i] = f.n, f.node
	}
	return out, nil
}

// index reads the number of a list element as AWS does: leading zeros are fine, signs and text are not.
func index(text string, at *path) (int, error) {
	if strings.HasPrefix(text, "-") {
		return 0, at.fail("Key " + text + " may not have a leading '-'")
	}
	i, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, at.fail("Start of list found where not expected")
	}
	if i == 0 {
		return 0, at.fail("0 is not a valid index")
	}
	return int(i), nil
}

func queryScalar(v reflect.Value, text string, at *path) error {
	fail := func(to string) error { return at.fail("'" + text + "' can not be converted to " + to) }
	switch {
	case isTime(v.Type()):
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return fail("a Timestamp")
		}
		v.Set(reflect.ValueOf(t.UTC()))
	case isBlob(v.Type()):
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return at.fail("the value can not be converted to a Blob")
		}
		v.SetBytes(b)
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		switch text {
		case "true", "1":
			v.SetBool(true)
		case "false", "0":
			v.SetBool(false)
		default:
			return fail("Boolean")
		}
	case v.CanInt():
		i, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return fail(integerName(v.Kind()))
		}
		v.SetInt(i)
	case v.CanFloat():
		f, err := strconv.ParseFloat(text, v.Type().Bits())
		if err != nil {
			return fail("Double")
		}
		v.SetFloat(f)
	default:
		return at.fail("members of type " + v.Type().String() + " are not supported")
	}
	return nil
}
