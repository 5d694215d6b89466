// Package aadsts is the catalogue of Microsoft Entra's token service errors: for each AADSTS number the
// HTTP status, the OAuth error, the text and whether the body names an error page, and the JSON body that
// is made of them.
//
// It owns the words that a client reads when a token is refused, and which number stands for which reason
// of a trust decision. It leaves deciding to core/trust and the surfaces, and writing to the surfaces.
package aadsts

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// Code is an AADSTS number.
type Code int

// String gives the code as it is written in texts: "AADSTS700213".
func (c Code) String() string { return "AADSTS" + strconv.Itoa(int(c)) }

// Error is one refusal: a code and the values that its text names. The zero Code is no error.
type Error struct {
	Code   Code
	Args   []string
	Claims string // a claims challenge as JSON, "" for none
}

// New makes an error of the catalogue; args fill the holes of its text in order.
func New(code Code, args ...string) *Error { return &Error{Code: code, Args: args} }

// Error is the text with its code, without the trailer of ids.
func (e *Error) Error() string { return e.Text() }

// Status is the HTTP status: 401 for invalid_client, 5xx for our own failures, else 400 (Microsoft,
// "OAuth 2.0 client credentials flow", recorded in Azure/kubelogin's fixtures).
func (e *Error) Status() int {
	switch e.OAuth() {
	case "invalid_client":
		return 401
	case "server_error":
		return 500
	case "temporarily_unavailable":
		return 503
	}
	return 400
}

// OAuth is the "error" member of RFC 6749 section 5.2.
func (e *Error) OAuth() string { return e.row().oauth }

// Suberror classifies errors that a person must resolve; "" for most.
func (e *Error) Suberror() string { return e.row().suberror }

// Text is "AADSTS<number>: <text>".
func (e *Error) Text() string { return e.Code.String() + ": " + fill(e.row().text, e.Args) }

func (e *Error) row() row {
	if r, ok := catalogue[e.Code]; ok {
		return r
	}
	return catalogue[TokenIssuanceError]
}

// fill replaces each {} by the next argument, in one pass: an argument that holds {} stays as it is.
func fill(text string, args []string) string {
	var b strings.Builder
	for _, a := range args {
		before, after, found := strings.Cut(text, "{}")
		if !found {
			break
		}
		b.WriteString(before)
		b.WriteString(a)
		text = after
	}
	b.WriteString(text)
	return b.String()
}

// Meta is what a body says of the request that failed.
type Meta struct {
	TraceID       string // our request id, a GUID
	CorrelationID string // the client's, a GUID
	Time          time.Time
	Authority     string // "https://login.microsoftonline.com": where error_uri points
}

// body has the members in the order in which the service writes them.
type body struct {
	Error         string `json:"error"`
	Description   string `json:"error_description"`
	Codes         [1]int `json:"error_codes"`
	Timestamp     string `json:"timestamp"`
	TraceID       string `json:"trace_id"`
	CorrelationID string `json:"correlation_id"`
	URI           string `json:"error_uri,omitempty"`
	Suberror      string `json:"suberror,omitempty"`
	Claims        string `json:"claims,omitempty"`
}

// Body is the JSON body. Its description ends in the ids and the time, separated by single spaces as
// recorded since 2025 (before, lines were broken).
func (e *Error) Body(m Meta) []byte {
	stamp := Timestamp(m.Time)
	b := body{
		Error:         e.OAuth(),
		Description:   e.Description(m),
		Codes:         [1]int{int(e.Code)},
		Timestamp:     stamp,
		TraceID:       m.TraceID,
		CorrelationID: m.CorrelationID,
		Suberror:      e.Suberror(),
		Claims:        e.Claims,
	}
	if e.row().page {
		b.URI = m.Authority + "/error?code=" + strconv.Itoa(int(e.Code))
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(b); err != nil {
		return nil // strings and numbers always encode
	}
	return bytes.TrimRight(out.Bytes(), "\n")
}

// Description is the error_description: text, ids and time.
func (e *Error) Description(m Meta) string {
	return e.Text() + " Trace ID: " + m.TraceID + " Correlation ID: " + m.CorrelationID + " Timestamp: " + Timestamp(m.Time)
}

// Timestamp writes t as the bodies do: "2026-08-13 21:24:29Z".
func Timestamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// ISO writes t with seven digits of a second, as the texts of 700024 do: "2023-12-11T23:52:19.6223401Z".
func ISO(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }
