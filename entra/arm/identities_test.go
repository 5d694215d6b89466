package arm

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

const (
	vMSI         = "?api-version=2022-01-31-preview" // az 2.45
	identityPath = "/resourcegroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/"
)

// identity makes a user-assigned identity in group rg.
func (tw *twin) identity(name string) answer {
	tw.t.Helper()
	return tw.as(ownerID, "PUT", sub(identityPath+name)+vMSI, `{"location":"westeurope"}`)
}

func TestAUserAssignedIdentitysLife(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	path := sub(identityPath+"My_id-1") + vMSI
	tw.identity("My_id-1").fails(404, "ResourceGroupNotFound", "Resource group 'rg' could not be found.")
	tw.group("rg")
	tw.as(ownerID, "GET", path, "").fails(404, "ResourceNotFound", "The Resource 'Microsoft.ManagedIdentity/userAssignedIdentities/My_id-1' under resource group 'rg' was not found.")
	made := tw.as(ownerID, "PUT", path, `{"location":"West Europe","tags":{"env":"test"},"properties":{"clientId":"mine","isolationScope":"Regional"}}`).want(201)
	principal, client := made.at("properties.principalId"), made.at("properties.clientId")
	if !isGUID(principal) || !isGUID(client) || principal == client {
		t.Fatalf("ids %s and %s", principal, client)
	}
	id := sub(identityPath + "My_id-1")
	want := map[string]any{"location": "westeurope", "tags": map[string]any{"env": "test"}, "id": id, "name": "My_id-1", "type": identityType,
		"properties": map[string]any{"tenantId": tenantA, "principalId": principal, "clientId": client, "isolationScope": "Regional"}}
	var got map[string]any
	if err := json.Unmarshal(made.Body.Bytes(), &got); err != nil || cmp.Diff(want, got) != "" {
		t.Error(err, cmp.Diff(want, got))
	}
	sp, err := tw.Principals.Principal(t.Context(), tenantA, principal)
	if err != nil || sp.Type != directory.TypeManagedIdentity || sp.AppID != client || sp.DisplayName != "My_id-1" || !sp.Enabled || !sp.UserAssigned || sp.ResourceID != id || len(sp.Names) != 2 || sp.Names[0] != client {
		t.Fatalf("%v %+v", err, sp)
	}
	if name, ok := strings.CutPrefix(sp.Names[1], "https://identity.azure.net/"); !ok || len(name) != 44 || string(sp.Carried) != `{"alternativeNames":["isExplicit=True","`+id+`"]}` {
		t.Errorf("%v %s", sp.Names, sp.Carried)
	}

	again := tw.as(ownerID, "PUT", sub("/resourceGroups/RG/providers/microsoft.managedidentity/USERASSIGNEDIDENTITIES/my_ID-1")+"?api-version=2023-01-31", `{"location":"westeurope"}`).want(200)
	again.is("id", id, "name", "My_id-1", "properties.principalId", principal, "properties.clientId", client, "tags", "{}", "properties.isolationScope", "Regional")
	tw.as(ownerID, "PATCH", path, `{"tags":{"a":"1"}}`).want(200).is("tags", `{"a":"1"}`, "properties.principalId", principal)
	tw.as(ownerID, "PATCH", path, `{}`).want(200).is("tags", `{"a":"1"}`)
	tw.as(ownerID, "PUT", path, `{"location":"eastus"}`).fails(409, "InvalidResourceLocation", "The resource 'My_id-1' already exists in location 'westeurope' in resource group 'rg'.")
	tw.as(ownerID, "GET", path, "").want(200).is("properties.clientId", client, "tags", `{"a":"1"}`)
	tw.as(ownerID, "GET", sub("/providers/Microsoft.ManagedIdentity/userAssignedIdentities")+vMSI, "").want(200).is("value.0.id", id, "value.1", "none")
	tw.as(ownerID, "GET", sub("/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities")+vMSI, "").want(200).is("value.0.properties.principalId", principal)

	tw.as(ownerID, "DELETE", path, "").want(200)
	tw.as(ownerID, "DELETE", path, "").want(204)
	tw.as(ownerID, "GET", path, "").fails(404, "ResourceNotFound", "")
	if _, err := tw.Principals.Principal(t.Context(), tenantA, principal); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the service principal is still there: %v", err)
	}
	if now := tw.identity("My_id-1").want(201); now.at("properties.principalId") == principal {
		t.Error("a new identity has the old one's ids")
	}
}

