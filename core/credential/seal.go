package credential

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"io"

	"github.com/treatyfed/treaty/core/fault"
)

// Sealer encrypts values at rest and hashes secrets that only need to be recognised, both under one
// master key. Sealed form: 12 bytes nonce, then AES-256-GCM ciphertext; the label is bound as additional
// data, so a sealed value moved to another column or row does not open.
type Sealer struct {
	aead cipher.AEAD
	mac  []byte
	rand io.Reader
}

// MasterKeySize is the length of a master key in bytes.
const MasterKeySize = 32

// NewSealer derives the sealing and the hashing key from a master key of MasterKeySize bytes (HKDF-SHA256, RFC 5869).
func NewSealer(master []byte, rand io.Reader) (*Sealer, error) {
	if len(master) != MasterKeySize {
		return nil, fault.New(fault.Invalid, "sealer", "the master key must be 32 bytes")
	}
	seal, err := hkdf.Key(sha256.New, master, nil, "treaty seal v1", 32)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "sealer", err)
	}
	mac, err := hkdf.Key(sha256.New, master, nil, "treaty hash v1", 32)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "sealer", err)
	}
	block, err := aes.NewCipher(seal)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "sealer", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "sealer", err)
	}
	return &Sealer{aead: aead, mac: mac, rand: rand}, nil
}

// Seal encrypts plain under label.
func (s *Sealer) Seal(label string, plain []byte) ([]byte, error) {
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(plain)+s.aead.Overhead())
	if _, err := io.ReadFull(s.rand, nonce); err != nil {
		return nil, fault.Wrap(fault.Internal, "seal "+label, err)
	}
	return s.aead.Seal(nonce, nonce, plain, []byte(label)), nil
}

// Open decrypts what Seal made under the same label and master key.
func (s *Sealer) Open(label string, sealed []byte) ([]byte, error) {
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return nil, fault.Wrap(fault.Internal, "open "+label, errors.New("sealed value is too short"))
	}
	plain, err := s.aead.Open(nil, sealed[:n], sealed[n:], []byte(label))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "open "+label, errors.New("sealed under another master key, or altered"))
	}
	return plain, nil
}

// Hash is a keyed hash (HMAC-SHA256) of a secret, for secrets that are only compared. Client secrets are
// long and random, so a slow password hash would add nothing but cost; passwords of people need one.
func (s *Sealer) Hash(secret Secret) []byte {
	m := hmac.New(sha256.New, s.mac)
	m.Write([]byte(secret.Reveal()))
	return m.Sum(nil)
}

// Matches compares a secret with a hash in constant time.
func (s *Sealer) Matches(secret Secret, hash []byte) bool {
	return hmac.Equal(s.Hash(secret), hash)
}
