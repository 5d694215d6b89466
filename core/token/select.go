package token

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"strconv"

	"github.com/treatyfed/treaty/wire/jose"
)

// maxCandidates bounds the keys tried on one signature, when several share a kid.
const maxCandidates = 4

// candidates picks the keys that may have signed t: those that its kid names, else those whose
// certificate its thumbprint names, else, when it names none, the only key that fits its algorithm.
// The note says why there is none, or which rule was used when it was not the first.
func candidates(t *jose.Token, keys []PublicKey) (fitting []PublicKey, note string) {
	kid, thumb := t.KeyID(), t.Thumbprint()
	switch {
	case len(keys) == 0:
		return nil, "the issuer publishes no usable key"
	case kid != "":
		named := filter(keys, func(k PublicKey) bool { return k.ID == kid })
		if len(named) == 0 {
			return nil, "the issuer publishes no key of this id"
		}
		return fit(t, named)
	case thumb != nil:
		named := filter(keys, func(k PublicKey) bool { return k.Certificate != nil && names(thumb, k.Certificate) })
		if len(named) == 0 {
			return nil, "the issuer publishes no certificate of this thumbprint"
		}
		return fit(t, named)
	}
	fitting, note = fit(t, keys)
	if len(fitting) > 1 {
		return nil, "the token names no key, and " + strconv.Itoa(len(fitting)) + " keys of the issuer would fit"
	}
	if len(fitting) == 1 {
		note = "the token names no key; the issuer has only one that fits"
	}
	return fitting, note
}

// fit keeps the keys that can verify the token's algorithm.
func fit(t *jose.Token, keys []PublicKey) (fitting []PublicKey, note string) {
	alg := t.Algorithm()
	for _, k := range keys {
		if k.Algorithm != "" && k.Algorithm != alg {
			note = "the issuer publishes the key for " + k.Algorithm + " only"
			continue
		}
		if err := jose.Fits(alg, k.Key); err != nil {
			note = err.Error()
			continue
		}
		fitting = append(fitting, k)
	}
	if len(fitting) > 0 {
		return fitting[:min(len(fitting), maxCandidates)], ""
	}
	return nil, note
}

func names(thumb []byte, cert *x509.Certificate) bool {
	if len(thumb) == sha1.Size {
		sum := sha1.Sum(cert.Raw)
		return bytes.Equal(thumb, sum[:])
	}
	sum := sha256.Sum256(cert.Raw)
	return bytes.Equal(thumb, sum[:])
}

func filter(keys []PublicKey, keep func(PublicKey) bool) (out []PublicKey) {
	for _, k := range keys {
		if keep(k) {
			out = append(out, k)
		}
	}
	return out
}
