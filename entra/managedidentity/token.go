package managedidentity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/entra/aadsts"
)

// Bounds of the cache. A token with less than five minutes left counts as expired in MSAL.
const (
	maxTokens = 1000
	lastUse   = 5 * time.Minute
)

// token gets the chosen identity's token, from the cache for as long as it is good: the service caches
// tokens until they expire (Microsoft, "Use managed identities on a virtual machine to acquire access
// token": token caching). The identity was read for this very request, so one that is deleted, disabled
// or taken from the machine is not served from the cache.
func (s *Service) token(ctx context.Context, c *call) (Token, error) {
	if c.failed != nil {
		c.skip("token")
		return Token{}, nil
	}
	p := c.identity.principal
	ask := Ask{TenantID: p.TenantID, PrincipalID: p.ID, Resource: c.resource, MachineResource: c.machine.ResourceID}
	k := evidence.Check{Name: "token", Operator: "granted for", Want: []string{evidence.Clip(c.resource)}, OK: true}
	if t, ok := s.tokens.get(ask, c.now, c.query["token_sha256_to_refresh"]); ok && p.Enabled {
		c.cached, k.Note = true, "from the cache"
		c.check(k, refusal{})
		return t, nil
	}
	t, err := s.Issue(ctx, ask)
	var refused *aadsts.Error
	switch {
	case errors.As(err, &refused):
		k.OK, k.Note = false, evidence.Clip(refused.Text())
		c.check(k, refusal{status: http.StatusBadRequest, code: refused.OAuth(), text: refused.Text(), aad: refused})
		return Token{}, nil
	case err != nil:
		return Token{}, fmt.Errorf("issue a token of %s for %s: %w", p.ID, evidence.Clip(c.resource), err)
	}
	c.check(k, refusal{})
	return s.tokens.put(ask, t, c.now), nil
}

// cache keeps tokens by what was asked for.
type cache struct {
	mu     sync.Mutex
	tokens map[Ask]Token
}

func (t Token) good(now time.Time) bool {
	return !now.Before(t.NotBefore) && t.ExpiresOn.Sub(now) > lastUse
}

// get finds a token that is still good. A client that was told that a token is revoked sends its SHA-256
// in hexadecimal as token_sha256_to_refresh, and does not want that one again.
func (c *cache) get(ask Ask, now time.Time, revoked string) (Token, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t, ok := c.tokens[ask]
	if !ok {
		return Token{}, false
	}
	if sum := sha256.Sum256([]byte(t.AccessToken)); !t.good(now) || revoked == hex.EncodeToString(sum[:]) {
		delete(c.tokens, ask)
		return Token{}, false
	}
	return t, true
}

// put keeps a token, and returns the one that all who asked meanwhile get. In a full cache the token that
// expires first makes room.
func (c *cache) put(ask Ask, t Token, now time.Time) Token {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before, ok := c.tokens[ask]; ok && before.good(now) {
		return before
	}
	if c.tokens == nil {
		c.tokens = make(map[Ask]Token)
	}
	if len(c.tokens) >= maxTokens {
		var first Ask
		var at time.Time
		for k, v := range c.tokens {
			if at.IsZero() || v.ExpiresOn.Before(at) {
				first, at = k, v.ExpiresOn
			}
		}
		delete(c.tokens, first)
	}
	c.tokens[ask] = t
	return t
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tokens = nil
}

// metadataToken has the members in the order in which the metadata service writes them, all strings
// (recorded; ext_expires_in does not count down). ObjectID and ResourceID confirm a selector of Arc.
type metadataToken struct {
	AccessToken  string `json:"access_token"`
	ClientID     string `json:"client_id"`
	ExpiresIn    string `json:"expires_in"`
	ExpiresOn    string `json:"expires_on"`
	ExtExpiresIn string `json:"ext_expires_in"`
	NotBefore    string `json:"not_before"`
	Resource     string `json:"resource"`
	TokenType    string `json:"token_type"`
	ObjectID     string `json:"object_id,omitempty"`
	ResourceID   string `json:"msi_res_id,omitempty"`
}

func (c *call) metadataToken(t Token) metadataToken {
	return metadataToken{
		AccessToken: t.AccessToken, ClientID: t.ClientID, ExpiresIn: seconds(t.ExpiresOn.Sub(c.now)), ExpiresOn: unix(t.ExpiresOn),
		ExtExpiresIn: seconds(t.ExpiresIn), NotBefore: unix(t.NotBefore), Resource: c.resource, TokenType: "Bearer",
	}
}

func unix(t time.Time) string           { return strconv.FormatInt(t.Unix(), 10) }
func seconds(d time.Duration) string    { return strconv.FormatInt(int64(d/time.Second), 10) }
func (c *call) granted(body any) answer { return answer{status: http.StatusOK, body: encode(body)} }
