package graph

import (
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
			return &failure{Status: 400, Code: "CannotDeleteOrUpdateEnabledEntitlement", Message: "Permission (scope or role) cannot be deleted or updated unless disabled first."}
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
