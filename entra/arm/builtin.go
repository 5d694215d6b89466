package arm

import (
	"slices"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/directory"
)

// builtins are Azure's own role definitions, as far as they grant something here (Microsoft Learn,
// "Azure built-in roles": ids, actions, notActions). They exist in every tenant and cannot be changed.
var builtins = []directory.RoleDefinition{
	builtin("8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "Owner",
		"Grants full access to manage all resources, including the ability to assign roles in Azure RBAC.",
		[]string{"*"}),
	builtin("b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor",
		"Grants full access to manage all resources, but does not allow you to assign roles in Azure RBAC, manage assignments in Azure Blueprints, or share image galleries.",
		[]string{"*"},
		"Microsoft.Authorization/*/Delete", "Microsoft.Authorization/*/Write", "Microsoft.Authorization/elevateAccess/Action",
		"Microsoft.Blueprint/blueprintAssignments/write", "Microsoft.Blueprint/blueprintAssignments/delete",
		"Microsoft.Compute/galleries/share/action", "Microsoft.Purview/consents/write", "Microsoft.Purview/consents/delete",
		"Microsoft.Resources/deploymentStacks/manageDenySetting/action", "Microsoft.Subscription/cancel/action", "Microsoft.Subscription/enable/action"),
	builtin("acdd72a7-3385-48ef-bd42-f606fba81ae7", "Reader",
		"View all resources, but does not allow you to make any changes.",
		[]string{"*/read"}),
	builtin("18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", "User Access Administrator",
		"Lets you manage user access to Azure resources.",
		[]string{"*/read", "Microsoft.Authorization/*", "Microsoft.Support/*"}),
	builtin("f58310d9-a9f6-439a-9e8d-f62e7b41a168", "Role Based Access Control Administrator",
		"Manage access to Azure resources by assigning roles using Azure RBAC. This role does not allow you to manage access using other ways, such as Azure Policy.",
		[]string{"Microsoft.Authorization/roleAssignments/write", "Microsoft.Authorization/roleAssignments/delete", "*/read", "Microsoft.Support/*"}),
	builtin("4d97b98b-1d4f-4787-a291-c67834d212e7", "Network Contributor",
		"Lets you manage networks, but not access to them.",
		[]string{"Microsoft.Authorization/*/read", "Microsoft.Insights/alertRules/*", "Microsoft.Network/*",
			"Microsoft.ResourceHealth/availabilityStatuses/read", "Microsoft.Resources/deployments/*",
			"Microsoft.Resources/subscriptions/resourceGroups/read", "Microsoft.Support/*"}),
	builtin("e40ec5ca-96e0-45a2-b4ff-59039f2c2b59", "Managed Identity Contributor",
		"Create, Read, Update, and Delete User Assigned Identity",
		[]string{identityType + "/read", identityType + "/write", identityType + "/delete",
			credentialType + "/read", credentialType + "/write", credentialType + "/delete", identityType + "/revokeTokens/action",
			"Microsoft.Authorization/*/read", "Microsoft.Insights/alertRules/*", "Microsoft.Resources/subscriptions/resourceGroups/read",
			"Microsoft.Resources/deployments/*", "Microsoft.Support/*"}),
	builtin("f1a07417-d97a-45cb-824c-7a7467783830", "Managed Identity Operator",
		"Read and Assign User Assigned Identity",
		[]string{identityType + "/*/read", identityType + "/*/assign/action",
			"Microsoft.Authorization/*/read", "Microsoft.Insights/alertRules/*", "Microsoft.Resources/subscriptions/resourceGroups/read",
			"Microsoft.Resources/deployments/*", "Microsoft.Support/*"}),
}

func builtin(id, name, description string, actions []string, notActions ...string) directory.RoleDefinition {
	created := time.Date(2015, 2, 2, 21, 55, 9, 880642300, time.UTC)
	if notActions == nil {
		notActions = []string{}
	}
	return directory.RoleDefinition{
		ID: id, Name: name, Description: description, AssignableScopes: []string{"/"}, CreatedAt: created, UpdatedAt: created,
		Permissions: []directory.Permissions{{Actions: actions, NotActions: notActions, DataActions: []string{}, NotDataActions: []string{}}},
	}
}

// BuiltinRole gives the GUID of a built-in role by its name, in any case.
func BuiltinRole(name string) (id string, ok bool) {
	i := slices.IndexFunc(builtins, func(d directory.RoleDefinition) bool { return strings.EqualFold(d.Name, name) })
	if i < 0 {
		return "", false
	}
	return builtins[i].ID, true
}

// isBuiltin: built-in definitions belong to no tenant.
func isBuiltin(d directory.RoleDefinition) bool { return d.TenantID == "" }