func TestIdentitiesThatAreRefused(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	tw.group("rg")
	for _, c := range []struct{ name, identity, body, code, message string }{
		{"no location", "abc", `{}`, "LocationRequired", "The location property is required for this definition."},
		{"an unknown location", "abc", `{"location":"moon"}`, "LocationNotAvailableForResourceType", "is not available for resource type '" + identityType + "'."},
		{"a name of two characters", "ab", `{"location":"eastus"}`, "BadRequest", "'ab'"},
		{"a name of 129 characters", strings.Repeat("a", 129), `{"location":"eastus"}`, "BadRequest", "128"},
		{"a name that starts with a hyphen", "-abc", `{"location":"eastus"}`, "BadRequest", ""},
		{"a name with a full stop", "a.bc", `{"location":"eastus"}`, "BadRequest", ""},
		{"a tag with a reserved character", "abc", `{"location":"eastus","tags":{"a/b":"c"}}`, "InvalidTagNameCharacters", ""},
		{"an isolation scope that is none", "abc", `{"location":"eastus","properties":{"isolationScope":"Global"}}`, "BadRequest", "isolationScope"},
		{"restrictions", "abc", `{"location":"eastus","properties":{"assignmentRestrictions":{"providers":["x"]}}}`, "NotSupported", "assignmentRestrictions"},
		{"a location that is a number", "abc", `{"location":1}`, "InvalidRequestContent", "body.location"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tw.as(ownerID, "PUT", sub(identityPath+c.identity)+vMSI, c.body).fails(400, c.code, c.message)
		})
	}
	tw.identity(strings.Repeat("a", 128)).want(201)
	tw.as(ownerID, "PUT", sub(identityPath+"abc")+"?api-version=2022-01-01", `{"location":"eastus"}`).fails(400, "NoRegisteredProviderFound", "2022-01-31-preview")
	tw.as(ownerID, "GET", sub(identityPath+"abc/federatedIdentityCredentials")+"?api-version=2018-11-30", "").fails(404, "InvalidResourceType", "")
	tw.as(ownerID, "POST", sub(identityPath+"abc")+vMSI, `{}`).fails(405, "MethodNotAllowed", "")
}

func TestTwoPutsAtOnceMakeOneIdentity(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	tw.group("rg")
	var answers [8]answer
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = tw.identity("shared") })
	}
	wg.Wait()
	created := 0
	for _, a := range answers {
		if a.Code != 200 && a.Code != 201 {
			t.Errorf("%d %s", a.Code, a.Body)
		}
		if a.Code == 201 {
			created++
		}
		if a.at("properties.principalId") != tw.as(ownerID, "GET", sub(identityPath+"shared")+vMSI, "").at("properties.principalId") {
			t.Errorf("another identity: %s", a.Body)
		}
	}
	n := 0
	all, err := tw.Principals.Principals(t.Context(), tenantA, "", 100)
	for _, p := range all {
		if p.Type == directory.TypeManagedIdentity {
			n++
		}
	}
	if err != nil || created != 1 || n != 1 {
		t.Errorf("%d created, %d service principals, %v", created, n, err)
	}
}

