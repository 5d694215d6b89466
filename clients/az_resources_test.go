package clients

import (
	"strings"
	"testing"
)

const arm = "https://management.azure.com"

func azResources(t *testing.T) {
	scope := "/subscriptions/" + shared.env["AZURE_SUBSCRIPTION_ID"]
	group := scope + "/resourceGroups/az-tour"
	made := do[object](t, "group", "create", "--name", "az-tour", "--location", "westeurope", "--tags", "team=a")
	wants(t, "group create", made, map[string]any{"id": group, "name": "az-tour", "location": "westeurope", "tags": object{"team": "a"},
		"type": "Microsoft.Resources/resourceGroups", "properties.provisioningState": "Succeeded"})
	fails(t, 1, "InvalidResourceGroupLocation", "group", "create", "--name", "az-tour", "--location", "eastus")
	fails(t, 1, "LocationNotAvailableForResourceGroup", "group", "create", "--name", "az-nowhere", "--location", "atlantis")
	wants(t, "group update", do[object](t, "group", "update", "--name", "az-tour", "--set", "tags.more=b"), map[string]any{"tags": object{"team": "a", "more": "b"}})
	is(t, "group list --tag", do[[]string](t, "group", "list", "--tag", "more=b", "--query", "[].name"), []string{"az-tour"})
	wants(t, "group show", do[object](t, "group", "show", "--name", "AZ-TOUR"), map[string]any{"id": group, "tags.more": "b"})
	fails(t, 3, "(ResourceGroupNotFound) Resource group 'az-none' could not be found.", "group", "show", "--name", "az-none")

	// Debian's az cannot do "network vnet": see TestAz.
	hub := group + "/providers/Microsoft.Network/virtualNetworks/hub"
	put(t, arm+hub+"?api-version=2023-05-01", object{"location": "westeurope", "properties": object{"addressSpace": object{"addressPrefixes": []string{"10.0.0.0/16"}}}})
	made = do[object](t, "resource", "create", "--resource-group", "az-tour", "--name", "spoke", "--resource-type", "Microsoft.Network/virtualNetworks", "--location", "westeurope",
		"--properties", `{"addressSpace":{"addressPrefixes":["10.1.0.0/16"]}}`, "--api-version", "2023-05-01")
	wants(t, "resource create", made, map[string]any{"name": "spoke", "properties.provisioningState": "Succeeded", "properties.addressSpace.addressPrefixes": []any{"10.1.0.0/16"}})
	is(t, "resource list", do[[]string](t, "resource", "list", "--resource-group", "az-tour", "--query", "sort([].name)"), []string{"hub", "spoke"})
	wants(t, "resource tag", do[object](t, "resource", "tag", "--ids", hub, "--tags", "x=y"), map[string]any{"tags": object{"x": "y"}})
	wants(t, "resource show", do[object](t, "resource", "show", "--resource-group", "az-tour", "--name", "hub", "--resource-type", "Microsoft.Network/virtualNetworks"),
		map[string]any{"id": hub, "tags": object{"x": "y"}, "properties.addressSpace.addressPrefixes": []any{"10.0.0.0/16"}, "resourceGroup": "az-tour"})
	do[any](t, "resource", "delete", "--ids", group+"/providers/Microsoft.Network/virtualNetworks/spoke")
	is(t, "networks of the group", do[[]string](t, "rest", "--url", arm+group+"/providers/Microsoft.Network/virtualNetworks?api-version=2023-05-01", "--query", "value[].name"), []string{"hub"})
	fails(t, 1, "MissingApiVersionParameter", "rest", "--url", arm+hub)
	fails(t, 3, "InvalidResourceNamespace", "resource", "show", "--ids", group+"/providers/Contoso.Things/things/one", "--api-version", "2023-05-01")

	do[any](t, "group", "delete", "--name", "az-tour", "--yes")
	if do[bool](t, "group", "exists", "--name", "az-tour") {
		t.Error("the group is still there")
	}
	is(t, "resources of the subscription", do[[]string](t, "resource", "list", "--tag", "x=y", "--query", "[].id"), []string{})
}

func azRoles(t *testing.T) {
	scope := "/subscriptions/" + shared.env["AZURE_SUBSCRIPTION_ID"]
	authorization := arm + scope + "/providers/Microsoft.Authorization/"
	const version = "api-version=2022-04-01"
	found := do[object](t, "rest", "--url", authorization+"roleDefinitions?"+version, "--url-parameters", "$filter=roleName eq 'Reader'")
	wants(t, "role definitions", found, map[string]any{"value.0.name": reader, "value.0.properties.type": "BuiltInRole", "value.0.properties.permissions.0.actions": []any{"*/read"}, "value.1": nil})

	custom := do[object](t, "role", "definition", "create", "--role-definition",
		`{"Name":"az vnet reader","Description":"reads networks","AssignableScopes":["`+scope+`"],"Actions":["Microsoft.Network/virtualNetworks/read"]}`)
	wants(t, "role definition create", custom, map[string]any{"roleName": "az vnet reader", "roleType": "CustomRole", "assignableScopes": []any{scope},
		"permissions.0.actions": []any{"Microsoft.Network/virtualNetworks/read"}, "type": "Microsoft.Authorization/roleDefinitions"})

	app := do[string](t, "ad", "app", "create", "--display-name", "az assigned", "--query", "appId")
	principal := do[string](t, "ad", "sp", "create", "--id", app, "--query", "id")
	const name = "5a3c9f10-0000-4000-8000-0000000000f1"
	url := authorization + "roleAssignments/" + name + "?" + version
	assignment := object{"properties": object{"roleDefinitionId": text(custom, "id"), "principalId": principal, "principalType": "ServicePrincipal"}}
	made := put(t, url, assignment)
	wants(t, "role assignment", made, map[string]any{"name": name, "type": "Microsoft.Authorization/roleAssignments", "properties.scope": scope,
		"properties.roleDefinitionId": custom["id"], "properties.principalId": principal})
	body := `{"properties":{"roleDefinitionId":"` + text(custom, "id") + `","principalId":"` + principal + `","principalType":"ServicePrincipal"}}`
	fails(t, 1, "RoleAssignmentExists", "rest", "--method", "put", "--url", strings.Replace(url, name, nobody, 1), "--body", body)
	fails(t, 1, "PrincipalNotFound", "rest", "--method", "put", "--url", strings.Replace(url, name, nobody, 1), "--body", strings.Replace(body, principal, nobody, 1))
	list := do[object](t, "rest", "--url", authorization+"roleAssignments?"+version, "--url-parameters", "$filter=principalId eq '"+principal+"'")
	wants(t, "role assignments", list, map[string]any{"value.0.name": name, "value.1": nil})
	fails(t, 1, "RoleDefinitionHasAssignments", "rest", "--method", "delete", "--url", arm+text(custom, "id")+"?"+version)
	wants(t, "delete", do[object](t, "rest", "--method", "delete", "--url", url), map[string]any{"name": name})
	do[any](t, "rest", "--method", "delete", "--url", arm+text(custom, "id")+"?"+version)
	list = do[object](t, "rest", "--url", authorization+"roleDefinitions?"+version, "--url-parameters", "$filter=type eq 'CustomRole'", "--query", "{names: value[?properties.roleName=='az vnet reader'].name}")
	wants(t, "custom roles", list, map[string]any{"names": []any{}})
}
