package webidentity

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"

	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/jose"
)

// Bounds of a key set. With more RSA keys than the first, STS uses none of them (IAM user guide, "Create an
// OpenID Connect identity provider": "up to 100 RSA and 100 EC keys"; recorded for RSA).
const (
	maxRSAKeys = 100
	maxSetKeys = 1000 // that are looked at
)

// ParseKeys reads a JWK Set by STS's rules, which differ from others' (recorded): a key needs a kid, and a
// later one of the same kid takes its place; alg is not looked at; key_ops, whatever they are, and any use
// but sig make a key unusable; n and e must be there and agree with x5c.
func ParseKeys(doc []byte) (keys []token.PublicKey, skipped []string, err error) {
	if len(doc) > jose.MaxKeySet {
		return nil, nil, fmt.Errorf("key set: it has %d bytes, more than %d", len(doc), jose.MaxKeySet)
	}
	top, _, err := jose.Object(string(doc))
	if err != nil {
		return nil, nil, fmt.Errorf("key set: %w", err)
	}
	list, ok := top["keys"].([]any)
	if !ok {
		return nil, nil, errors.New("key set: the document has no array keys")
	}
	if len(list) > maxSetKeys {
		skipped, list = append(skipped, fmt.Sprintf("%d keys after the first %d", len(list)-maxSetKeys, maxSetKeys)), list[:maxSetKeys]
	}
	withRSA := count(list, "RSA") <= maxRSAKeys
	if !withRSA {
		skipped = append(skipped, fmt.Sprintf("the RSA keys: there are more than %d", maxRSAKeys))
	}
	at := map[string]int{}
	for i, v := range list {
		m, _ := v.(map[string]any)
		if !withRSA && m["kty"] == "RSA" {
			continue
		}
		k, err := parseKey(m)
		if err != nil {
			kid, _ := m["kid"].(string)
			skipped = append(skipped, fmt.Sprintf("key %d %.64q: %v", i+1, kid, err))
			continue
		}
		if before, twice := at[k.ID]; twice {
			keys[before] = k
			continue
		}
		at[k.ID] = len(keys)
		keys = append(keys, k)
	}
	return keys, skipped, nil
}

func count(list []any, kty string) (n int) {
	for _, v := range list {
		if m, _ := v.(map[string]any); m["kty"] == kty {
			n++
		}
	}
	return n
}

func parseKey(m map[string]any) (token.PublicKey, error) {
	if kid, _ := m["kid"].(string); kid == "" {
		return token.PublicKey{}, errors.New("it has no kid")
	}
	if _, is := m["key_ops"]; is {
		return token.PublicKey{}, errors.New("it has key_ops")
	}
	if use, is := m["use"]; is && use != "sig" {
		return token.PublicKey{}, errors.New("its use is not sig")
	}
	m = maps.Clone(m)
	delete(m, "alg")
	doc, err := json.Marshal(m)
	if err != nil {
		return token.PublicKey{}, err
	}
	k, err := jose.ParseKey(doc)
	return token.PublicKey(k), err
}

// choose picks the key that a token names. One that names none is taken to mean the only key there is.
func choose(kid string, keys []token.PublicKey) (key *token.PublicKey, note string) {
	if kid == "" {
		if len(keys) == 1 {
			return &keys[0], "the token names no key; the issuer has only one"
		}
		return nil, fmt.Sprintf("the token names no key, and the issuer has %d", len(keys))
	}
	for i := range keys {
		if keys[i].ID == kid {
			return &keys[i], ""
		}
	}
	return nil, "the issuer publishes no usable key of this id"
}
