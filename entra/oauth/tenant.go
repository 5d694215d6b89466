package oauth

import (
	"context"
	"errors"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/entra/aadsts"
)

// consumersTenant is the tenant of personal Microsoft accounts (Microsoft, "Microsoft identity platform and
// OpenID Connect protocol").
const consumersTenant = "9188040d-6c67-4c5b-b112-36a304b66dad"

// The authorities that stand for more than one tenant.
const (
	common        = "common"
	organizations = "organizations"
	consumers     = "consumers"
)

// sharedName tells whether a path segment names a shared authority, and which, in lower case.
func sharedName(segment string) (string, bool) {
	switch name := strings.ToLower(segment); name {
	case common, organizations, consumers:
		return name, true
	case consumersTenant:
		return consumers, true
	}
	return "", false
}

// findTenant looks a tenant up by GUID or verified domain.
func (s *Service) findTenant(ctx context.Context, segment string) (directory.Tenant, error) {
	if !isGUID(segment) && !isDomain(segment) {
		return directory.Tenant{}, aadsts.New(aadsts.TenantMalformed, evidence.Clip(segment))
	}
	t, err := s.Tenants.Tenant(ctx, segment)
	if errors.Is(err, fault.NotFound) {
		return directory.Tenant{}, aadsts.New(aadsts.TenantNotFound, segment)
	}
	return t, err
}

// isDomain reports whether s may be a DNS name of two labels or more (RFC 1123 section 2.1).
func isDomain(s string) bool {
	if len(s) > 253 || !strings.Contains(s, ".") {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, b := range []byte(label) {
			if !(b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '-') {
				return false
			}
		}
	}
	return true
}

// authority is what a document says of the tenant in its path.
type authority struct {
	segment string // in endpoint URLs: the GUID, or the shared name
	issuer  string // tenant in issuers: the GUID, "{tenantid}" for the shared ones
	region  *string
	ring    string // of the keys that its documents publish
}

// resolve names the authority of a path segment. A domain becomes the tenant's GUID.
func (s *Service) resolve(ctx context.Context, segment string) (authority, error) {
	if name, ok := sharedName(segment); ok {
		if name == consumers {
			return authority{segment: strings.ToLower(segment), issuer: consumersTenant, ring: Ring}, nil
		}
		return authority{segment: name, issuer: "{tenantid}", ring: Ring}, nil
	}
	t, err := s.findTenant(ctx, segment)
	if err != nil {
		return authority{}, err
	}
	region := regionOf(t.CountryCode)
	return authority{segment: t.ID, issuer: t.ID, region: &region, ring: RingOf(t)}, nil
}

// regionOf is the tenant_region_scope of a country: NA, EU, AS, OC or WW (worldwide).
func regionOf(country string) string {
	switch strings.ToUpper(country) {
	case "US", "CA", "MX":
		return "NA"
	case "AT", "BE", "BG", "CH", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GB", "GR", "HR", "HU", "IE", "IS", "IT", "LI",
		"LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK":
		return "EU"
	case "CN", "HK", "ID", "IN", "JP", "KR", "MY", "PH", "SG", "TH", "TW", "VN":
		return "AS"
	case "AU", "NZ":
		return "OC"
	}
	return "WW"
}
