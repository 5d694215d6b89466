package graph

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/odata"
)

// principalSchema is the servicePrincipal resource type (learn.microsoft.com
// graph/api/resources/serviceprincipal).
var principalSchema = newSchema("ServicePrincipal",
	odata.Type{Name: "servicePrincipal", Navigation: []string{"owners", "appRoleAssignments", "appRoleAssignedTo"}, Searchable: []string{"displayName", "description"}},
	property{name: "id", readOnly: true},
	property{name: "deletedDateTime", readOnly: true},
	property{name: "accountEnabled", form: aBool},
	property{name: "alternativeNames", form: texts, initial: "[]"},
	property{name: "appDisplayName", readOnly: true},
	property{name: "appDescription", readOnly: true},
	property{name: "appId", form: aText},
	property{name: "applicationTemplateId", readOnly: true},
	property{name: "appOwnerOrganizationId", readOnly: true},
	property{name: "appRoleAssignmentRequired", form: aBool},
	property{name: "createdDateTime", readOnly: true},
	property{name: "description", form: aText},
	property{name: "disabledByMicrosoftStatus", readOnly: true},
	property{name: "displayName", form: aText},
	property{name: "homepage", form: aText},
	property{name: "loginUrl", form: aText},
	property{name: "logoutUrl", form: aText},
	property{name: "notes", form: aText},
	property{name: "notificationEmailAddresses", form: texts, initial: "[]"},
	property{name: "preferredSingleSignOnMode", form: aText},
	property{name: "preferredTokenSigningKeyThumbprint", form: aText},
	property{name: "replyUrls", form: texts, initial: "[]"},
	property{name: "servicePrincipalNames", form: texts, initial: "[]"},
	property{name: "servicePrincipalType", form: aText},
	property{name: "signInAudience", readOnly: true},
	property{name: "tags", form: texts, initial: "[]"},
	property{name: "tokenEncryptionKeyId", form: aGUID},
	property{name: "samlSingleSignOnSettings", form: anObject},
	property{name: "addIns", form: objects, initial: "[]"},
	property{name: "appRoles", readOnly: true, initial: "[]"},
	property{name: "customSecurityAttributes", readOnly: true, beta: true},
	property{name: "info", readOnly: true, initial: noInfo},
	property{name: "keyCredentials", form: objects, initial: "[]"},
	property{name: "oauth2PermissionScopes", readOnly: true, initial: "[]"},
	property{name: "passwordCredentials", form: objects, initial: "[]"},
	property{name: "resourceSpecificApplicationPermissions", readOnly: true, initial: "[]"},
	property{name: "verifiedPublisher", readOnly: true, initial: noPublisher},
	property{name: "samlMetadataUrl", form: aText, beta: true},
	property{name: "publisherName", readOnly: true, beta: true},
)

// typedOfPrincipal are the members of a body that ServicePrincipal has fields for.
var typedOfPrincipal = []string{
	"accountEnabled", "appId", "appRoleAssignmentRequired", "displayName", "servicePrincipalNames", "servicePrincipalType", "keyCredentials", "passwordCredentials",
}

// principalResource is a service principal as Graph shows it: its own properties over those of its
// application, where we have that.
func (s *Service) principalResource(ctx context.Context, c *call, sp directory.ServicePrincipal) (map[string]any, error) {
	m := principalSchema.initial(c.beta())
	roles := sp.Roles
	a, err := s.Applications.ApplicationByAppID(ctx, sp.AppID)
	switch {
	case err == nil:
		roles = a.Roles
		if err := inherit(m, a); err != nil {
			return nil, err
		}
	case fault.KindOf(err) != fault.NotFound:
		return nil, err
	case !managed(sp): // a managed identity has no application, in no tenant
		m["appDisplayName"], m["signInAudience"] = sp.DisplayName, severalOrgs
	}
	if err := principalSchema.overlay(m, sp.Carried); err != nil {
		return nil, err
	}
	m["id"], m["appId"], m["displayName"], m["servicePrincipalType"] = sp.ID, sp.AppID, sp.DisplayName, sp.Type
	m["createdDateTime"] = stamp(sp.CreatedAt)
	if !managed(sp) {
		m["appOwnerOrganizationId"] = text(sp.OwnerTenant)
	}
	m["accountEnabled"], m["appRoleAssignmentRequired"] = sp.Enabled, sp.AssignmentRequired
	m["servicePrincipalNames"], m["appRoles"] = values(sp.Names), appRoles(roles)
	m["passwordCredentials"], m["keyCredentials"] = passwords(sp.Secrets), keys(sp.Certificates, c.names("keyCredentials"))
	return m, nil
}

