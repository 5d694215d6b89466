package graph

import (
	"context"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/wire/odata"
	"github.com/treatyfed/treaty/wire/rest"
)

var organizationType = odata.Type{Name: "organization", Properties: []string{
	"id", "deletedDateTime", "businessPhones", "city", "country", "countryLetterCode", "createdDateTime", "defaultUsageLocation", "displayName",
	"marketingNotificationEmails", "onPremisesSyncEnabled", "preferredLanguage", "tenantType", "technicalNotificationMails", "verifiedDomains",
}}

var domainType = odata.Type{Name: "domain", Properties: []string{
	"id", "authenticationType", "availabilityStatus", "isAdminManaged", "isDefault", "isInitial", "isRoot", "isVerified", "supportedServices", "passwordValidityPeriodInDays", "passwordNotificationWindowInDays", "state",
}}

// grantType is the oauth2PermissionGrant resource type.
var grantType = odata.Type{Name: "oAuth2PermissionGrant", Properties: []string{"id", "clientId", "consentType", "principalId", "resourceId", "scope"}}

// initialDomain reports whether a domain is the tenant's first one, which Microsoft gives it.
func initialDomain(domain string) bool {
	return strings.HasSuffix(strings.ToLower(domain), ".onmicrosoft.com")
}

func organization(t directory.Tenant) map[string]any {
	domains := make([]any, len(t.Domains))
	for i, d := range t.Domains {
		domains[i] = map[string]any{"capabilities": "Email, OfficeCommunicationsOnline", "isDefault": i == 0, "isInitial": initialDomain(d), "name": d, "type": "Managed"}
	}
	return map[string]any{
		"id": t.ID, "deletedDateTime": nil, "businessPhones": []any{}, "city": nil, "country": nil, "countryLetterCode": text(t.CountryCode),
		"createdDateTime": stamp(t.CreatedAt), "defaultUsageLocation": nil, "displayName": t.DisplayName, "marketingNotificationEmails": []any{},
		"onPremisesSyncEnabled": nil, "preferredLanguage": "en", "tenantType": "AAD", "technicalNotificationMails": []any{}, "verifiedDomains": domains,
	}
}

func domain(name string, first bool) map[string]any {
	return map[string]any{
		"id": name, "authenticationType": "Managed", "availabilityStatus": nil, "isAdminManaged": true, "isDefault": first, "isInitial": initialDomain(name),
		"isRoot": true, "isVerified": true, "supportedServices": []any{}, "passwordValidityPeriodInDays": nil, "passwordNotificationWindowInDays": nil, "state": nil,
	}
}

func organizationList(c *call) collection {
	return collection{typ: organizationType, context: "organization", fetch: inMemory([]map[string]any{organization(c.tenant)})}
}

func (s *Service) listOrganizations(ctx context.Context, c *call, _ *none) (*answer, error) {
	if err := s.permit(ctx, c, readOrganization, "organization", nil); err != nil {
		return nil, err
	}
	return s.list(ctx, c, organizationList(c))
}

func (s *Service) getOrganization(ctx context.Context, c *call, in *byKey) (*answer, error) {
	if err := s.permit(ctx, c, readOrganization, "organization/"+clip(in.Key), nil); err != nil {
		return nil, err
	}
	if !strings.EqualFold(in.Key, c.tenant.ID) {
		return nil, notFound(in.Key)
	}
	return s.one(ctx, c, organizationList(c), organization(c.tenant))
}

func domainList(c *call) collection {
	items := make([]map[string]any, len(c.tenant.Domains))
	for i, d := range c.tenant.Domains {
		items[i] = domain(d, i == 0)
	}
	return collection{typ: domainType, context: "domains", fetch: inMemory(items)}
}

func (s *Service) listDomains(ctx context.Context, c *call, _ *none) (*answer, error) {
	if err := s.permit(ctx, c, readDomains, "domains", nil); err != nil {
		return nil, err
	}
	return s.list(ctx, c, domainList(c))
}

func (s *Service) getDomain(ctx context.Context, c *call, in *byKey) (*answer, error) {
	if err := s.permit(ctx, c, readDomains, "domains/"+clip(in.Key), nil); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(c.tenant.Domains, func(d string) bool { return strings.EqualFold(d, in.Key) })
	if i < 0 {
		return nil, notFound(in.Key)
	}
	return s.one(ctx, c, domainList(c), domain(c.tenant.Domains[i], i == 0))
}

// listGrants lists delegated grants: nobody can make one here yet, so there are none.
func (s *Service) listGrants(ctx context.Context, c *call, _ *none) (*answer, error) {
	if err := s.permit(ctx, c, readGrants, "oauth2PermissionGrants", nil); err != nil {
		return nil, err
	}
	return s.list(ctx, c, collection{typ: grantType, context: "oauth2PermissionGrants", fetch: inMemory(nil)})
}

// readable reports whether the caller may see all of an object of a type, or its type and id only.
func (c *call) readable(kind string) bool {
	if kind == "#microsoft.graph.user" {
		return c.check(readUsers, nil).OK()
	}
	return c.check(need{all: readApplications.all}, nil).OK()
}

// limitedView leaves the type and the id of an object that the caller may not read (learn.microsoft.com
// graph/permissions-overview, "Limited information returned for inaccessible member objects").
func (c *call) limitedView(m map[string]any) map[string]any {
	kind, _ := m["@odata.type"].(string)
	if c.readable(kind) {
		return m
	}
	return map[string]any{"@odata.type": kind, "id": m["id"]}
}

func (s *Service) getObject(ctx context.Context, c *call, in *byKey) (*answer, error) {
	if err := s.permit(ctx, c, readObjects, "directoryObjects/"+clip(in.Key), nil); err != nil {
		return nil, err
	}
	m, err := s.objectResource(ctx, c, canonical(in.Key))
	if err != nil {
		return nil, err
	}
	if m == nil {
		return nil, notFound(in.Key)
	}
	return s.one(ctx, c, collection{typ: directoryObjects, context: "directoryObjects"}, c.limitedView(m))
}

// maxIDs is the most ids of one getByIds (graph/api/directoryobject-getbyids).
const maxIDs = 1000

func (s *Service) getByIDs(ctx context.Context, c *call, in *withBody) (*answer, error) {
	if err := s.permit(ctx, c, readObjects, "directoryObjects/getByIds", nil); err != nil {
		return nil, err
	}
	var ids, types []string
	if _, err := in.Body.set("ids", &ids); err != nil || len(ids) == 0 || len(ids) > maxIDs {
		return nil, invalidValue("ids", "DirectoryObject")
	}
	if raw, ok := in.Body["types"]; ok && rest.Decode(raw, &types) != nil {
		return nil, invalidValue("types", "DirectoryObject")
	}
	found := []map[string]any{}
	for i, id := range ids {
		if !isGUID(id) {
			return nil, badRequest("Invalid object identifier '" + clip(id) + "'.")
		}
		if containsFold(ids[:i], id) {
			continue
		}
		m, err := s.objectResource(ctx, c, canonical(id))
		if err != nil {
			return nil, err
		}
		if m == nil {
			continue
		}
		kind, _ := m["@odata.type"].(string)
		if len(types) > 0 && !containsFold(types, strings.TrimPrefix(kind, "#microsoft.graph.")) && !containsFold(types, "directoryObject") {
			continue
		}
		found = append(found, s.described(c, "directoryObjects", c.limitedView(m)))
	}
	return &answer{body: map[string]any{"@odata.context": s.metadata(c, "directoryObjects"), "value": found}}, nil
}
