package idp

import (
	"encoding/json"
	"fmt"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/idp/rule"
	"github.com/treatyfed/treaty/wire/jose"
)

// Bounds of a client.
const (
	maxClientID   = 256 // bytes
	maxSecrets    = 20
	maxKeySet     = 64 << 10
	maxAttributes = 16 << 10 // bytes of JSON
)

// privateMembers are the members of a JWK that only its owner may know (RFC 7518 sections 6.2.2, 6.3.2, 6.4).
var privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}

func checkClients(ps *Problems, i *directory.Issuer, p preset) {
	seen := make(map[string]int, len(i.Clients))
	for n, c := range i.Clients {
		path := fmt.Sprintf("clients[%d].", n)
		if why := refuseText(c.ID, maxClientID); why != "" {
			ps.add(path+"id", "%s", why)
		} else if before, twice := seen[c.ID]; twice {
			ps.add(path+"id", "%q is the id of clients[%d], too", c.ID, before)
		}
		seen[c.ID] = n
		checkClient(ps, path, c, i, p)
	}
}

func checkClient(ps *Problems, path string, c directory.IssuerClient, i *directory.Issuer, p preset) {
	if why := refuseText(c.Name, maxClientID); c.Name != "" && why != "" {
		ps.add(path+"name", "%s", why)
	}
	if len(c.Secrets) > maxSecrets {
		ps.add(path+"secrets", "there are %d, more than %d", len(c.Secrets), maxSecrets)
	}
	for n, s := range c.Secrets {
		if len(s.Hash) == 0 {
			ps.add(fmt.Sprintf("%ssecrets[%d]", path, n), "it has no hash")
		}
	}
	if why := refuseKeys(c.Keys); why != "" {
		ps.add(path+"keys", "%s", why)
	}
	for n, g := range c.Grants {
		if _, known := grantNamed(g); !known {
			ps.add(fmt.Sprintf("%sgrants[%d]", path, n), "%.120q is not known; %s, %s and %s are", g, clientCredentials.name, tokenExchange.name, jwtBearer.name)
		}
	}
	algorithm, lifetime := c.Algorithm, c.Lifetime
	if algorithm == "" {
		algorithm = defaultAlgorithm // the issuer's own is checked there
	}
	if lifetime == 0 {
		lifetime = shortest
	}
	checkSigning(ps, path, algorithm, lifetime)
	if b, err := json.Marshal(c.Attributes); err != nil || len(b) > maxAttributes {
		ps.add(path+"attributes", "they are no JSON, or take more than %d bytes", maxAttributes)
	}
	checkRules(ps, path, c.Claims)
	if len(c.Claims) > 0 {
		if n := len(mergedRules(p, *i, c)); n > rule.MaxRules {
			ps.add(path+"claims", "with the issuer's there are %d, more than %d", n, rule.MaxRules)
		}
	}
}

// refuseKeys says why a key set cannot serve to authenticate a client, "" when it can.
func refuseKeys(set json.RawMessage) string {
	if len(set) == 0 {
		return ""
	}
	if len(set) > maxKeySet {
		return fmt.Sprintf("the set is longer than %d bytes", maxKeySet)
	}
	members, _, err := jose.Object(string(set))
	if err != nil {
		return "the set cannot be read: " + err.Error()
	}
	list, _ := members["keys"].([]any)
	for n, k := range list {
		m, _ := k.(map[string]any)
		for _, name := range privateMembers {
			if _, is := m[name]; is {
				return fmt.Sprintf("key %d holds %q: a private or symmetric key has no place here; rotate it", n+1, name)
			}
		}
	}
	parsed, err := jose.ParseKeySet(set)
	switch {
	case err != nil:
		return err.Error()
	case len(parsed.Keys) == 0:
		return fmt.Sprintf("the set has no key that can be used: %q", parsed.Skipped[:min(len(parsed.Skipped), 3)])
	case !slices.ContainsFunc(parsed.Keys, fitsAnAlgorithm):
		return "no key of the set fits an algorithm that clients may sign with"
	}
	return ""
}

func fitsAnAlgorithm(k jose.PublicKey) bool {
	return slices.ContainsFunc(clientAlgorithms, func(a string) bool {
		return (k.Algorithm == "" || k.Algorithm == a) && jose.Fits(a, k.Key) == nil
	})
}

// refuseText says why a text cannot be an identifier.
func refuseText(s string, limit int) string {
	switch {
	case s == "":
		return "it is missing"
	case len(s) > limit:
		return fmt.Sprintf("it is longer than %d bytes", limit)
	case !utf8.ValidString(s):
		return "it is no UTF-8"
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return "it has a control character"
		}
	}
	return ""
}
