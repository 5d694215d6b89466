package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"sync"
)

// maxKeys bounds a KeyCache. A key is good for a day, so a few hundred callers fit.
const maxKeys = 1024

// KeyCache remembers derived keys. The zero value is ready; a nil *KeyCache remembers nothing. A changed
// secret is another entry, so nothing has to be invalidated.
type KeyCache struct {
	mu   sync.Mutex
	keys map[keyID][sha256.Size]byte
}

// keyID names a derived key. The secret itself is kept out of the map's keys.
type keyID struct {
	secret               [sha256.Size]byte
	day, region, service string
}

// derive makes the signing key of a secret for a scope.
func (c *KeyCache) derive(secret string, scope Credential) [sha256.Size]byte {
	if c == nil {
		return derive(secret, scope)
	}
	id := keyID{sha256.Sum256([]byte(secret)), scope.Day, scope.Region, scope.Service}
	c.mu.Lock()
	defer c.mu.Unlock()
	if k, ok := c.keys[id]; ok {
		return k
	}
	if c.keys == nil || len(c.keys) >= maxKeys {
		c.keys = map[keyID][sha256.Size]byte{} // yesterday's keys go with the rest
	}
	k := derive(secret, scope)
	c.keys[id] = k
	return k
}

func derive(secret string, scope Credential) (key [sha256.Size]byte) {
	k := []byte("AWS4" + secret)
	for _, part := range []string{scope.Day, scope.Region, scope.Service, Terminator} {
		m := hmac.New(sha256.New, k)
		m.Write([]byte(part))
		k = m.Sum(nil)
	}
	return [sha256.Size]byte(k)
}
