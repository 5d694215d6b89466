package token

import (
	"context"
	"io"

	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/jose"
)

// Issuer signs tokens with the keys of one ring.
type Issuer struct {
	Keys      Keys
	Ring      string
	Algorithm string    // one of jose.Algorithms that fits the ring's keys
	Type      string    // typ; "JWS" puts kid first, as the tokens of identity pools do; "" leaves it out
	KidFirst  bool      // puts kid first for any typ
	X5T       bool      // name the key's certificate, too
	Rand      io.Reader // needed by PS256, PS384 and PS512 only
}

// Issue signs the claims as they are: it adds none. Members are written in alphabetical order, the
// header's in the order that the cloud's tokens have.
func (i *Issuer) Issue(ctx context.Context, c Claims) (string, error) {
	key, err := i.Keys.Signing(ctx, i.Ring)
	if err != nil {
		return "", err
	}
	payload, err := appendClaims(make([]byte, 0, 1024), c)
	if err != nil {
		return "", fault.Wrap(fault.Internal, "issue token of ring "+i.Ring, err)
	}
	header, err := i.header(key)
	if err != nil {
		return "", err
	}
	raw, err := jose.Sign(header, payload, key.Signer, i.Algorithm, i.Rand)
	if err != nil {
		return "", fault.Wrap(fault.Internal, "issue token of ring "+i.Ring, err)
	}
	return raw, nil
}

func (i *Issuer) header(key Key) (jose.Header, error) {
	kid, typ, alg := jose.Member{Name: "kid", Value: key.ID}, jose.Member{Name: "typ", Value: i.Type}, jose.Member{Name: "alg", Value: i.Algorithm}
	switch {
	case i.X5T && key.Certificate == nil:
		return nil, fault.New(fault.Internal, "issue token of ring "+i.Ring, "key "+key.ID+" has no certificate to name")
	case i.X5T:
		return jose.Header{typ, alg, {Name: "x5t", Value: jose.Thumbprint(key.Certificate.Raw)}, kid}, nil
	case i.Type == "" && i.KidFirst:
		return jose.Header{kid, alg}, nil
	case i.Type == "":
		return jose.Header{alg, kid}, nil
	case i.KidFirst || i.Type == "JWS":
		return jose.Header{kid, typ, alg}, nil
	}
	return jose.Header{typ, alg, kid}, nil
}
