// Package oauth reads and writes the bytes of an OAuth 2.0 token endpoint as Microsoft's clients send and
// expect them: the form, HTTP Basic client credentials, and the two shapes of a success body.
//
// It owns parsing within limits and the order and types of members. What a parameter means, which are
// needed, and every error text are left to the surface.
package oauth

import (
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Limits of a token request. A federated assertion seldom passes 4 KiB; a certificate assertion with a
// chain in x5c may reach 16 KiB.
const (
	MaxBody       = 128 << 10
	MaxParameters = 64
	MaxValue      = 64 << 10
	MaxBasic      = 8 << 10
)

// The ways in which a request can be unreadable.
var (
	ErrTooLarge  = errors.New("oauth: request is larger than allowed")
	ErrMalformed = errors.New("oauth: request is malformed")
)

// Form is the body of a token request. A parameter is present when it has a value that is not empty
// (RFC 6749 section 3.2: parameters without a value are treated as omitted).
type Form map[string]string

// ParseForm reads the body of r. Another content type than application/x-www-form-urlencoded gives an
// empty form, because the service then misses its first parameter. A parameter that comes twice with
// different values is malformed (RFC 6749 section 3.2).
func ParseForm(r *http.Request) (Form, error) {
	return parseForm(r, nil)
}

// ParseRepeated is ParseForm where the named parameters may come several times, as audience and resource
// may in RFC 8693 section 2.1: their values are in repeated, in order and each once, and not in the form.
func ParseRepeated(r *http.Request, names ...string) (form Form, repeated map[string][]string, err error) {
	repeated = make(map[string][]string, len(names))
	for _, n := range names {
		repeated[n] = nil
	}
	form, err = parseForm(r, repeated)
	return form, repeated, err
}

func parseForm(r *http.Request, repeated map[string][]string) (Form, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" {
		return Form{}, nil
	}
	if r.ContentLength > MaxBody {
		return nil, ErrTooLarge
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	switch {
	case err != nil:
		return nil, ErrMalformed
	case len(raw) > MaxBody:
		return nil, ErrTooLarge
	}
	return parse(string(raw), repeated)
}

func parse(raw string, repeated map[string][]string) (Form, error) {
	if strings.Count(raw, "&") >= MaxParameters {
		return nil, ErrTooLarge
	}
	form := make(Form, 8)
	for pair := range strings.SplitSeq(strings.TrimSpace(raw), "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, ErrMalformed
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return nil, ErrMalformed
		}
		if name == "" || value == "" {
			continue
		}
		if len(value) > MaxValue {
			return nil, ErrTooLarge
		}
		if values, may := repeated[name]; may {
			if !slices.Contains(values, value) {
				repeated[name] = append(values, value)
			}
			continue
		}
		if before, twice := form[name]; twice && before != value {
			return nil, ErrMalformed
		}
		form[name] = value
	}
	return form, nil
}

// Basic reads client credentials from an Authorization header of the Basic scheme; present is false for
// no header or another scheme. Both parts are form-encoded before they are joined (RFC 6749 section 2.3.1).
func Basic(r *http.Request) (id, secret string, present bool, err error) {
	scheme, encoded, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", "", false, nil
	}
	if len(encoded) > MaxBasic {
		return "", "", true, ErrTooLarge
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return "", "", true, ErrMalformed
	}
	id, secret, found := strings.Cut(string(raw), ":")
	if !found {
		return "", "", true, ErrMalformed
	}
	if id, err = url.QueryUnescape(id); err != nil {
		return "", "", true, ErrMalformed
	}
	if secret, err = url.QueryUnescape(secret); err != nil {
		return "", "", true, ErrMalformed
	}
	return id, secret, true, nil
}
