package graph

import (
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/directory"
)

// armAppID is the well-known application id of Azure Resource Manager, whose display name is still that of
// its predecessor.
const armAppID = "797f4846-ba00-4fd7-ba43-dac1f8f63013"

// tokenExchangeAppID is the application id behind api://AzureADTokenExchange, the audience that Microsoft
// recommends for federated credentials; it is aud of managed identities' tokens for it.
const tokenExchangeAppID = "fb60f99c-7a34-4190-8149-302f77469936"

// microsoftTenant is Microsoft's own tenant, which owns first-party applications.
const microsoftTenant = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"

// graphRole is an application permission of Microsoft Graph.
type graphRole struct{ id, value, name string }

// graphRoles are the application permissions that have a meaning here, with the ids that they have in
// every tenant (learn.microsoft.com graph/permissions-reference). Domain.ReadWrite.All and the groups' ones are
// offered so that applications which ask for them can be set up.
var graphRoles = []graphRole{
	{"9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30", "Application.Read.All", "Read all applications"},
	{"1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9", "Application.ReadWrite.All", "Read and write all applications"},
	{"18a4783c-866b-4cc7-a460-3d5e5662c884", ownedBy, "Manage apps that this app creates or owns"},
	{"06b708a9-e830-4db3-a914-8e69da51d44f", "AppRoleAssignment.ReadWrite.All", "Manage app permission grants and app role assignments"},
	{"b0afded3-3588-46d8-8b3d-9842eff778da", "AuditLog.Read.All", "Read all audit log data"},
	{"8e8e4742-1d95-4f68-9d56-6ee75648c72a", "DelegatedPermissionGrant.ReadWrite.All", "Manage all delegated permission grants"},
	{"7ab1d382-f21e-4acd-a863-ba3e13f7da61", "Directory.Read.All", "Read directory data"},
	{"19dbc75e-c2e2-444c-a770-ec69d8559fc7", "Directory.ReadWrite.All", "Read and write directory data"},
	{"dbb9058a-0e50-45d7-ae91-66909b5d4664", "Domain.Read.All", "Read domains"},
	{"7e05723c-0bb0-42da-be95-ae9f08a6e53c", "Domain.ReadWrite.All", "Read and write domains"},
	{"bf7b1a76-6e77-406b-b258-bf5c7720e98f", "Group.Create", "Create groups"},
	{"5b567255-7703-4780-807c-7be8301ae99b", "Group.Read.All", "Read all groups"},
	{"62a82d76-70ea-41e2-9197-370581804d09", "Group.ReadWrite.All", "Read and write all groups"},
	{"98830695-27a2-44f7-8c18-0c3ebc9698f6", "GroupMember.Read.All", "Read all group memberships"},
	{"dbaae8cf-10b5-4b86-a4a1-f871c94c6695", "GroupMember.ReadWrite.All", "Read and write all group memberships"},
	{"498476ce-e0fe-48b0-b801-37ba7e2685c6", "Organization.Read.All", "Read organization information"},
	{"246dd0d5-5bd0-4def-940b-0421030a5b68", "Policy.Read.All", "Read your organization's policies"},
	{"01c0a623-fc9b-48e9-b794-0756f8e8f067", "Policy.ReadWrite.ConditionalAccess", "Read and write your organization's conditional access policies"},
	{"483bed4a-2ad3-4361-a73b-c83ccdbdc53c", "RoleManagement.Read.Directory", "Read all directory RBAC settings"},
	{"9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8", "RoleManagement.ReadWrite.Directory", "Read and write all directory RBAC settings"},
	{"df021288-bdef-4463-88db-98f22de89214", "User.Read.All", "Read all users' full profiles"},
	{"741f803b-c850-494e-b5df-cde7c675a1ca", "User.ReadWrite.All", "Read and write all users' full profiles"},
}

// FirstParty makes the service principals that every tenant has of Microsoft's own resources: Graph, with
// its application permissions, and Azure Resource Manager, which take version 1 tokens, and the audience of
// federated credentials, which takes version 2. Their names are their clouds' own in both slash forms, with
// graphURL and armURL too where these differ (hub names).
func FirstParty(tenant directory.Tenant, graphURL, armURL string, now time.Time, newID func() string) []directory.ServicePrincipal {
	principal := func(appID, name string, names ...string) directory.ServicePrincipal {
		return directory.ServicePrincipal{
			ID: newID(), TenantID: tenant.ID, AppID: appID, DisplayName: name, Type: "Application", OwnerTenant: microsoftTenant,
			Names: resourceNames(appID, names...), Enabled: true, TokenVersion: 1, CreatedAt: now.UTC(),
		}
	}
	graph := principal(graphAppID, "Microsoft Graph", "https://graph.microsoft.com", graphURL)
	for _, r := range graphRoles {
		graph.Roles = append(graph.Roles, directory.AppRole{
			ID: r.id, AllowedMemberTypes: []string{"Application"}, Description: r.name + ", without a signed-in user.",
			DisplayName: r.name, Enabled: true, Origin: "Application", Value: r.value,
		})
	}
	arm := principal(armAppID, "Windows Azure Service Management API", "https://management.azure.com", "https://management.core.windows.net", armURL)
	exchange := principal(tokenExchangeAppID, "AzureADTokenExchange", "api://AzureADTokenExchange")
	exchange.TokenVersion = 2
	return []directory.ServicePrincipal{graph, arm, exchange}
}

// resourceNames are an appId and URLs, each with and without a slash at its end.
func resourceNames(appID string, urls ...string) []string {
	names := []string{appID}
	for _, u := range urls {
		u = strings.TrimRight(u, "/")
		if u == "" || containsFold(names, u) {
			continue
		}
		names = append(names, u, u+"/")
	}
	return names
}
