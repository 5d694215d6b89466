package arm

import (
	"net/url"
	"strings"
	"testing"
)

const (
	definitions = "/providers/Microsoft.Authorization/roleDefinitions"
	assignments = "/providers/Microsoft.Authorization/roleAssignments"
)

func q(filter string) string { return "&$filter=" + url.QueryEscape(filter) }

func TestBuiltInRoles(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	tw.as(ownerID, "GET", sub(definitions)+"?api-version=2018-01-01-preview"+q("roleName eq 'reader'"), "").want(200).is("value.0.name", reader, "value.1", "none",
		"value.0.id", sub(definitions+"/"+reader), "value.0.type", "Microsoft.Authorization/roleDefinitions", "value.0.properties.roleName", "Reader", "value.0.properties.type", "BuiltInRole",
		"value.0.properties.assignableScopes", `["/"]`, "value.0.properties.permissions", `[{"actions":["*/read"],"dataActions":[],"notActions":[],"notDataActions":[]}]`)
	tw.as(ownerID, "GET", sub(definitions)+vAuth+q("type eq 'CustomRole'"), "").want(200).is("value", "[]")
	tw.as(ownerID, "GET", sub(definitions)+vAuth+q("atScopeAndBelow()"), "").want(200).is("value.5.name", "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59", "value.6.name", "f1a07417-d97a-45cb-824c-7a7467783830", "value.7.name", "f58310d9-a9f6-439a-9e8d-f62e7b41a168", "value.8", "none")
	tw.as(ownerID, "GET", sub(definitions)+vAuth+q("startswith(roleName,'R')"), "").fails(400, "InvalidFilterInQueryString", "")
	tw.as(guestID, "GET", definitions+vAuth+q("roleName eq 'Owner'"), "").want(200).is("value.0.id", definitions+"/"+owner)
	tw.as(guestID, "GET", definitions+"/"+owner+vAuth, "").want(200).is("properties.roleName", "Owner")
	tw.as(guestID, "GET", sub(definitions)+vAuth, "").fails(403, "AuthorizationFailed", "'Microsoft.Authorization/roleDefinitions/read' over scope '"+sub("/providers/Microsoft.Authorization")+"'")
	tw.as(ownerID, "GET", sub(definitions+"/"+newID1)+vAuth, "").fails(404, "RoleDefinitionDoesNotExist", "The specified role definition with ID '"+strings.ReplaceAll(newID1, "-", "")+"' does not exist.")
	tw.as(ownerID, "PUT", sub(definitions+"/"+owner)+vAuth, `{"properties":{"roleName":"Owner"}}`).fails(400, "RoleDefinitionUpdateNotPermitted", "")
	tw.as(ownerID, "DELETE", sub(definitions+"/"+owner)+vAuth, "").fails(400, "RoleDefinitionDeleteNotPermitted", "")
}

func custom(name, scope, action string) string {
	return `{"properties":{"roleName":"` + name + `","description":"d","type":"CustomRole","permissions":[{"actions":["` + action + `"]}],"assignableScopes":["` + scope + `"]}}`
}

