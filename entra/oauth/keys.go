package oauth

import (
	"context"
	"net/http"

	"github.com/treatyfed/treaty/wire/jose"
)

// keys is the JWKS of a tenant: one ring serves all. Keys have no alg; on v2 each names the issuer it
// signs for, which IdentityModel's issuer validation reads.
func (s *Service) keys(ctx context.Context, _ *http.Request, c *call) ([]byte, error) {
	a, err := s.resolve(ctx, c.segment)
	if err != nil {
		return nil, err
	}
	published, err := s.Keys.Published(ctx, Ring)
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