func TestAGroupTakesItsIdentitiesAlong(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	tw.group("rg")
	principal := tw.identity("doomed").want(201).at("properties.principalId")
	tw.as(ownerID, "PUT", sub(identityPath+"doomed/federatedIdentityCredentials/one")+vMSI, credentialBody("i", "s")).want(201)
	tw.as(ownerID, "PUT", sub(identityPath+"doomed"+assignments+"/"+newID1)+vAuth, role(reader, guestID, "")).want(201)
	tw.as(ownerID, "DELETE", sub("/resourcegroups/rg")+v2021, "").want(202)
	if _, err := tw.Principals.Principal(t.Context(), tenantA, principal); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the service principal is still there: %v", err)
	}
	if fs, err := tw.Federated.FederatedCredentials(t.Context(), principal); err != nil || len(fs) != 0 {
		t.Errorf("%v %v", err, fs)
	}
	if _, err := tw.Roles.RoleAssignment(t.Context(), tenantA, newID1); fault.KindOf(err) != fault.NotFound {
		t.Errorf("the role assignment on it is still there: %v", err)
	}
}

func TestIdentitiesAreListedAmongResourcesAndPaged(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	tw.group("rg")
	for i := range 3 {
		tw.identity(fmt.Sprint("id-", i)).want(201)
	}
	tw.vnet("rg", "v").want(201)
	var names []string
	for next := sub("/resources") + v2021 + "&$top=2"; next != ""; {
		a := tw.as(ownerID, "GET", next, "").want(200)
		for i := range 2 {
			if n := a.at(fmt.Sprintf("value.%d.name", i)); n != "none" {
				names = append(names, n)
			}
		}
		next = ""
		if link := a.at("nextLink"); link != "null" {
			u, err := url.Parse(link)
			if err != nil || len(names) > 4 {
				t.Fatalf("%v %s", err, link)
			}
			next = u.RequestURI()
		}
	}
	if diff := cmp.Diff([]string{"id-0", "id-1", "id-2", "v"}, names); diff != "" {
		t.Error(diff)
	}
	page := tw.as(ownerID, "GET", sub("/providers/Microsoft.ManagedIdentity/userAssignedIdentities")+vMSI+"&$top=2", "").want(200).is("value.1.name", "id-1", "value.2", "none")
	next, err := url.Parse(page.at("nextLink"))
	if err != nil {
		t.Fatal(err)
	}
	tw.as(ownerID, "GET", next.RequestURI(), "").want(200).is("value.0.name", "id-2", "value.1", "none", "nextLink", "null")
	tw.as(ownerID, "GET", sub("/resourceGroups/rg/resources")+v2021+"&$filter="+url.QueryEscape("resourceType eq 'Microsoft.ManagedIdentity/userAssignedIdentities' and name eq 'ID-1'"), "").want(200).is("value.0.name", "id-1", "value.1", "none")
}

func TestRolesOfIdentities(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	tw.group("rg")
	principal := tw.identity("worker").want(201).at("properties.principalId")
	path, fic := sub(identityPath+"worker")+vMSI, sub(identityPath+"worker/federatedIdentityCredentials/f-1")+vMSI

	t.Run("a managed identity is a principal of role assignments", func(t *testing.T) {
		tw.as(ownerID, "PUT", sub(assignments+"/"+newID1)+vAuth, role(reader, principal, "ServicePrincipal")).want(201).is("properties.principalId", principal, "properties.principalType", "ServicePrincipal")
		tw.as(ownerID, "PUT", sub(assignments+"/"+newID2)+vAuth, role(owner, principal, "User")).fails(400, "UnmatchedPrincipalType", "")
		tw.as(principal, "GET", sub("/resourcegroups/rg")+v2021, "").want(200)
	})
	t.Run("nothing is open to everybody", func(t *testing.T) {
		for method, action := range map[string]string{"GET": "read", "PUT": "write", "PATCH": "write", "DELETE": "delete"} {
			tw.as(guestID, method, path, `{"location":"eastus"}`).fails(403, "AuthorizationFailed", "perform action 'Microsoft.ManagedIdentity/userAssignedIdentities/"+action+"' over scope")
			if method != "PATCH" {
				tw.as(guestID, method, fic, credentialBody("i", "s")).fails(403, "AuthorizationFailed", "perform action 'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/"+action+"' over scope")
			}
		}
		tw.as(guestID, "GET", sub("/providers/Microsoft.Compute/virtualMachines/vm/providers/Microsoft.ManagedIdentity/identities/default")+vMSI, "").fails(403, "AuthorizationFailed", "'Microsoft.ManagedIdentity/identities/read'")
	})
	t.Run("an operator reads the identity that its role is on", func(t *testing.T) {
		id, ok := BuiltinRole("Managed Identity Operator")
		if !ok || id != "f1a07417-d97a-45cb-824c-7a7467783830" {
			t.Fatal(id)
		}
		tw.grant("00000000-0000-4000-8000-000000000103", id, sub(identityPath+"worker"))
		tw.as(guestID, "GET", path, "").want(200)
		tw.as(guestID, "PUT", path, `{"location":"westeurope"}`).fails(403, "AuthorizationFailed", "")
	})
	t.Run("a contributor of identities makes them with their credentials, and nothing else", func(t *testing.T) {
		id, ok := BuiltinRole("Managed Identity Contributor")
		if !ok || id != "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59" {
			t.Fatal(id)
		}
		tw.grant("00000000-0000-4000-8000-000000000104", id, sub("/resourceGroups/rg"))
		tw.as(guestID, "PUT", sub(identityPath+"theirs")+vMSI, `{"location":"westeurope"}`).want(201)
		tw.as(guestID, "PUT", fic, credentialBody("i", "s")).want(201)
		tw.as(guestID, "DELETE", fic, "").want(200)
		tw.as(guestID, "PUT", sub(vnetPath+"v")+vNet, `{"location":"eastus"}`).fails(403, "AuthorizationFailed", "")
	})
	t.Run("another tenant's identity is no principal here", func(t *testing.T) {
		tw.as(ownerID, "PUT", sub(assignments+"/"+newID2)+vAuth, role(reader, thereID, "")).fails(400, "PrincipalNotFound", "")
	})
}