func TestACustomRolesLife(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	tw.group("rg")
	tw.vnet("rg", "v").want(201)
	path := sub(definitions+"/"+newID1) + vAuth
	tw.as(ownerID, "PUT", path, custom("Network reader", sub(""), "Microsoft.Network/*/read")).want(201).is("name", newID1, "id", sub(definitions+"/"+newID1),
		"properties.type", "CustomRole", "properties.createdBy", ownerID, "properties.createdOn", "2026-11-21T10:30:00.0000000Z",
		"properties.permissions", `[{"actions":["Microsoft.Network/*/read"],"dataActions":[],"notActions":[],"notDataActions":[]}]`)
	tw.grant(newID2, newID1, sub(""))
	tw.as(guestID, "GET", sub("/providers/Microsoft.Network/virtualNetworks")+vNet, "").want(200).is("value.0.name", "v")
	tw.as(guestID, "GET", sub("/resourcegroups/rg")+v2021, "").fails(403, "AuthorizationFailed", "")
	tw.as(guestID, "GET", sub("/providers/Microsoft.Authorization/permissions")+vAuth, "").fails(403, "AuthorizationFailed", "'Microsoft.Authorization/permissions/read'")
	tw.as(ownerID, "PUT", path, custom("Network reader", sub(""), "*/read")).want(201)
	tw.as(guestID, "GET", sub("/resourcegroups/rg")+v2021, "").want(200)
	tw.as(guestID, "GET", sub("/resourceGroups/rg/providers/Microsoft.Authorization/permissions")+vAuth, "").want(200).is("value.0.actions", `["*/read"]`, "value.1", "none")
	tw.as(ownerID, "GET", sub(definitions)+vAuth+q("type eq 'CustomRole' and atScopeAndBelow()"), "").want(200).is("value.0.name", newID1, "value.1", "none")
	tw.as(ownerID, "GET", definitions+vAuth+q("atScopeAndBelow() and type eq 'CustomRole'"), "").want(200).is("value", "[]")
	tw.as(ownerID, "GET", definitions+"/"+newID1+vAuth, "").fails(403, "AuthorizationFailed", "")
	tw.as(ownerID, "PUT", sub(definitions+"/"+newID2)+vAuth, custom("network READER", sub(""), "*/read")).fails(409, "RoleDefinitionWithSameNameExists", "A custom role with the same name already exists in this directory. Use a different name")
	tw.as(ownerID, "DELETE", path, "").fails(400, "RoleDefinitionHasAssignments", "There are existing role assignments referencing role.")
	tw.as(ownerID, "DELETE", sub(assignments+"/"+newID2)+vAuth, "").want(200)
	tw.as(ownerID, "DELETE", path, "").want(200).is("name", newID1)
	tw.as(ownerID, "DELETE", path, "").want(204)
}

func TestCustomRolesThatAreRefused(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	for _, c := range []struct {
		name, id, body string
		status         int
		code           string
	}{
		{"an id that is no GUID", "mine", custom("n", sub(""), "*/read"), 400, "InvalidRoleDefinitionId"},
		{"no properties", newID1, `{}`, 400, "RoleDefinitionNameNullOrEmpty"},
		{"a built-in role's name", newID1, custom("Reader", sub(""), "*/read"), 409, "RoleDefinitionWithSameNameExists"},
		{"no permissions", newID1, `{"properties":{"roleName":"n","assignableScopes":["` + sub("") + `"]}}`, 400, "MissingRoleDefinitionPermissions"},
		{"no scopes", newID1, `{"properties":{"roleName":"n","permissions":[{"actions":["*"]}]}}`, 400, "MissingRoleDefinitionAssignableScopes"},
		{"an action that is none", newID1, custom("n", sub(""), "read"), 400, "InvalidActionOrNotAction"},
		{"the root", newID1, custom("n", "/", "*/read"), 400, "LinkedInvalidPropertyId"},
		{"another tenant's subscription", newID1, custom("n", "/subscriptions/"+subB, "*/read"), 400, "LinkedInvalidPropertyId"},
		{"a subscription that does not exist", newID1, custom("n", "/subscriptions/"+newID1, "*/read"), 404, "SubscriptionNotFound"},
		{"a subscription where the caller has no rights", newID1, custom("n", "/subscriptions/"+subA2, "*/read"), 403, "LinkedAuthorizationFailed"},
		{"a long name", newID1, custom(strings.Repeat("n", 513), sub(""), "*/read"), 400, "RoleDefinitionNameOrDescriptionTooLong"},
		{"many actions", newID1, custom("n", sub(""), strings.Repeat("a/", 1025)), 400, "RoleDefinitionActionsLimitExceeded"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tw.as(ownerID, "PUT", sub(definitions+"/"+c.id)+vAuth, c.body).fails(c.status, c.code, "")
		})
	}
}

