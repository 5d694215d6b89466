package clients

import (
	"slices"
	"strings"
	"testing"
)

// azIn is az on a machine, or in nobody's name, with a configuration folder of its own.
type azIn struct {
	session
	env []string // of the machine, see machineEnv
}

func (z azIn) argv(args []string) []string {
	return slices.Concat([]string{"/usr/bin/env"}, z.env, z.session.argv(args))
}

func (z azIn) do(t *testing.T, args ...string) any {
	t.Helper()
	return must[any](t, shared, nil, z.argv(args)...)
}

func (z azIn) fails(t *testing.T, code int, want string, args ...string) {
	t.Helper()
	r := shared.exec(t, nil, z.argv(args)...)
	if r.code != code || !strings.Contains(r.stderr, want) {
		t.Errorf("az %s: exit %d, want %d with %q\n%s%s", strings.Join(args, " "), r.code, code, want, r.stdout, r.stderr)
	}
}

// TestAzIdentity goes through what people do with az to user-assigned managed identities.
func TestAzIdentity(t *testing.T) {
	need(t, az)
	azLogin(t)
	tenant, scope := shared.env["AZURE_TENANT_ID"], "/subscriptions/"+shared.env["AZURE_SUBSCRIPTION_ID"]
	do[object](t, "group", "create", "--name", "az-identity", "--location", "westeurope")
	of := func(command string, args ...string) []string {
		return append([]string{"identity", command, "--resource-group", "az-identity", "--name", "shop"}, args...)
	}
	made := do[object](t, of("create", "--location", "westeurope", "--tags", "team=a")...)
	const below = "/resourcegroups/az-identity/providers/Microsoft.ManagedIdentity/userAssignedIdentities/shop" // so Azure writes it
	principal, client := text(made, "principalId"), text(made, "clientId")
	wants(t, "create", made, map[string]any{"id": scope + below, "name": "shop", "location": "westeurope", "tags": object{"team": "a"}, "tenantId": tenant,
		"type": "Microsoft.ManagedIdentity/userAssignedIdentities"})
	wants(t, "create again", do[object](t, of("create", "--location", "westeurope")...), map[string]any{"principalId": principal, "clientId": client})
	wants(t, "show", do[object](t, of("show")...), map[string]any{"principalId": principal, "clientId": client})
	is(t, "list", do[[]string](t, "identity", "list", "--resource-group", "az-identity", "--query", "[].clientId"), []string{client})
	if all := do[[]string](t, "identity", "list", "--query", "[].clientId"); !slices.Contains(all, client) {
		t.Errorf("all identities: %v", all)
	}

	sp := do[object](t, "ad", "sp", "show", "--id", client)
	wants(t, "its service principal", sp, map[string]any{"id": principal, "appId": client, "displayName": "shop", "servicePrincipalType": "ManagedIdentity",
		"alternativeNames": []any{"isExplicit=True", scope + below}, "appOwnerOrganizationId": nil, "accountEnabled": true})
	is(t, "sp list", do[[]string](t, "ad", "sp", "list", "--filter", "servicePrincipalType eq 'ManagedIdentity' and displayName eq 'shop'", "--query", "[].id"), []string{principal})
	fails(t, 3, notThere(client), "ad", "app", "show", "--id", client) // it has no application

	credential := func(command string, args ...string) []string {
		return append([]string{"identity", "federated-credential", command, "--resource-group", "az-identity", "--identity-name", "shop"}, args...)
	}
	trust := []string{"--name", "main-branch", "--issuer", githubIssuer, "--subject"}
	trusted := do[object](t, credential("create", append(trust, "repo:octo/app:ref:refs/heads/main")...)...)
	wants(t, "federated-credential create", trusted, map[string]any{"name": "main-branch", "id": scope + below + "/federatedIdentityCredentials/main-branch",
		"issuer": githubIssuer, "subject": "repo:octo/app:ref:refs/heads/main", "audiences": []any{exchange},
		"type": "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials"})
	do[object](t, credential("update", append(trust, "repo:octo/app:environment:prod", "--audiences", "api://other")...)...)
	wants(t, "federated-credential show", do[object](t, credential("show", "--name", "main-branch")...), map[string]any{"subject": "repo:octo/app:environment:prod", "audiences": []any{"api://other"}})
	fails(t, 1, "Federated Identity Credential name 'x' is invalid.", credential("create", "--name", "x", "--issuer", githubIssuer, "--subject", "s")...)
	fails(t, 1, "(Conflict) Issuer and subject combination already exists for this Managed Identity.", credential("create", "--name", "second", "--issuer", githubIssuer, "--subject", "repo:octo/app:environment:prod")...)
	is(t, "federated-credential list", do[[]string](t, credential("list", "--query", "[].name")...), []string{"main-branch"})
	do[any](t, credential("delete", "--name", "main-branch", "--yes")...)
	fails(t, 3, "ResourceNotFound", credential("show", "--name", "main-branch")...)

	do[any](t, of("delete")...)
	fails(t, 3, "ResourceNotFound", of("show")...)
	fails(t, 3, notThere(client), "ad", "sp", "show", "--id", client)
}