func TestTheSystemAssignedIdentityOfAResource(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	tw.group("rg")
	const system, client = "55555555-5555-4555-8555-555555555555", "66666666-6666-4666-8666-666666666666"
	vm, bare := sub("/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm"), sub("/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/bare")
	machine := directory.Machine{ID: newID1, Name: "vm", Kind: directory.MachineVM, TenantID: tenantA, Subscription: subA, ResourceID: vm, System: system, CreatedAt: now}
	sp := directory.ServicePrincipal{ID: system, TenantID: tenantA, AppID: client, DisplayName: "vm", Type: directory.TypeManagedIdentity, Names: []string{client}, Enabled: true, ResourceID: vm, CreatedAt: now}
	if err := tw.Machines.CreateMachine(t.Context(), machine, &sp); err != nil {
		t.Fatal(err)
	}
	machine.ID, machine.Name, machine.ResourceID, machine.System = newID2, "bare", bare, ""
	if err := tw.Machines.CreateMachine(t.Context(), machine, nil); err != nil {
		t.Fatal(err)
	}
	const of = "/providers/Microsoft.ManagedIdentity/identities/default"
	tw.as(ownerID, "GET", vm+of+vMSI, "").want(200).is("id", vm+of, "name", "default", "type", "Microsoft.ManagedIdentity/identities", "location", "westeurope",
		"properties", `{"clientId":"`+client+`","principalId":"`+system+`","tenantId":"`+tenantA+`"}`)
	tw.as(ownerID, "GET", sub("/RESOURCEGROUPS/RG/providers/microsoft.compute/VirtualMachines/VM/providers/microsoft.managedidentity/Identities/Default")+"?api-version=2018-11-30", "").want(200).is("properties.principalId", system)
	tw.as(ownerID, "GET", bare+of+vMSI, "").fails(404, "ResourceNotFound", "")
	tw.as(ownerID, "GET", vm+"s"+of+vMSI, "").fails(404, "ResourceNotFound", "")
	tw.as(ownerID, "GET", vm+strings.Replace(of, "default", "other", 1)+vMSI, "").fails(404, "ResourceNotFound", "")
	tw.as(ownerID, "GET", sub("")+of+vMSI, "").fails(404, "ResourceNotFound", "")
	tw.as(ownerID, "PUT", vm+of+vMSI, `{}`).fails(405, "MethodNotAllowed", "")
}