func TestAssignmentsAreInherited(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	tw.group("rg")
	tw.group("other")
	tw.vnet("rg", "v").want(201)
	group, vnet := sub("/resourceGroups/rg"), sub(vnetPath+"v")
	a := tw.as(ownerID, "PUT", sub("/RESOURCEgroups/RG"+assignments+"/"+newID1)+"?api-version=2020-04-01-preview", role(reader, guestID, "ServicePrincipal")).want(201)
	a.is("id", group+assignments+"/"+newID1, "name", newID1, "type", "Microsoft.Authorization/roleAssignments", "properties.scope", group, "properties.principalId", guestID, "properties.principalType", "ServicePrincipal",
		"properties.roleDefinitionId", sub(definitions+"/"+reader), "properties.createdOn", "2026-11-21T10:30:00.0000000Z", "properties.createdBy", ownerID, "properties.condition", "null", "properties.delegatedManagedIdentityResourceId", "null")
	tw.as(guestID, "GET", vnet+vNet, "").want(200)
	tw.as(guestID, "GET", group+v2021, "").want(200)
	tw.as(guestID, "GET", sub("/resourceGroups/other")+v2021, "").fails(403, "AuthorizationFailed", "")
	tw.as(guestID, "GET", sub("")+v2021, "").fails(403, "AuthorizationFailed", "")
	tw.as(guestID, "GET", vnet+"/providers/Microsoft.Authorization/permissions"+vAuth, "").want(200).is("value.0.actions", `["*/read"]`)
	tw.as(guestID, "PUT", vnet+assignments+"/"+newID2+vAuth, role(owner, guestID, "")).fails(403, "AuthorizationFailed", "perform action 'Microsoft.Authorization/roleAssignments/write' over scope '"+vnet+assignments+"/"+newID2+"'")

	names := func(path, filter string) string {
		t.Helper()
		a := tw.as(ownerID, "GET", path+assignments+vAuth+q(filter), "").want(200)
		return strings.Join([]string{a.at("value.0.name"), a.at("value.1.name"), a.at("value.2.name")}, " ")
	}
	const first = "00000000-0000-4000-8000-000000000001"
	for _, c := range []struct{ what, path, filter, want string }{
		{"at the subscription: above, at and below", sub(""), "", first + " " + newID1 + " none"},
		{"at the subscription and above", sub(""), "atScope()", first + " none none"},
		{"at the resource: what it inherits", vnet, "atScope()", first + " " + newID1 + " none"},
		{"at a sibling", sub("/resourceGroups/other"), "", first + " none none"},
		{"one principal's", sub(""), "principalId eq '" + guestID + "'", newID1 + " none none"},
		{"assigned to one", sub(""), "atScope() and assignedTo('" + strings.ToUpper(ownerID) + "')", first + " none none"},
		{"of two principals at once", sub(""), "principalId eq '" + guestID + "' and assignedTo('" + ownerID + "')", "none none none"},
	} {
		if got := names(c.path, c.filter); got != c.want {
			t.Errorf("%s: %s", c.what, got)
		}
	}
	tw.as(ownerID, "GET", sub(assignments)+vAuth+q("principalId eq 'x'"), "").fails(400, "BadRequestFormat", "The request was incorrectly formatted.")

	tw.as(ownerID, "GET", group+assignments+"/"+strings.ToUpper(newID1)+vAuth, "").want(200).is("name", newID1)
	tw.as(ownerID, "GET", sub(assignments+"/"+newID1)+vAuth, "").fails(404, "RoleAssignmentNotFound", "The role assignment '"+strings.ReplaceAll(newID1, "-", "")+"' is not found.")
	tw.as(ownerID, "DELETE", sub(assignments+"/"+newID1)+vAuth, "").want(204)
	tw.as(ownerID, "DELETE", group+assignments+"/"+newID1+vAuth, "").want(200).is("name", newID1)
	tw.as(ownerID, "DELETE", group+assignments+"/"+newID1+vAuth, "").want(204)
	tw.as(guestID, "GET", vnet+vNet, "").fails(403, "AuthorizationFailed", "")
}

