package arm

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/treatyfed/treaty/core/audit"
)

func TestSubscriptionsAreThoseWithAnyRole(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	tw.as(ownerID, "GET", "/subscriptions?api-version=2019-11-01", "").want(200).is("value.0.subscriptionId", subA, "value.0.tenantId", tenantA, "value.1", "none",
		"value.0.id", sub(""), "value.0.displayName", "Treaty twin", "value.0.state", "Enabled", "value.0.authorizationSource", "RoleBased", "value.0.managedByTenants", "[]",
		"value.0.subscriptionPolicies", `{"locationPlacementId":"Public_2014-09-01","quotaId":"EnterpriseAgreement_2014-09-01","spendingLimit":"Off"}`, "count", `{"type":"Total","value":1}`)
	if got := tw.as(guestID, "GET", "/subscriptions"+v2020, "").want(200).Body.String(); got != `{"value":[],"count":{"type":"Total","value":0}}` {
		t.Error(got)
	}
	tw.as(guestID, "GET", sub("")+v2020, "").fails(403, "AuthorizationFailed", "The client '"+appID+"' with object id '"+guestID+
		"' does not have authorization to perform action 'Microsoft.Resources/subscriptions/read' over scope '"+sub("")+"' or the scope is invalid. If access was recently granted, please refresh your credentials.")
	tw.group("rg")
	tw.grant(newID1, reader, sub("/resourceGroups/rg"))
	tw.as(guestID, "GET", "/subscriptions"+v2020, "").want(200).is("value.0.subscriptionId", subA, "count.value", "1")
	tw.as(ownerID, "GET", sub("?api-version=2022-12-01"), "").want(200).is("subscriptionId", subA)
	tw.as(guestID, "GET", "/tenants"+v2020, "").want(200).is("value.0.tenantId", tenantA, "value.0.id", "/tenants/"+tenantA, "value.0.defaultDomain", "treaty.onmicrosoft.com",
		"value.0.tenantCategory", "Home", "value.0.countryCode", "DE", "value.0.domains", `["treaty.onmicrosoft.com"]`, "value.1", "none")
}

func TestLocationsAndProviders(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	tw.as(ownerID, "GET", sub("/locations")+v2020, "").want(200).is("value.0.name", "eastus", "value.0.displayName", "East US", "value.0.regionalDisplayName", "(US) East US",
		"value.0.metadata.regionType", "Physical", "value.0.id", sub("/locations/eastus"))
	tw.as(ownerID, "GET", sub("/providers")+v2021, "").want(200).is("value.2.namespace", "Microsoft.Network", "value.2.registrationState", "Registered", "value.2.id", sub("/providers/Microsoft.Network"),
		"value.1.namespace", "Microsoft.ManagedIdentity", "value.1.resourceTypes.1.resourceType", "userAssignedIdentities", "value.1.registrationPolicy", "RegistrationRequired")
	tw.as(ownerID, "GET", sub("/providers/microsoft.network")+v2021, "").want(200).is("namespace", "Microsoft.Network", "resourceTypes.0.resourceType", "virtualNetworks", "resourceTypes.0.apiVersions.0", networkVersions[0])
	tw.as(ownerID, "POST", sub("/providers/microsoft.network/register")+v2021, "").want(200).is("registrationState", "Registered")
	tw.as(ownerID, "GET", sub("/providers/Microsoft.Nothing")+v2021, "").fails(404, "InvalidResourceNamespace", "The resource namespace 'Microsoft.Nothing' is invalid.")
	tw.as(guestID, "GET", "/providers"+v2021, "").want(200).is("value.0.namespace", "Microsoft.Authorization", "value.0.id", "/providers/Microsoft.Authorization")
	tw.as(guestID, "POST", sub("/providers/Microsoft.Network/register")+v2021, "").fails(403, "AuthorizationFailed", "perform action 'Microsoft.Network/register/action' over scope '"+sub("")+"'")
}