// az signs in by the identities of a machine, which see the subscription by a role in it. It takes what
// follows -u for a client id first; only on a virtual machine it goes on to try it as an object id.
func TestAzLoginWithAManagedIdentity(t *testing.T) {
	need(t, az)
	azLogin(t)
	a := home(t)
	one := a.identity(t, "identities", "az-one")
	scope := "/subscriptions/" + a.subscription
	// Debian's az cannot do "role assignment create": see TestAz.
	put(t, arm+scope+"/providers/Microsoft.Authorization/roleAssignments/5a3c9f10-0000-4000-8000-0000000000b0?api-version=2022-04-01", object{"properties": object{
		"roleDefinitionId": scope + "/providers/Microsoft.Authorization/roleDefinitions/" + reader, "principalId": one.principal, "principalType": "ServicePrincipal"}})
	const found, failed = "No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.", "Failed to connect to MSI. Please make sure MSI is configured correctly."
	for _, m := range []struct{ name, kind, assignment, byObject, byARM, byNobody string }{
		{"default", "vm", "5a3c9f10-0000-4000-8000-0000000000b1", "", "", "Failed to connect to MSI, check your managed service identity id."},
		{"az-app", "app_service", "5a3c9f10-0000-4000-8000-0000000000b2", found, `"client_id" is the only supported explicit identity option on WebApp`, found},
		{"az-shell", "cloud_shell", "5a3c9f10-0000-4000-8000-0000000000b3", failed, "", failed},
	} {
		made := machine(t, m.name, m.kind, "--system-assigned", "--identity", one.id)
		system := assigned{text(made, "resource_id"), text(made, "system_identity.client_id"), text(made, "system_identity.object_id")}
		env := machineEnv(t, m.name)
		t.Run("on a machine of kind "+m.kind, func(t *testing.T) {
			t.Parallel()
			z := azIn{session(t.TempDir()), env}
			z.fails(t, 1, "No access was configured for the VM, hence no subscriptions were found.", "login", "--identity")
			wants(t, "login without a subscription", z.do(t, "login", "--identity", "--allow-no-subscriptions"), map[string]any{"0.name": "N/A(tenant level account)", "0.tenantId": a.tenant})
			a.role(t, m.assignment, reader, system.principal)
			wants(t, "login", z.do(t, "login", "--identity"), map[string]any{"0.id": a.subscription, "0.tenantId": a.tenant, "0.state": "Enabled",
				"0.user": object{"name": "systemAssignedIdentity", "type": "servicePrincipal", "assignedIdentityInfo": "MSI"}})
			z.signedInAs(t, a, system)
			wants(t, "group show", z.do(t, "group", "show", "--name", "identities"), map[string]any{"name": "identities"})
			z.fails(t, 1, "Insufficient privileges to complete the operation.", "ad", "app", "list")
			for _, by := range []struct{ id, info, refusal string }{
				{one.client, "MSIClient-", ""}, {one.principal, "MSIObject-", m.byObject}, {one.id, "MSIResource-", m.byARM}, {nobody, "", m.byNobody},
			} {
				if by.refusal != "" {
					z.fails(t, 1, by.refusal, "login", "--identity", "-u", by.id)
					continue
				}
				wants(t, "login by "+by.info, z.do(t, "login", "--identity", "-u", by.id), map[string]any{"0.id": a.subscription,
					"0.user": object{"name": "userAssignedIdentity", "type": "servicePrincipal", "assignedIdentityInfo": by.info + by.id}})
				z.signedInAs(t, a, one)
			}
		})
	}
}

// signedInAs decodes the token that az has of the login.
func (z azIn) signedInAs(t *testing.T, a admin, want assigned) {
	t.Helper()
	answer := z.do(t, "account", "get-access-token", "--resource", arm)
	wants(t, "get-access-token", answer, map[string]any{"tenant": a.tenant, "subscription": a.subscription, "tokenType": "Bearer"})
	claims := a.verified(t, text(answer, "accessToken"), "1.0", arm)
	wants(t, "its token", claims, map[string]any{"oid": want.principal, "appid": want.client, "appidacr": "2", "idtyp": "app"})
	if !strings.EqualFold(text(claims, "xms_mirid"), want.id) {
		t.Errorf("xms_mirid is %v, want %s", claims["xms_mirid"], want.id)
	}
}