func TestAssignmentsThatAreRefused(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	tw.grant(newID1, reader, sub(""))
	there := strings.ReplaceAll(thereID, "-", "")
	for _, c := range []struct {
		name, scope, id, body string
		status                int
		code, message         string
	}{
		{"the same grant under another id", "", newID2, role(reader, guestID, "ServicePrincipal"), 409, "RoleAssignmentExists", "The role assignment already exists. The ID of the existing role assignment is " + strings.ReplaceAll(newID1, "-", "") + "."},
		{"another grant under the same id", "", newID1, role(reader, ownerID, "ServicePrincipal"), 400, "RoleAssignmentUpdateNotPermitted", "Tenant ID, application ID, principal ID, and scope are not allowed to be updated."},
		{"an id that is no GUID", "", "mine", role(reader, guestID, ""), 400, "InvalidRoleAssignmentId", "The role assignment ID 'mine' is not valid. The role assignment ID must be a GUID."},
		{"no properties", "", newID2, `{}`, 400, "InvalidRequestContent", ""},
		{"a principal that does not exist", "", newID2, role(reader, thereID, "ServicePrincipal"), 400, "PrincipalNotFound", "Principal " + there + " does not exist in the directory " + tenantA + ". Check that you have the correct principal ID."},
		{"a principal that is no GUID", "", newID2, role(reader, "x", ""), 400, "InvalidPrincipalId", ""},
		{"a principal of another type", "", newID2, role(owner, guestID, "User"), 400, "UnmatchedPrincipalType", "has type 'ServicePrincipal' , which is different from specified PrinciaplType 'User'."},
		{"a role that does not exist", "", newID2, role(newID2, guestID, ""), 400, "RoleDefinitionDoesNotExist", "The specified role definition with ID '" + strings.ReplaceAll(newID2, "-", "") + "' does not exist."},
		{"a role by its name", "", newID2, strings.ReplaceAll(role("Reader", guestID, ""), "roleDefinitions/Reader", "roleDefinitions/Reader"), 400, "InvalidRoleDefinitionId", "The role definition ID '"},
		{"a condition", "", newID2, `{"properties":{"roleDefinitionId":"` + definitions + `/` + owner + `","principalId":"` + guestID + `","condition":"x"}}`, 400, "NotSupported", ""},
		{"a group that does not exist", "/resourceGroups/none", newID2, role(reader, guestID, ""), 404, "ResourceGroupNotFound", ""},
		{"a subnet of no network", vnetPath + "v/subnets/s", newID2, role(reader, guestID, ""), 404, "ResourceGroupNotFound", ""},
		{"a resource of an unknown type", "/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/s", newID2, role(reader, guestID, ""), 404, "NotFound", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			tw.as(ownerID, "PUT", sub(c.scope+assignments+"/"+c.id)+vAuth, c.body).fails(c.status, c.code, c.message)
		})
	}
	tw.as(ownerID, "PUT", sub(assignments+"/"+newID1)+vAuth, role(reader, guestID, "ServicePrincipal")).want(200).is("name", newID1)
	tw.as(ownerID, "PUT", sub(assignments+"/"+newID1)+vAuth, strings.Replace(role(reader, guestID, ""), `{"properties":{`, `{"properties":{"description":"why",`, 1)).want(200).is("properties.description", "why")
	tw.as(ownerID, "GET", sub(assignments+"/"+newID1)+vAuth, "").want(200).is("properties.description", "why", "properties.createdBy", ownerID)
	tw.as(ownerID, "PUT", sub(assignments+"/"+newID2)+vAuth, role(reader, userID, "")).want(201).is("properties.principalType", "User")
	tw.as(ownerID, "PUT", assignments+"/"+newID2+vAuth, role(reader, userID, "")).fails(403, "AuthorizationFailed", "over scope '"+assignments+"/"+newID2+"'")
}

func TestACustomRoleIsAssignableInItsScopesOnly(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	tw.group("rg")
	tw.group("other")
	tw.as(ownerID, "PUT", sub(definitions+"/"+newID1)+vAuth, custom("n", sub("/resourceGroups/rg"), "*/read")).want(201)
	tw.as(ownerID, "PUT", sub("/resourceGroups/other"+assignments+"/"+newID2)+vAuth, role(newID1, guestID, "")).fails(400, "RoleDefinitionDoesNotExist", "")
	tw.as(ownerID, "PUT", sub(assignments+"/"+newID2)+vAuth, role(newID1, guestID, "")).fails(400, "RoleDefinitionDoesNotExist", "")
	tw.as(ownerID, "PUT", sub("/resourceGroups/rg"+assignments+"/"+newID2)+vAuth, role(newID1, guestID, "")).want(201)
	tw.as(ownerID, "GET", sub(definitions)+vAuth+q("type eq 'CustomRole'"), "").want(200).is("value", "[]")
	tw.as(ownerID, "GET", sub(definitions)+vAuth+q("atScopeAndBelow() and type eq 'CustomRole'"), "").want(200).is("value.0.name", newID1)
}

func TestUsersAreNamedByTheirPrincipalName(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	c := claims(tenantA, userID)
	c["upn"] = "ada@treaty.onmicrosoft.com"
	tw.call("GET", sub("")+v2020, "", "Authorization", "Bearer "+tw.sign(c)).fails(403, "AuthorizationFailed", "The client 'ada@treaty.onmicrosoft.com' with object id '"+userID+"' does not have authorization")
}
