package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a JSON body.
const (
	MaxBody  = 1 << 20 // bytes
	MaxDepth = 32      // nested objects and arrays
)

// ReadJSON decodes a request's body into v with Decode. The Content-Type may be absent or any JSON type
// (application/json, application/scim+json). An empty body is an error unless it is optional.
func ReadJSON(r *http.Request, v any, optional bool) error {
	if ct := r.Header.Get("Content-Type"); ct != "" {
		mt, _, err := mime.ParseMediaType(ct)
		if err != nil || mt != "application/json" && mt != "text/json" && !strings.HasSuffix(mt, "+json") {
			if !optional || r.ContentLength != 0 {
				return &BadRequest{http.StatusUnsupportedMediaType, "Content-Type", "the body must be JSON"}
			}
		}
	}
	var data []byte
	if r.Body != nil {
		var err error
		if data, err = io.ReadAll(io.LimitReader(r.Body, MaxBody+1)); err != nil {
			return bad("body", "the body could not be read")
		}
	}
	if len(data) > MaxBody {
		return &BadRequest{http.StatusRequestEntityTooLarge, "body", "the body is larger than " + strconv.Itoa(MaxBody) + " bytes"}
	}
	if len(bytes.TrimSpace(data)) == 0 {
		if optional {
			return nil
		}
		return bad("body", "a JSON body is required")
	}
	return Decode(data, v)
}

// Decode is json.Unmarshal for hostile input: one value and nothing after it, valid UTF-8, at most
// MaxDepth deep, and no object with a member twice. Names are equal in any case for that, since
// encoding/json fills a field from a name in any case. Members that v does not know are ignored. Every
// error is a *BadRequest that names the member.
func Decode(data []byte, v any) error {
	if !utf8.Valid(data) {
		return bad("body", "the body is not UTF-8")
	}
	if err := inspect(data); err != nil {
		return err
	}
	err := json.Unmarshal(data, v)
	if err == nil {
		return nil
	}
	var br *BadRequest
	var te *json.UnmarshalTypeError
	switch {
	case errors.As(err, &br):
		return br
	case errors.As(err, &te):
		at := "body"
		if te.Field != "" {
			at += "." + te.Field
		}
		return bad(at, "must not be of type "+te.Value)
	}
	return bad("body", "a member's value does not fit")
}

// level is one open object or array.
type level struct {
	names map[string]bool // nil for an array
	name  string          // of the member being read
	key   bool            // the next token is a name
}

// inspect walks the tokens of data and refuses what encoding/json would let pass.
func inspect(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var open []*level
	for {
		tok, err := d.Token()
		if err != nil {
			return notJSON(err)
		}
		var top *level
		if len(open) > 0 {
			top = open[len(open)-1]
		}
		switch {
		case tok == json.Delim('{') || tok == json.Delim('['):
			if len(open) == MaxDepth {
				return bad(path(open), "nested deeper than "+strconv.Itoa(MaxDepth))
			}
			l := &level{}
			if tok == json.Delim('{') {
				l.names, l.key = map[string]bool{}, true
			}
			open = append(open, l)
			continue
		case tok == json.Delim('}') || tok == json.Delim(']'):
			open = open[:len(open)-1]
		case top != nil && top.key:
			name, _ := tok.(string)
			top.name, top.key = name, false
			if top.names[fold(name)] {
				return bad(path(open), "given more than once")
			}
			top.names[fold(name)] = true
			continue
		}
		if len(open) == 0 {
			if _, err := d.Token(); err != io.EOF {
				return bad("body", "text after the JSON value")
			}
			return nil
		}
		if top = open[len(open)-1]; top.names != nil {
			top.key = true
		}
	}
}

func notJSON(err error) error {
	var se *json.SyntaxError
	if errors.As(err, &se) {
		return bad("body", "not JSON: "+strings.TrimPrefix(se.Error(), "json: ")+" at byte "+strconv.FormatInt(se.Offset, 10))
	}
	return bad("body", "not JSON: the text ends early")
}

func path(open []*level) string {
	p := "body"
	for _, l := range open {
		if l.names != nil && l.name != "" {
			p += "." + l.name
		}
	}
	return p
}

// fold maps names that encoding/json takes for one another to one string: each rune becomes the least
// of those it folds to.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, s)
}
