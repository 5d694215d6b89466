package graph

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
)

// Bounds of app roles (resources/approle).
const (
	maxRoleName  = 100
	maxRoleValue = 120
)

// roleCharacters are allowed in an app role's value besides letters and digits.
const roleCharacters = ":!#$%&'()*+,-./:;<=>?@[]^+_`{|}~"

// setAppRoles replaces the app roles. An enabled role may neither go nor change its value: it must be
// disabled by a request of its own first (resources/approle, "isEnabled").
func setAppRoles(roles *[]directory.AppRole, p payload, resource string) error {
	var next []directory.AppRole
	present, err := p.set("appRoles", &next)
	if err != nil {
		return invalidValue("appRoles", resource)
	}
	if !present {
		return nil
	}
	for i := range next {
		r := &next[i]
		r.Origin = ""
		if err := appRole(*r, resource); err != nil {
			return err
		}
		for _, o := range next[:i] {
			if strings.EqualFold(o.ID, r.ID) || o.Value != "" && o.Value == r.Value {
				return &failure{Status: 400, Code: "DuplicateValue", Message: "Request contains a property with duplicate values."}
			}
		}
	}
	for _, old := range *roles {
		i := slices.IndexFunc(next, func(r directory.AppRole) bool { return strings.EqualFold(r.ID, old.ID) })
		if old.Enabled && (i < 0 || next[i].Value != old.Value) {
			return enabledEntitlement()
		}
	}
	*roles = next
	return nil
}

func appRole(r directory.AppRole, resource string) error {
	switch {
	case !isGUID(r.ID):
		return invalidValue("appRoles", resource)
	case r.DisplayName == "" || r.Description == "":
		return badRequest("A value is required for property 'displayName' and 'description' of resource 'AppRole'.")
	case len(r.DisplayName) > maxRoleName || len(r.Description) > maxText || len(r.Value) > maxRoleValue || strings.HasPrefix(r.Value, "."):
		return invalidValue("appRoles", resource)
	case len(r.AllowedMemberTypes) == 0 || len(r.AllowedMemberTypes) > 2:
		return badRequest("A value is required for property 'allowedMemberTypes' of resource 'AppRole'.")
	}
	for _, t := range r.AllowedMemberTypes {
		if t != "User" && t != "Application" {
			return invalidValue("allowedMemberTypes", "AppRole")
		}
	}
	for _, c := range r.Value {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune(roleCharacters, c) {
			return invalidValue("value", "AppRole")
		}
	}
	return nil
}

// setScopes checks api.oauth2PermissionScopes, which is carried, against the same rule as the app roles.
func setScopes(a directory.Application, p payload) error {
	var api struct {
		Scopes *[]scope `json:"oauth2PermissionScopes"`
	}
	if _, err := p.set("api", &api); err != nil {
		return invalidValue("api", "Application")
	}
	if api.Scopes == nil {
		return nil
	}
	next := *api.Scopes
	for i, s := range next {
		if !isGUID(s.ID) || len(s.Value) > maxRoleValue {
			return invalidValue("oauth2PermissionScopes", "Application")
		}
		if slices.ContainsFunc(next[:i], func(o scope) bool {
			return strings.EqualFold(o.ID, s.ID) || s.Value != "" && o.Value == s.Value
		}) {
			return &failure{Status: 400, Code: "DuplicateValue", Message: "Request contains a property with duplicate values."}
		}
	}
	for _, old := range scopesIn(a.Carried) {
		i := slices.IndexFunc(next, func(s scope) bool { return strings.EqualFold(s.ID, old.ID) })
		if old.Enabled && (i < 0 || next[i].Value != old.Value) {
			return enabledEntitlement()
		}
	}
	return nil
}

// scope is a delegated permission, as far as rules look at it.
type scope struct {
	ID      string `json:"id"`
	Value   string `json:"value"`
	Enabled bool   `json:"isEnabled"`
}

// scopesIn reads the delegated permissions that are carried.
func scopesIn(carried json.RawMessage) []scope {
	var kept struct {
		API struct {
			Scopes []scope `json:"oauth2PermissionScopes"`
		} `json:"api"`
	}
	if len(carried) == 0 || json.Unmarshal(carried, &kept) != nil {
		return nil
	}
	return kept.API.Scopes
}

func enabledEntitlement() *failure {
	return &failure{Status: 400, Code: "CannotDeleteOrUpdateEnabledEntitlement", Message: "Permission (scope or role) cannot be deleted or updated unless disabled first."}
}
