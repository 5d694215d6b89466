package oauth

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/trust"
	wire "github.com/treatyfed/treaty/wire/oauth"
)

// call is one request and what has been found out about it.
type call struct {
	record  *audit.Request
	now     time.Time
	base    string // where our endpoints are, as the client sees them
	segment string // the tenant as the client wrote it
	v1      bool

	form      wire.Form
	clientID  string
	secret    credential.Secret
	assertion string
	presented token.Presented // the assertion, read and not trusted
	tenant    directory.Tenant
	client    client
	resource  resource
	strength  string         // appidacr and azpacr: "0" nothing, "1" a secret, "2" an assertion
	decision  trust.Decision // about the credential
	machine   string         // ARM id of where a managed identity was used, "" when that is not known
}

// begin names the request: its id is the audit's, or a fresh one; its correlation id is the client's
// when that is a GUID (header, or the query parameter of MSAL JS), else a fresh one.
func (s *Service) begin(r *http.Request) *call {
	c := &call{record: audit.RequestOf(r.Context()), now: s.Now(), base: s.base(r.Host)}
	c.record.Surface = "entra"
	if c.record.ID == "" {
		c.record.ID = s.newGUID()
	}
	correlation := r.Header.Get("client-request-id")
	if correlation == "" && strings.Contains(r.URL.RawQuery, "client-request-id") {
		correlation = r.URL.Query().Get("client-request-id")
	}
	if !isGUID(correlation) {
		correlation = s.newGUID()
	}
	c.record.CorrelationID = correlation
	return c
}

// newGUID makes a random UUID (RFC 9562 section 5.4).
func (s *Service) newGUID() string {
	var b [16]byte
	if _, err := io.ReadFull(s.Rand, b[:]); err != nil {
		panic("oauth: no randomness: " + err.Error()) // crypto/rand never fails
	}
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var out [36]byte
	hex.Encode(out[:8], b[:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:], b[10:])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

// isGUID reports whether s is a GUID in its usual form, in any case.
func isGUID(s string) bool {
	_, ok := guidBytes(s)
	return ok
}

// guidBytes gives the sixteen bytes of a GUID in Microsoft's order: the first three groups little-endian.
func guidBytes(s string) (b [16]byte, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return b, false
	}
	raw, err := hex.DecodeString(s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:])
	if err != nil {
		return b, false
	}
	copy(b[:], raw)
	binary.LittleEndian.PutUint32(b[0:], binary.BigEndian.Uint32(raw[0:]))
	binary.LittleEndian.PutUint16(b[4:], binary.BigEndian.Uint16(raw[4:]))
	binary.LittleEndian.PutUint16(b[6:], binary.BigEndian.Uint16(raw[6:]))
	return b, true
}

// uniqueTokenID is the uti claim: the trace id's bytes, as sign-in logs tie a token to its request.
func uniqueTokenID(traceID string) string {
	b, _ := guidBytes(traceID)
	return base64.RawURLEncoding.EncodeToString(b[:])
}
