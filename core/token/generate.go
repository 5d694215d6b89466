package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/jose"
)

// rsaBits: both clouds sign with RSA-2048, and a longer key would cost three times as much a signature.
const rsaBits = 2048

// certificateYears is how long a key's certificate is valid; nobody checks it, but tools show it.
const certificateYears = 5

// generate makes key number sequence of a ring.
func (r *Keyring) generate(name string, sequence int, begin time.Time) (Key, StoredKey, error) {
	op := "make key " + strconv.Itoa(sequence) + " of ring " + name
	kind, err := r.kind(name)
	if err != nil {
		return Key{}, StoredKey{}, err
	}
	private, err := kind.private(r.Rand)
	if err != nil {
		return Key{}, StoredKey{}, fault.Wrap(fault.Internal, op, err)
	}
	begin = begin.UTC().Truncate(time.Second)
	k := Key{Ring: name, Signer: private, NotBefore: begin, RetireAfter: begin.Add(r.lifetime()), Sequence: sequence}
	s := StoredKey{Ring: name, NotBefore: k.NotBefore, RetireAfter: k.RetireAfter, Sequence: sequence}
	if s.Private, err = x509.MarshalPKCS8PrivateKey(private); err != nil {
		return Key{}, StoredKey{}, fault.Wrap(fault.Internal, op, err)
	}
	if kind.Subject != "" {
		if k.Certificate, err = selfSigned(kind.Subject, private, begin, r.Rand); err != nil {
			return Key{}, StoredKey{}, fault.Wrap(fault.Internal, op, err)
		}
		s.Certificate = k.Certificate.Raw
	}
	id := kind.KeyID
	if id == nil {
		id = KeyThumbprint
	}
	if k.ID, err = id(name, sequence, private.Public(), k.Certificate); err != nil {
		return Key{}, StoredKey{}, fault.Wrap(fault.Internal, op, err)
	}
	s.ID = k.ID
	return k, s, nil
}

func (k Kind) private(rand io.Reader) (crypto.Signer, error) {
	if k.Curve != nil {
		return ecdsa.GenerateKey(k.Curve, rand)
	}
	return rsa.GenerateKey(rand, rsaBits)
}

func selfSigned(subject string, key crypto.Signer, begin time.Time, rand io.Reader) (*x509.Certificate, error) {
	serial := make([]byte, 16)
	if _, err := io.ReadFull(rand, serial); err != nil {
		return nil, err
	}
	serial[0] = serial[0]&0x7f | 0x40 // positive and of constant length (RFC 5280 section 4.1.2.2)
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject:      pkix.Name{CommonName: subject},
		NotBefore:    begin,
		NotAfter:     begin.AddDate(certificateYears, 0, 0),
	}
	der, err := x509.CreateCertificate(rand, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// KeyThumbprint is a Kind.KeyID: the SHA-256 JWK thumbprint.
func KeyThumbprint(_ string, _ int, key crypto.PublicKey, _ *x509.Certificate) (string, error) {
	return jose.KeyThumbprint(key)
}

// CertificateThumbprint is a Kind.KeyID: the certificate's SHA-1 in base64url, so that kid equals x5t.
func CertificateThumbprint(ring string, _ int, _ crypto.PublicKey, cert *x509.Certificate) (string, error) {
	if cert == nil {
		return "", fault.New(fault.Internal, "name key of ring "+ring, "it has no certificate")
	}
	return jose.Thumbprint(cert.Raw), nil
}

// Numbered is a Kind.KeyID: the last part of the ring's name, directly followed by the sequence number:
// key 1 of "cognito-identity/us-east-1" is "us-east-11".
func Numbered(ring string, sequence int, _ crypto.PublicKey, _ *x509.Certificate) (string, error) {
	return ring[strings.LastIndexByte(ring, '/')+1:] + strconv.Itoa(sequence), nil
}

// Counted makes a Kind.KeyID: the prefix and the key's number in its ring, from 0: "RSA_0", "RSA_1".
func Counted(prefix string) func(ring string, sequence int, key crypto.PublicKey, cert *x509.Certificate) (string, error) {
	return func(_ string, sequence int, _ crypto.PublicKey, _ *x509.Certificate) (string, error) {
		return prefix + strconv.Itoa(sequence-1), nil
	}
}

// parse turns a key at rest into one that signs.
func (s StoredKey) parse() (Key, error) {
	op := "read key " + s.ID + " of ring " + s.Ring
	parsed, err := x509.ParsePKCS8PrivateKey(s.Private)
	if err != nil {
		return Key{}, fault.Wrap(fault.Internal, op, err)
	}
	signer, ok := parsed.(crypto.Signer)
	if !ok {
		return Key{}, fault.New(fault.Internal, op, "it cannot sign")
	}
	k := Key{ID: s.ID, Ring: s.Ring, Signer: signer, NotBefore: s.NotBefore, RetireAfter: s.RetireAfter, Sequence: s.Sequence}
	if len(s.Certificate) > 0 {
		if k.Certificate, err = x509.ParseCertificate(s.Certificate); err != nil {
			return Key{}, fault.Wrap(fault.Internal, op, err)
		}
	}
	return k, nil
}

// Public is the half of the key that others may know.
func (k Key) Public() PublicKey {
	return PublicKey{ID: k.ID, Key: k.Signer.Public(), Certificate: k.Certificate}
}

// JWK is the key as it is published: kty, use, kid, n, e, and with a certificate x5t and x5c. The
// publisher adds alg or issuer where its cloud has them.
func (k Key) JWK() (jose.JWK, error) { return jose.Publish(k.ID, k.Signer.Public(), k.Certificate) }
