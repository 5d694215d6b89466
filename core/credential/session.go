package credential

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"io"
	"time"

	"github.com/treatyfed/treaty/core/fault"
)

// Session is a temporary AWS credential: everything that later requests need to know of it. It travels
// sealed in its session token, so that any replica verifies its key without a look-up.
type Session struct {
	KeyID    string    `json:"k"` // ASIA…, carries the account
	Secret   Secret    `json:"-"`
	Account  string    `json:"a"`
	Type     string    `json:"t"`           // policy.PrincipalType: AssumedRole, FederatedUser, User, Account
	ARN      string    `json:"n"`           // the caller's
	Issuer   string    `json:"i,omitempty"` // ARN of the role, or of the user that federated; "" when ARN itself
	ID       string    `json:"d"`           // unique id of the role or user (AROA…, AIDA…), the account's for root
	UserID   string    `json:"u"`           // as GetCallerIdentity shows it: AROA…:NAME
	IssuedAt time.Time `json:"b"`
	Expires  time.Time `json:"e"`
	Chained  bool      `json:"c,omitempty"` // came of another session's credentials

	Limited    bool                `json:"l,omitempty"` // Policies and PolicyARNs limit it, even when there are none
	Policies   []string            `json:"p,omitempty"` // documents
	PolicyARNs []string            `json:"m,omitempty"`
	Tags       map[string]string   `json:"g,omitempty"` // session tags, transitive ones included
	Transitive []string            `json:"v,omitempty"` // keys of those that go on along a chain
	Source     string              `json:"s,omitempty"` // source identity
	Federated  string              `json:"f,omitempty"` // the provider behind it: aws:FederatedProvider
	MFAAt      time.Time           `json:"x,omitzero"`  // when MFA was proved; zero: not
	Kept       map[string][]string `json:"w,omitempty"` // provider's keys that stay with the session; a name that ends in [] is multivalued
}

// Bounds of a session token, in bytes (STS API reference, SessionTokenSize; September 2026).
const (
	MaxSessionToken = 4096
	sessionLabel    = "aws session"
	maxSessionPlain = 64 << 10 // what a token may unpack to
)

// sealedSession is a Session as it is written: the secret goes in only here.
type sealedSession struct {
	Session
	Secret string `json:"y"`
}

// SessionToken seals a session. The token is base64 and at least min bytes long (0: as it comes);
// fault.LimitExceeded when it would exceed MaxSessionToken.
func (s *Sealer) SessionToken(v Session, min int) (string, error) {
	plain, err := json.Marshal(sealedSession{v, v.Secret.Reveal()})
	if err != nil {
		return "", fault.Wrap(fault.Internal, "session token", err)
	}
	packed, err := pack(plain)
	if err != nil {
		return "", fault.Wrap(fault.Internal, "session token", err)
	}
	// Both forms mark their own end, so zeros after it are padding.
	overhead := s.aead.NonceSize() + s.aead.Overhead()
	if want := base64.StdEncoding.DecodedLen((min+3)/4*4) - overhead; packed.Len() < want {
		packed.Write(make([]byte, want-packed.Len()))
	}
	sealed, err := s.Seal(sessionLabel, packed.Bytes())
	if err != nil {
		return "", err
	}
	token := base64.StdEncoding.EncodeToString(sealed)
	if len(token) > MaxSessionToken {
		return "", fault.New(fault.LimitExceeded, "session token", "the session's policies and tags are too large")
	}
	return token, nil
}

// OpenSession reads a session token. What nobody sealed here is fault.Unauthenticated. Whether it has
// expired, and whether it goes with the key that signed, is the caller's to check.
func (s *Sealer) OpenSession(token string) (Session, error) {
	refuse := func(reason string) (Session, error) {
		return Session{}, fault.New(fault.Unauthenticated, "session token", reason)
	}
	if len(token) > MaxSessionToken {
		return refuse("it is too long")
	}
	sealed, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return refuse("it is not base64")
	}
	packed, err := s.Open(sessionLabel, sealed)
	if err != nil {
		return refuse("it was not issued here, or altered")
	}
	var v sealedSession
	if err := json.NewDecoder(unpack(packed)).Decode(&v); err != nil {
		return refuse("it cannot be read")
	}
	v.Session.Secret = Secret(v.Secret)
	return v.Session, nil
}

// Forms of a session's plain text, by its first byte.
const (
	formJSON    = 'j'
	formDeflate = 'd'

	deflateFrom = 1024 // bytes from which on packing is worth its time
)

// pack writes a session's JSON, deflated when it is long.
func pack(plain []byte) (*bytes.Buffer, error) {
	out := new(bytes.Buffer)
	if len(plain) < deflateFrom {
		out.WriteByte(formJSON)
		_, err := out.Write(plain)
		return out, err
	}
	out.WriteByte(formDeflate)
	w, err := flate.NewWriter(out, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	return out, w.Close()
}

// unpack undoes pack, within a bound.
func unpack(packed []byte) io.Reader {
	if len(packed) == 0 {
		return bytes.NewReader(nil)
	}
	in := io.Reader(bytes.NewReader(packed[1:]))
	if packed[0] == formDeflate {
		in = flate.NewReader(in)
	}
	return io.LimitReader(in, maxSessionPlain)
}
