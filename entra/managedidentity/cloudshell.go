package managedidentity

import (
	"context"
	"net/http"
)

// cloudShellRules: a Cloud Shell has one identity and its clients refuse to name another. Old tools that
// know MSI_ENDPOINT alone may still send a selector; it is followed rather than overlooked.
var cloudShellRules = rules{
	accept: []string{"client_id", "object_id", "msi_res_id", "mi_res_id"},
	system: true, single: true,
	other: identityNotFound, none: identityNotFound,
}

type cloudShellToken struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   string `json:"expires_in"`
	ExpiresOn   string `json:"expires_on"`
	NotBefore   string `json:"not_before"`
	Resource    string `json:"resource"`
	TokenType   string `json:"token_type"`
}

// cloudShellToken is the endpoint behind MSI_ENDPOINT: a form by POST. There is no header with a secret,
// so a part of the path is one.
func (s *Service) cloudShellToken(ctx context.Context, r *http.Request, c *call) (answer, error) {
	c.metadata(r)
	c.method(r, http.MethodPost)
	c.form(r)
	c.target()
	if err := s.choose(ctx, c, cloudShellRules); err != nil {
		return answer{}, err
	}
	t, err := s.token(ctx, c)
	return c.granted(cloudShellToken{t.AccessToken, seconds(t.ExpiresOn.Sub(c.now)), unix(t.ExpiresOn), unix(t.NotBefore), c.resource, "Bearer"}), err
}