// inherit shows what a service principal has from its application.
func inherit(m map[string]any, a directory.Application) error {
	m["appDisplayName"], m["signInAudience"], m["oauth2PermissionScopes"] = a.DisplayName, a.SignInAudience, scopesOf(a.Carried)
	var kept struct {
		Description *string        `json:"description"`
		Info        map[string]any `json:"info"`
		Web         urls           `json:"web"`
		SPA         urls           `json:"spa"`
		Public      urls           `json:"publicClient"`
	}
	if len(a.Carried) > 0 {
		if err := json.Unmarshal(a.Carried, &kept); err != nil {
			return err
		}
	}
	if kept.Description != nil {
		m["appDescription"] = *kept.Description
	}
	if kept.Info != nil {
		m["info"] = merged(m["info"], kept.Info)
	}
	if kept.Web.Home != nil {
		m["homepage"] = *kept.Web.Home
	}
	if kept.Web.Logout != nil {
		m["logoutUrl"] = *kept.Web.Logout
	}
	m["replyUrls"] = values(slices.Concat(kept.Web.Redirects, kept.SPA.Redirects, kept.Public.Redirects))
	return nil
}

// urls are the addresses of one platform of an application.
type urls struct {
	Redirects []string `json:"redirectUris"`
	Home      *string  `json:"homePageUrl"`
	Logout    *string  `json:"logoutUrl"`
}

// principalList is the collection of service principals that the caller may see.
func (s *Service) principalList(c *call) collection {
	show := func(ctx context.Context, sps ...directory.ServicePrincipal) ([]map[string]any, error) {
		out := make([]map[string]any, 0, len(sps))
		for _, sp := range sps {
			if c.limited(readApplications) && !slices.Contains(sp.Owners, c.objectID) && sp.ID != c.objectID {
				continue
			}
			m, err := s.principalResource(ctx, c, sp)
			if err != nil {
				return nil, err
			}
			out = append(out, m)
		}
		return out, nil
	}
	return collection{
		typ: principalSchema.typ, context: servicePrincipals,
		fetch: paged(func(ctx context.Context, after string, limit int) ([]directory.ServicePrincipal, error) {
			return s.Principals.Principals(ctx, c.tenant.ID, after, limit)
		}, func(v directory.ServicePrincipal) string { return v.ID }, show),
		lookup: byIDs(func(ctx context.Context, key string) (directory.ServicePrincipal, error) {
			return s.findPrincipal(ctx, c, key)
		}, show),
		expand: func(ctx context.Context, item map[string]any, e odata.Expansion) error {
			id, _ := item["id"].(string)
			sp, err := s.Principals.Principal(ctx, c.tenant.ID, id)
			if err != nil {
				return err
			}
			return s.expandObject(ctx, c, object{sp: &sp}, item, e)
		},
	}
}

// eachPrincipal visits every service principal of a tenant.
func (s *Service) eachPrincipal(ctx context.Context, tenant string, visit func(directory.ServicePrincipal) error) error {
	for after := ""; ; {
		batch, err := s.Principals.Principals(ctx, tenant, after, storePage)
		if err != nil {
			return err
		}
		for _, sp := range batch {
			if err := visit(sp); err != nil {
				return err
			}
		}
		if len(batch) < storePage {
			return nil
		}
		after = batch[len(batch)-1].ID
	}
}

// setPrincipal writes a checked body into a service principal.
func (s *Service) setPrincipal(sp *directory.ServicePrincipal, a directory.Application, p payload) error {
	for _, f := range []struct {
		name string
		to   *bool
	}{{"accountEnabled", &sp.Enabled}, {"appRoleAssignmentRequired", &sp.AssignmentRequired}} {
		if _, err := p.set(f.name, f.to); err != nil {
			return invalidValue(f.name, principalSchema.resource)
		}
	}
	var name *string
	if _, err := p.set("displayName", &name); err != nil || name != nil && (*name == "" || len(*name) > 256) {
		return invalidValue("displayName", principalSchema.resource)
	}
	if name != nil {
		sp.DisplayName = *name
	}
	var names []string
	if present, err := p.set("servicePrincipalNames", &names); err != nil || len(names) > maxIdentifierURIs {
		return invalidValue("servicePrincipalNames", principalSchema.resource)
	} else if present {
		if slices.ContainsFunc(names, func(n string) bool {
			return n == "" || len(n) > maxIdentifierLength || strings.ContainsAny(n, " \t\r\n")
		}) {
			return invalidValue("servicePrincipalNames", principalSchema.resource)
		}
		sp.Names = principalNames(directory.Application{AppID: sp.AppID, IdentifierURIs: a.IdentifierURIs}, names)
	}
	if err := keepPasswords(&sp.Secrets, p); err != nil {
		return err
	}
	if err := s.setKeys(&sp.Certificates, p, principalSchema.resource); err != nil {
		return err
	}
	carried, err := carry(sp.Carried, p, typedOfPrincipal...)
	sp.Carried = carried
	return err
}