func TestAResourceGroupsLife(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	path := sub("/resourcegroups/My-Group") + v2021
	tw.as(ownerID, "HEAD", path, "").want(404)
	tw.as(ownerID, "GET", path, "").fails(404, "ResourceGroupNotFound", "Resource group 'My-Group' could not be found.")
	tw.as(ownerID, "PUT", path, `{"location":"West Europe","tags":{"env":"test"}}`).want(201).is("id", sub("/resourceGroups/My-Group"), "name", "My-Group", "type", "Microsoft.Resources/resourceGroups",
		"location", "westeurope", "tags", `{"env":"test"}`, "properties", `{"provisioningState":"Succeeded"}`)
	if e := tw.audit.last(t); e.Outcome != audit.Allowed || e.Operation != "Microsoft.Resources/subscriptions/resourcegroups/write" || e.Resource != sub("/resourceGroups/My-Group") || e.Caller != ownerID || !strings.Contains(string(e.Evidence), `"role":"Owner"`) {
		t.Errorf("recorded %+v", e)
	}
	tw.as(ownerID, "HEAD", path, "").want(204)
	tw.as(ownerID, "PUT", sub("/resourceGroups/MY-GROUP")+v2021, `{"location":"westeurope"}`).want(200).is("name", "My-Group", "tags", "null")
	tw.as(ownerID, "PUT", path, `{"location":"eastus"}`).fails(409, "InvalidResourceGroupLocation", "Invalid resource group location 'eastus'. The Resource group already exists in location 'westeurope'.")
	tw.as(ownerID, "PATCH", path, `{"tags":{"a":"1"}}`).want(200).is("tags", `{"a":"1"}`, "location", "westeurope")
	tw.as(ownerID, "PATCH", path, `{}`).want(200).is("tags", `{"a":"1"}`)
	tw.vnet("My-Group", "v").want(201)
	tw.grant(newID1, reader, sub("/resourceGroups/My-Group/providers/Microsoft.Network/virtualNetworks/v"))

	a := tw.as(ownerID, "DELETE", path, "").want(202)
	poll, err := url.Parse(a.Header().Get("Location"))
	if err != nil || poll.Host != "management.azure.com" || a.Header().Get("Retry-After") != "1" || a.Body.Len() != 0 {
		t.Fatalf("%v %v %s", err, a.Header(), a.Body)
	}
	tw.as(ownerID, "GET", poll.RequestURI(), "").want(200)
	tw.as(ownerID, "GET", sub("/operationresults/abc")+v2021, "").fails(404, "OperationResultNotFound", "")
	tw.as(ownerID, "DELETE", path, "").fails(404, "ResourceGroupNotFound", "")
	tw.group("My-Group")
	tw.as(ownerID, "GET", sub("/resourceGroups/My-Group/resources")+v2021, "").want(200).is("value", "[]")
	tw.as(ownerID, "GET", sub("/providers/Microsoft.Authorization/roleAssignments")+vAuth, "").want(200).is("value.1", "none")
}

func TestResourceGroupsThatAreRefused(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	long := strings.Repeat("a", 91)
	for _, c := range []struct{ name, group, body, code, message string }{
		{"no location", "g", `{}`, "LocationRequired", "The location property is required for this definition."},
		{"an unknown location", "g", `{"location":"Atlantis"}`, "LocationNotAvailableForResourceGroup", "The provided location 'Atlantis' is not available for resource group. List of available regions is 'eastus,"},
		{"a name with a space", "a%20b", `{"location":"eastus"}`, "InvalidResourceGroup", "has these invalid characters: ' '"},
		{"a name that ends with a period", "a.", `{"location":"eastus"}`, "InvalidResourceGroup", "period"},
		{"a long name", long, `{"location":"eastus"}`, "InvalidResourceGroup", "90"},
		{"a tag with a reserved character", "g", `{"location":"eastus","tags":{"a/b":"c"}}`, "InvalidTagNameCharacters", `The tag names 'a/b' have reserved characters '<,>,%,&,\,?,/' or control characters.`},
		{"a long tag", "g", `{"location":"eastus","tags":{"a":"` + strings.Repeat("x", 257) + `"}}`, "InvalidTagValueLength", "256"},
		{"a tag without a name", "g", `{"location":"eastus","tags":{"":"x"}}`, "InvalidTagNameLength", "512"},
		{"a tag that is no text", "g", `{"location":"eastus","tags":{"a":1}}`, "InvalidRequestContent", "body.tags"},
		{"a member twice", "g", `{"location":"eastus","location":"westus"}`, "InvalidRequestContent", "The request content was invalid and could not be deserialized: 'body.location: given more than once'."},
		{"no body", "g", ``, "InvalidRequestContent", "a JSON body is required"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tw.as(ownerID, "PUT", sub("/resourceGroups/"+c.group)+v2021, c.body).fails(400, c.code, c.message)
		})
	}
	tw.as(ownerID, "PUT", sub("/resourceGroups/g")+v2021, strings.Repeat(" ", 1<<20+1)).fails(413, "RequestContentTooLarge", "")
	tw.as(ownerID, "PUT", sub("/resourceGroups/g")+v2021, "location=x", "Content-Type", "application/x-www-form-urlencoded").fails(415, "UnsupportedMediaType", "")
	tw.as(ownerID, "GET", sub("/resourceGroups")+v2021, "").want(200).is("value", "[]")
}

