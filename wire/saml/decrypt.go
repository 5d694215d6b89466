package saml

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	_ "crypto/sha1" // the default of RSA-OAEP in XML encryption
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/beevik/etree"
)

// The algorithms of xmlenc-core1 section 5 that are taken: RSA-OAEP for keys, AES for the assertion.
const (
	oaepMGF1P = encryptNS + "rsa-oaep-mgf1p"
	oaep11    = encrypt11NS + "rsa-oaep"
)

// blockCiphers say how many bytes a key has, and whether the mode authenticates.
var blockCiphers = map[string]struct {
	bytes         int
	authenticated bool
}{
	encryptNS + "aes128-cbc":   {16, false},
	encryptNS + "aes256-cbc":   {32, false},
	encrypt11NS + "aes128-gcm": {16, true},
	encrypt11NS + "aes256-gcm": {32, true},
}

var oaepDigests = map[string]crypto.Hash{
	"": crypto.SHA1, signatureNS + "sha1": crypto.SHA1, encryptNS + "sha256": crypto.SHA256,
}

var maskDigests = map[string]crypto.Hash{
	"": crypto.SHA1, encrypt11NS + "mgf1sha1": crypto.SHA1, encrypt11NS + "mgf1sha256": crypto.SHA256,
}

const maxTransportedKeys = 4 // of one assertion: an identity provider encrypts for every key it knows

// decrypt gives the plain text of an EncryptedAssertion.
func decrypt(e *etree.Element, keys []*rsa.PrivateKey) ([]byte, error) {
	data, err := only(e, encryptNS, "EncryptedData")
	switch {
	case err != nil:
		return nil, err
	case data == nil:
		return nil, errors.New("it has no EncryptedData")
	case len(keys) == 0:
		return nil, errors.New("the provider has no private key")
	}
	if t := attribute(data, "Type"); t != "" && t != elementType {
		return nil, fmt.Errorf("what is encrypted is a %.80q, not an element", t)
	}
	method, err := only(data, encryptNS, "EncryptionMethod")
	if err != nil || method == nil {
		return nil, errors.New("it does not say by which algorithm it is encrypted")
	}
	algorithm := attribute(method, "Algorithm")
	block, taken := blockCiphers[algorithm]
	if !taken {
		return nil, fmt.Errorf("it is encrypted by %.80q; AES-128 and AES-256 in CBC or GCM are taken", algorithm)
	}
	sealed, err := cipherValue(data)
	if err != nil {
		return nil, err
	}
	transported := append(within(data, 1), children(e, encryptNS, "EncryptedKey")...)
	if len(transported) == 0 || len(transported) > maxTransportedKeys {
		return nil, fmt.Errorf("it has %d encrypted keys", len(transported))
	}
	last := errors.New("no private key of the provider opens it")
	for _, t := range transported {
		for _, k := range keys {
			key, err := transportedKey(t, k)
			if err != nil || len(key) != block.bytes {
				last = errors.Join(last, err)
				continue
			}
			return open(key, sealed, block.authenticated)
		}
	}
	return nil, last
}

// within are the keys in the KeyInfo of encrypted data.
func within(data *etree.Element, most int) (out []*etree.Element) {
	infos := children(data, signatureNS, "KeyInfo")
	for _, info := range infos[:min(most, len(infos))] {
		out = append(out, children(info, encryptNS, "EncryptedKey")...)
	}
	return out
}

func cipherValue(e *etree.Element) ([]byte, error) {
	data, err := only(e, encryptNS, "CipherData")
	if err != nil || data == nil {
		return nil, fmt.Errorf("%s has no CipherData", e.Tag)
	}
	value, err := only(data, encryptNS, "CipherValue")
	if err != nil || value == nil {
		return nil, fmt.Errorf("%s has no CipherValue", e.Tag)
	}
	encoded, err := text(value)
	if err != nil {
		return nil, err
	}
	out, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(encoded), ""))
	if err != nil {
		return nil, fmt.Errorf("the CipherValue of %s is not base64", e.Tag)
	}
	return out, nil
}

// transportedKey decrypts the key of an EncryptedKey.
func transportedKey(e *etree.Element, key *rsa.PrivateKey) ([]byte, error) {
	method, err := only(e, encryptNS, "EncryptionMethod")
	if err != nil || method == nil {
		return nil, errors.New("the encrypted key does not say by which algorithm")
	}
	algorithm := attribute(method, "Algorithm")
	options := &rsa.OAEPOptions{Hash: crypto.SHA1, MGFHash: crypto.SHA1}
	if d, err := only(method, signatureNS, "DigestMethod"); err != nil {
		return nil, err
	} else if d != nil {
		options.Hash = oaepDigests[attribute(d, "Algorithm")]
	}
	if m, err := only(method, encrypt11NS, "MGF"); err != nil {
		return nil, err
	} else if m != nil && algorithm == oaep11 {
		options.MGFHash = maskDigests[attribute(m, "Algorithm")]
	}
	if p, err := only(method, encryptNS, "OAEPparams"); err != nil {
		return nil, err
	} else if p != nil {
		label, err := text(p)
		if err != nil {
			return nil, err
		}
		if options.Label, err = base64.StdEncoding.DecodeString(label); err != nil {
			return nil, errors.New("the label of the encrypted key is not base64")
		}
	}
	if algorithm != oaepMGF1P && algorithm != oaep11 || options.Hash == 0 || options.MGFHash == 0 {
		return nil, fmt.Errorf("the key is encrypted by %.80q; RSA-OAEP with SHA-1 or SHA-256 is taken", algorithm)
	}
	sealed, err := cipherValue(e)
	if err != nil {
		return nil, err
	}
	return key.Decrypt(nil, sealed, options)
}

// open decrypts the assertion: its first bytes are the nonce (xmlenc-core1 section 5.2).
func open(key, sealed []byte, authenticated bool) ([]byte, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	if authenticated {
		gcm, err := cipher.NewGCM(block)
		if err != nil {
			return nil, err
		}
		if len(sealed) < gcm.NonceSize() {
			return nil, errors.New("the encrypted assertion is too short")
		}
		return gcm.Open(nil, sealed[:gcm.NonceSize()], sealed[gcm.NonceSize():], nil)
	}
	n := block.BlockSize()
	if len(sealed) < 2*n || len(sealed)%n != 0 {
		return nil, errors.New("the encrypted assertion is not a number of blocks")
	}
	plain := make([]byte, len(sealed)-n)
	cipher.NewCBCDecrypter(block, sealed[:n]).CryptBlocks(plain, sealed[n:])
	padding := int(plain[len(plain)-1])
	if padding < 1 || padding > n {
		return nil, errors.New("the encrypted assertion's padding is wrong")
	}
	return plain[:len(plain)-padding], nil
}
