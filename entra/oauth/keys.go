package oauth

import (
	"context"
	"errors"
	"net/http"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/jose"
)

// Ring is the ring of signing keys that tenants share.
const Ring = "entra"

// RingOf is the ring that signs a tenant's tokens, and that its documents publish: the shared one, or one of
// the tenant's own.
func RingOf(t directory.Tenant) string {
	if t.OwnKeys {
		return Ring + "/" + t.ID
	}
	return Ring
}

// keys is the JWKS of a tenant: of the ring that signs for it. The authorities that stand for many tenants
// publish the shared ring alone. A key that is one tenant's must not be found there: who verifies with
// that document and trusts every issuer of its pattern would let it sign for all others; so the real
// authority, too, publishes an application's own keys only where the application is named.
//
// Keys have no alg; on v2 each names the issuer it signs for, which IdentityModel's issuer validation reads.
func (s *Service) keys(ctx context.Context, _ *http.Request, c *call) ([]byte, error) {
	a, err := s.resolve(ctx, c.segment)
	if err != nil {
		return nil, err
	}
	published, err := s.Keys.Published(ctx, a.ring)
	if err != nil {
		return nil, err
	}
	set := jose.JWKS{Keys: make([]jose.JWK, 0, len(published))}
	for _, p := range published {
		k, err := p.JWK()
		if err != nil {
			return nil, err
		}
		if !c.v1 {
			k.Issuer = s.V2Issuer(a.issuer)
		}
		set.Keys = append(set.Keys, k)
	}
	return encode(set)
}

// TenantKeys is a KeySource over the rings of our tenants: an issuer, v1 or v2 and to the byte, is verified
// with the ring of its tenant and no other. Those who verify our own tokens use it: Graph, Resource Manager
// and, for the tokens of managed identities, the token endpoint.
type TenantKeys struct {
	Tenants  directory.Tenants
	Keys     token.Keys
	V1Issuer func(tenant string) string
	V2Issuer func(tenant string) string
	Others   token.KeySource // of issuers that are none of our tenants'; nil knows none
}

var (
	_ token.KeySource = TenantKeys{}
	_ token.Renewer   = TenantKeys{}
)

// PublicKeys returns the keys of the issuer's tenant. An issuer of our form whose tenant is not here is
// fault.NotFound, and no other source is asked for it.
func (k TenantKeys) PublicKeys(ctx context.Context, issuer, kid string) ([]token.PublicKey, error) {
	id, ours := issuerTenant(k.V1Issuer, k.V2Issuer, issuer)
	if !ours && k.Others != nil {
		return k.Others.PublicKeys(ctx, issuer, kid)
	}
	none := fault.New(fault.NotFound, "keys of "+evidence.Clip(issuer), "it is no issuer of a tenant here")
	if !ours {
		return nil, none
	}
	t, err := k.Tenants.Tenant(ctx, id)
	switch {
	case errors.Is(err, fault.NotFound):
		return nil, none
	case err != nil:
		return nil, err
	case issuer != k.V1Issuer(t.ID) && issuer != k.V2Issuer(t.ID): // a GUID in other letters
		return nil, none
	}
	return token.Local{Keys: k.Keys, Ring: RingOf(t)}.PublicKeys(ctx, issuer, kid)
}

// RenewedKeys implements token.Renewer for issuers that are none of our tenants'. A kid of ours never gets
// another key.
func (k TenantKeys) RenewedKeys(ctx context.Context, issuer string, failed []token.PublicKey) ([]token.PublicKey, bool) {
	if source, is := k.others(issuer); is {
		return source.RenewedKeys(ctx, issuer, failed)
	}
	return nil, false
}

// Remarks implements token.Renewer.
func (k TenantKeys) Remarks(issuer string) string {
	if source, is := k.others(issuer); is {
		return source.Remarks(issuer)
	}
	return ""
}

func (k TenantKeys) others(issuer string) (source token.Renewer, is bool) {
	if _, ours := issuerTenant(k.V1Issuer, k.V2Issuer, issuer); ours {
		return nil, false
	}
	source, is = k.Others.(token.Renewer)
	return source, is
}
