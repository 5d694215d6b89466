package oauth

import (
	"context"
	"errors"
	"net/http"
	"path"
	"strings"

	"github.com/treatyfed/treaty/core/fault"
)

type realmDocument struct {
	Version       string `json:"ver"`
	AccountType   string `json:"account_type"`
	Domain        string `json:"domain_name,omitempty"`
	CloudInstance string `json:"cloud_instance_name"`
	CloudAudience string `json:"cloud_audience_urn"`
}

// realm says how people of a user name's domain sign in. It answers for the domain and never tells
// whether the user exists.
func (s *Service) realm(ctx context.Context, r *http.Request, _ *call) ([]byte, error) {
	user := path.Base(r.URL.Path)
	doc := realmDocument{Version: "1.0", AccountType: "Unknown", CloudInstance: "microsoftonline.com", CloudAudience: "urn:federation:MicrosoftOnline"}
	domain := user[strings.LastIndexByte(user, '@')+1:]
	if isDomain(domain) {
		_, err := s.Tenants.Tenant(ctx, domain)
		switch {
		case err == nil:
			doc.AccountType, doc.Domain = "Managed", domain
		case !errors.Is(err, fault.NotFound):
			return nil, err
		}
	}
	return encode(doc)
}