func TestGroupsArePagedAndFiltered(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	for i := range 5 {
		tw.as(ownerID, "PUT", fmt.Sprint(sub("/resourceGroups/G"), i, v2021), fmt.Sprintf(`{"location":"eastus","tags":{"n":"%d","Even":"%v"}}`, i, i%2 == 0)).want(201)
	}
	var names []string
	next := sub("/resourcegroups") + v2021 + "&$top=2"
	for page := 0; next != ""; page++ {
		a := tw.as(ownerID, "GET", next, "").want(200)
		for i := range 2 {
			if n := a.at(fmt.Sprintf("value.%d.name", i)); n != "none" {
				names = append(names, n)
			}
		}
		next = ""
		if link := a.at("nextLink"); link != "null" {
			u, err := url.Parse(link)
			if err != nil || u.Scheme != "https" || u.Host != "management.azure.com" || u.Query().Get("$top") != "2" {
				t.Fatalf("nextLink %s", link)
			}
			next = u.RequestURI()
		}
		if page > 3 {
			t.Fatal("the pages do not end")
		}
	}
	if got := strings.Join(names, " "); got != "G0 G1 G2 G3 G4" {
		t.Error(got)
	}
	filter := func(f string) answer {
		return tw.as(ownerID, "GET", sub("/resourcegroups")+v2021+"&$filter="+url.QueryEscape(f), "")
	}
	filter("tagName eq 'even' and tagValue eq 'false'").want(200).is("value.0.name", "G1", "value.1.name", "G3", "value.2", "none")
	filter("tagName eq 'none'").want(200).is("value", "[]")
	filter("tagName ne 'x'").fails(400, "InvalidFilterInQueryString", "Invalid $filter 'tagName ne 'x'' specified in the query string.")
	filter("location eq 'x'").fails(400, "InvalidFilterInQueryString", "")
	tw.as(ownerID, "GET", sub("/resourcegroups")+v2021+"&$top=0", "").fails(400, "InvalidTopInQueryString", "")
	tw.as(ownerID, "GET", sub("/resourcegroups")+v2021+"&$top=x", "").fails(400, "InvalidRequestContent", "$top")
	tw.as(ownerID, "GET", sub("/resourcegroups")+v2021+"&$skiptoken=!", "").fails(400, "InvalidSkipToken", "")
}

func TestListsShowWhatTheCallerMayRead(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	for _, g := range []string{"a", "b", "c"} {
		tw.group(g)
		tw.vnet(g, "v"+g).want(201)
	}
	tw.as(guestID, "GET", sub("/resourcegroups")+v2021, "").fails(403, "AuthorizationFailed", "perform action 'Microsoft.Resources/subscriptions/resourcegroups/read' over scope '"+sub("")+"'")
	if e := tw.audit.last(t); e.Outcome != audit.Refused || e.Code != "AuthorizationFailed" || e.Caller != guestID || !strings.Contains(string(e.Evidence), `"allowed":false`) {
		t.Errorf("recorded %+v", e)
	}
	tw.grant(newID1, reader, sub("/resourceGroups/b"))
	tw.as(guestID, "GET", sub("/resourcegroups")+v2021, "").want(200).is("value.0.name", "b", "value.1", "none")
	tw.as(guestID, "GET", sub("/resources")+v2021, "").want(200).is("value.0.name", "vb", "value.1", "none")
	tw.as(guestID, "GET", sub("/resourceGroups/a/resources")+v2021, "").fails(403, "AuthorizationFailed", "'Microsoft.Resources/subscriptions/resourcegroups/resources/read'")
	tw.as(guestID, "GET", sub("/providers/Microsoft.Network/virtualNetworks")+vNet, "").fails(403, "AuthorizationFailed", "perform action 'Microsoft.Network/virtualNetworks/read' over scope '"+sub("")+"'")
	tw.as(guestID, "GET", sub("/resourceGroups/a/providers/Microsoft.Network/virtualNetworks")+vNet, "").fails(403, "AuthorizationFailed",
		"perform action 'Microsoft.Network/virtualNetworks/read' over scope '"+sub("/resourceGroups/a/providers/Microsoft.Network")+"'")
	tw.as(guestID, "GET", sub("/resourceGroups/b/providers/Microsoft.Network/virtualNetworks")+vNet, "").want(200).is("value.0.name", "vb")
	tw.as(guestID, "PUT", sub("/resourceGroups/b")+v2021, `{"location":"eastus"}`).fails(403, "AuthorizationFailed", "'Microsoft.Resources/subscriptions/resourcegroups/write' over scope '"+sub("/resourceGroups/b")+"'")
	tw.as(ownerID, "GET", sub("/resources")+v2021+"&$filter="+url.QueryEscape("resourceType eq 'microsoft.network/virtualnetworks' and resourceGroup eq 'C'")+"&$expand=createdTime,provisioningState", "").
		want(200).is("value.0.name", "vc", "value.1", "none", "value.0.createdTime", "2026-11-21T10:30:00.0000000Z", "value.0.provisioningState", "Succeeded", "value.0.type", networkType)
}
