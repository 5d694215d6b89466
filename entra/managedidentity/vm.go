package managedidentity

import (
	"context"
	"net/http"
)

// imdsVersions are the API versions of the instance metadata service (Microsoft, "Azure Instance Metadata
// Service": supported API versions). Identity tokens came with 2018-02-01.
var imdsVersions = []string{
	"2018-02-01", "2018-04-02", "2018-10-01", "2019-02-01", "2019-03-11", "2019-04-30", "2019-06-01", "2019-06-04",
	"2019-08-01", "2019-08-15", "2019-11-01", "2020-06-01", "2020-07-15", "2020-09-01", "2020-10-01", "2020-12-01",
	"2021-01-01", "2021-02-01", "2021-03-01", "2021-05-01", "2021-10-01", "2021-11-01", "2021-11-15", "2021-12-13",
	"2023-07-01", "2023-11-15", "2024-03-15", "2024-07-17", "2025-04-07",
}

// vmRules: SDKs send client_id, object_id and, for the ARM id, msi_res_id or mi_res_id.
var vmRules = rules{
	accept: []string{"client_id", "object_id", "principal_id", "msi_res_id", "mi_res_id"},
	system: true, single: true,
	other: identityNotFound, none: identityNotFound,
}

// vmToken is the token endpoint of the instance metadata service (Microsoft, "Use managed identities on a
// virtual machine to acquire access token").
func (s *Service) vmToken(ctx context.Context, r *http.Request, c *call) (answer, error) {
	c.metadata(r)
	c.method(r, http.MethodGet)
	c.read(r)
	c.version(imdsVersions)
	c.target()
	if err := s.choose(ctx, c, vmRules); err != nil {
		return answer{}, err
	}
	t, err := s.token(ctx, c)
	return c.granted(c.metadataToken(t)), err
}

// info tells the tenant of the machine's identities; agents ask for it before they have a token.
func (s *Service) info(_ context.Context, r *http.Request, c *call) (answer, error) {
	c.metadata(r)
	c.method(r, http.MethodGet)
	c.read(r)
	c.version(imdsVersions)
	return c.granted(struct {
		TenantID string `json:"tenantId"`
	}{c.machine.TenantID}), nil
}
