package graph

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/wire/odata"
)

const noInfo = `{"logoUrl":null,"marketingUrl":null,"privacyStatementUrl":null,"supportUrl":null,"termsOfServiceUrl":null}`
const noPublisher = `{"displayName":null,"verifiedPublisherId":null,"addedDateTime":null}`

// applicationSchema is the application resource type (learn.microsoft.com graph/api/resources/application).
var applicationSchema = newSchema("Application",
	odata.Type{Name: "application", Navigation: []string{"owners", "federatedIdentityCredentials"}, Searchable: []string{"displayName", "description"}},
	property{name: "id", readOnly: true},
	property{name: "deletedDateTime", readOnly: true},
	property{name: "appId", readOnly: true},
	property{name: "applicationTemplateId", readOnly: true},
	property{name: "disabledByMicrosoftStatus", readOnly: true},
	property{name: "createdDateTime", readOnly: true},
	property{name: "displayName", form: aText},
	property{name: "description", form: aText},
	property{name: "groupMembershipClaims", form: aText},
	property{name: "identifierUris", form: texts, initial: "[]"},
	property{name: "isDeviceOnlyAuthSupported", form: aBool},
	property{name: "isFallbackPublicClient", form: aBool},
	property{name: "nativeAuthenticationApisEnabled", form: aText},
	property{name: "notes", form: aText},
	property{name: "publisherDomain", readOnly: true},
	property{name: "serviceManagementReference", form: aText},
	property{name: "signInAudience", form: aText},
	property{name: "tags", form: texts, initial: "[]"},
	property{name: "tokenEncryptionKeyId", form: aGUID},
	property{name: "uniqueName", form: aText},
	property{name: "samlMetadataUrl", form: aText},
	property{name: "defaultRedirectUri", form: aText},
	property{name: "certification", readOnly: true},
	property{name: "optionalClaims", form: anObject},
	property{name: "servicePrincipalLockConfiguration", form: anObject},
	property{name: "requestSignatureVerification", form: anObject},
	property{name: "addIns", form: objects, initial: "[]"},
	property{name: "api", form: anObject, initial: `{"acceptMappedClaims":null,"knownClientApplications":[],"requestedAccessTokenVersion":null,"oauth2PermissionScopes":[],"preAuthorizedApplications":[]}`},
	property{name: "appRoles", form: objects, initial: "[]"},
	property{name: "info", form: anObject, initial: noInfo},
	property{name: "keyCredentials", form: objects, initial: "[]"},
	property{name: "parentalControlSettings", form: anObject, initial: `{"countriesBlockedForMinors":[],"legalAgeGroupRule":"Allow"}`},
	property{name: "passwordCredentials", form: objects, initial: "[]"},
	property{name: "publicClient", form: anObject, initial: `{"redirectUris":[]}`},
	property{name: "requiredResourceAccess", form: objects, initial: "[]"},
	property{name: "verifiedPublisher", readOnly: true, initial: noPublisher},
	property{name: "web", form: anObject, initial: `{"homePageUrl":null,"logoutUrl":null,"redirectUris":[],"implicitGrantSettings":{"enableAccessTokenIssuance":false,"enableIdTokenIssuance":false},"redirectUriSettings":[]}`},
	property{name: "spa", form: anObject, initial: `{"redirectUris":[]}`},
	property{name: "oauth2RequirePostResponse", form: aBool, initial: "false", beta: true},
	property{name: "onPremisesPublishing", form: anObject, beta: true},
)

// Sign-in audiences (resources/application, signInAudience).
const (
	singleTenant  = "AzureADMyOrg"
	severalOrgs   = "AzureADMultipleOrgs"
	orgsAndPeople = "AzureADandPersonalMicrosoftAccount"
	peopleOnly    = "PersonalMicrosoftAccount"
)

// applicationResource is an application as Graph shows it.
func applicationResource(c *call, a directory.Application) (map[string]any, error) {
	m := applicationSchema.initial(c.beta())
	if err := applicationSchema.overlay(m, a.Carried); err != nil {
		return nil, err
	}
	m["id"], m["appId"], m["displayName"], m["uniqueName"] = a.ID, a.AppID, a.DisplayName, text(a.UniqueName)
	m["createdDateTime"], m["signInAudience"] = stamp(a.CreatedAt), a.SignInAudience
	m["identifierUris"], m["appRoles"] = values(a.IdentifierURIs), appRoles(a.Roles)
	m["passwordCredentials"], m["keyCredentials"] = passwords(a.Secrets), keys(a.Certificates, c.names("keyCredentials"))
	if len(c.tenant.Domains) > 0 {
		m["publisherDomain"] = c.tenant.Domains[0]
	}
	if _, isSet := m["isFallbackPublicClient"].(bool); isSet || a.PublicClient {
		m["isFallbackPublicClient"] = a.PublicClient
	}
	api := merged(m["api"], map[string]any{"requestedAccessTokenVersion": nil}).(map[string]any)
	if a.TokenVersion != 0 {
		api["requestedAccessTokenVersion"] = a.TokenVersion
	}
	m["api"] = api
	m["web"] = withRedirectSettings(m["web"])
	return m, nil
}

// withRedirectSettings lists each redirect URI of web in redirectUriSettings too, with the index it was
// given there or none (resources/webapplication).
func withRedirectSettings(v any) any {
	web, _ := v.(map[string]any)
	uris, _ := web["redirectUris"].([]any)
	if web == nil {
		return v
	}
	given, _ := web["redirectUriSettings"].([]any)
	settings := make([]any, 0, len(uris))
	for _, uri := range uris {
		i := slices.IndexFunc(given, func(s any) bool { m, _ := s.(map[string]any); return m["uri"] == uri })
		if i >= 0 {
			settings = append(settings, given[i])
			continue
		}
		settings = append(settings, map[string]any{"uri": uri, "index": nil})
	}
	web = maps.Clone(web)
	web["redirectUriSettings"] = settings
	return web
}

// names reports whether $select names a property outright: keys of key credentials come only then.
func (c *call) names(property string) bool {
	for _, option := range []string{"$select", "select"} {
		for _, v := range c.params[option] {
			for name := range strings.SplitSeq(v, ",") {
				if strings.EqualFold(strings.TrimSpace(name), property) {
					return true
				}
			}
		}
	}
	return false
}

func values(s []string) []any {
	out := make([]any, len(s))
	for i, v := range s {
		out[i] = v
	}
	return out
}

// appRoles are app roles as Graph shows them.
func appRoles(roles []directory.AppRole) []any {
	out := make([]any, len(roles))
	for i, r := range roles {
		out[i] = map[string]any{
			"allowedMemberTypes": values(r.AllowedMemberTypes), "description": text(r.Description), "displayName": text(r.DisplayName),
			"id": r.ID, "isEnabled": r.Enabled, "origin": "Application", "value": text(r.Value),
		}
	}
	return out
}

// scopesOf are the delegated permissions that an application carries.
func scopesOf(carried json.RawMessage) []any {
	var kept struct {
		API struct {
			Scopes []any `json:"oauth2PermissionScopes"`
		} `json:"api"`
	}
	if len(carried) == 0 || json.Unmarshal(carried, &kept) != nil || kept.API.Scopes == nil {
		return []any{}
	}
	return kept.API.Scopes
}
