package arm

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

func TestPathsAreReadInAnyCase(t *testing.T) {
	t.Parallel()
	const s, g = "/subscriptions/S", "/subscriptions/S/resourceGroups/G"
	for _, c := range []struct{ method, path, kind, action, scope, id string }{
		{"GET", "/subscriptions", "/subscriptions", "Microsoft.Resources/subscriptions/read", "/", "/"},
		{"GET", "//SUBSCRIPTIONS/S/", "/subscription", "Microsoft.Resources/subscriptions/read", s, s},
		{"GET", "/tenants", "/tenants", "Microsoft.Resources/tenants/read", "/", "/"},
		{"GET", "/subscriptions/S/resourcegroups", "/groups", "Microsoft.Resources/subscriptions/resourcegroups/read", s, s},
		{"PATCH", "/subscriptions/S/RESOURCEGROUPS/G", "/group", "Microsoft.Resources/subscriptions/resourcegroups/write", g, g},
		{"DELETE", "/subscriptions/S/resourcegroups/a%20b", "/group", "Microsoft.Resources/subscriptions/resourcegroups/delete", s + "/resourceGroups/a b", s + "/resourceGroups/a b"},
		{"GET", g + "/resources", "/resources", "Microsoft.Resources/subscriptions/resourcegroups/resources/read", g, g},
		{"GET", s + "/providers", "/providers", "Microsoft.Resources/subscriptions/providers/read", s, s},
		{"GET", s + "/providers/microsoft.network", "/provider", "Microsoft.Resources/subscriptions/providers/read", s, s},
		{"POST", s + "/providers/microsoft.network/REGISTER", "/register", "Microsoft.Network/register/action", s, s},
		{"GET", s + "/providers/Microsoft.Network/virtualNetworks", "/list/microsoft.network/virtualnetworks", "Microsoft.Network/virtualNetworks/read", s, s},
		{"GET", g + "/providers/microsoft.NETWORK/VIRTUALnetworks", "/list/microsoft.network/virtualnetworks", "Microsoft.Network/virtualNetworks/read", g + "/providers/Microsoft.Network", g},
		{"PUT", g + "/providers/microsoft.NETWORK/VIRTUALnetworks/V", "/item/microsoft.network/virtualnetworks", "Microsoft.Network/virtualNetworks/write",
			g + "/providers/Microsoft.Network/virtualNetworks/V", g + "/providers/Microsoft.Network/virtualNetworks/V"},
		{"GET", g + "/providers/Microsoft.Network/virtualNetworks/providers/subnets", "/list/microsoft.network/virtualnetworks/subnets", "Microsoft.Network/virtualNetworks/subnets/read",
			g + "/providers/Microsoft.Network/virtualNetworks/providers", g + "/providers/Microsoft.Network/virtualNetworks/providers"},
		{"GET", "/subscriptions/S/resourceGroups/providers/providers/Microsoft.Network/virtualNetworks", "/list/microsoft.network/virtualnetworks", "Microsoft.Network/virtualNetworks/read",
			s + "/resourceGroups/providers/providers/Microsoft.Network", s + "/resourceGroups/providers"},
		{"GET", s + "/providers/Microsoft.Authorization/roleAssignments", "/list/microsoft.authorization/roleassignments", "Microsoft.Authorization/roleAssignments/read", s + "/providers/Microsoft.Authorization", s},
		{"PUT", g + "/providers/Microsoft.Network/virtualnetworks/V/providers/microsoft.authorization/roleassignments/X", "/item/microsoft.authorization/roleassignments", "Microsoft.Authorization/roleAssignments/write",
			g + "/providers/Microsoft.Network/virtualNetworks/V/providers/Microsoft.Authorization/roleAssignments/X",
			g + "/providers/Microsoft.Network/virtualNetworks/V/providers/Microsoft.Authorization/roleAssignments/X"},
		{"GET", "/providers/microsoft.management/managementgroups/M/providers/Microsoft.Authorization/roleDefinitions", "/list/microsoft.authorization/roledefinitions", "Microsoft.Authorization/roleDefinitions/read",
			"/providers/Microsoft.Management/managementGroups/M/providers/Microsoft.Authorization", "/providers/Microsoft.Management/managementGroups/M"},
		{"GET", "/providers/Microsoft.Authorization/roleDefinitions", "/list/microsoft.authorization/roledefinitions", "Microsoft.Authorization/roleDefinitions/read", "/providers/Microsoft.Authorization", "/"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			t.Parallel()
			p, err := parsePath(c.path)
			if err != nil {
				t.Fatal(err)
			}
			if p.Kind != c.kind || p.action(c.method) != c.action || p.authorizationScope() != c.scope || p.ID() != c.id {
				t.Errorf("kind %q action %q scope %q id %q", p.Kind, p.action(c.method), p.authorizationScope(), p.ID())
			}
		})
	}
}

func TestPathsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path   string
		status int
		code   string
	}{
		{"/", 404, "MissingSubscription"},
		{"/nothing", 404, "MissingSubscription"},
		{"/subscriptions/S/nothing", 404, "NotFound"},
		{"/subscriptions/S/resourceGroups/G/nothing", 404, "NotFound"},
		{"/subscriptions/S/resourceGroups/G/providers/Microsoft.Network", 404, "NotFound"},
		{"/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/virtualNetworks/V/providers", 404, "NotFound"},
		{"/subscriptions/S/resourceGroups/a%2Fb", 400, "InvalidRequestUri"},
		{"/subscriptions/S/resourceGroups/a%00b", 400, "InvalidRequestUri"},
		{"/subscriptions/S/resourceGroups/a%zz", 400, "InvalidRequestUri"},
		{"/subscriptions/S/resourceGroups/a%ff", 400, "InvalidRequestUri"},
		{"/" + strings.Repeat("a", maxPath), 414, "RequestUriTooLong"},
		{strings.Repeat("/a", maxSegments+1), 414, "RequestUriTooLong"},
	} {
		_, err := parsePath(c.path)
		var e *Error
		if !errors.As(err, &e) || e.HTTPStatus != c.status || e.Code != c.code {
			t.Errorf("%.60s: %v", c.path, err)
		}
	}
}

func FuzzParsePath(f *testing.F) {
	f.Add("/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/virtualNetworks/V/providers/Microsoft.Authorization/roleAssignments/X")
	f.Add("/providers//Microsoft.Management/managementGroups/%61/providers/")
	f.Fuzz(func(t *testing.T, path string) {
		p, err := parsePath(path)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		again, err := parsePath(escapePath(p.ID()))
		if err != nil && p.ID() != "/" {
			t.Fatalf("%q gives the id %q, which is no path: %v", path, p.ID(), err)
		}
		if p.ID() != "/" && !p.Collection && len(p.Types) > 0 && again.ID() != p.ID() {
			t.Fatalf("%q gives %q, which gives %q", path, p.ID(), again.ID())
		}
		if s := p.authorizationScope(); p.Subscription != "" && !covers("/subscriptions/"+p.Subscription, s, tenantA) {
			t.Fatalf("%q in subscription %q is authorised over %q", path, p.Subscription, s)
		}
		_ = p.supports("2022-07-01", http.MethodGet)
	})
}

func TestVersionsAreMandatoryAndKnown(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	const vnets = "/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/v"
	for _, c := range []struct {
		name, method, path string
		status             int
		code, message      string
	}{
		{"none", "GET", sub(""), 400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests."},
		{"empty", "GET", sub("?api-version="), 400, "MissingApiVersionParameter", "is required"},
		{"one that never was", "GET", sub("?api-version=2001-01-01"), 400, "InvalidApiVersionParameter", "The api-version '2001-01-01' is invalid. The supported versions are '20"},
		{"no date", "GET", sub("?api-version=banana"), 400, "InvalidApiVersionParameter", "The api-version 'banana' is invalid."},
		{"given twice", "GET", sub("?api-version=2020-06-01&API-version=2021-04-01"), 400, "InvalidApiVersionParameter", "The api-version '2020-06-01,2021-04-01' is invalid."},
		{"of another provider on a read", "GET", sub(vnets + "?api-version=2022-04-01"), 404, "InvalidResourceType", "The resource type 'virtualNetworks' could not be found in the namespace 'Microsoft.Network' for api version '2022-04-01'. The supported api-versions are '20"},
		{"of another provider on a write", "PUT", sub(vnets + "?api-version=2022-04-01"), 400, "NoRegisteredProviderFound", "No registered resource provider found for API version '2022-04-01' for type 'virtualNetworks'."},
		{"an unknown namespace", "GET", sub("/providers/Treaty.Unknown/things" + vNet), 404, "InvalidResourceNamespace", "The resource namespace 'Treaty.Unknown' is invalid."},
		{"a namespace that is not served", "GET", sub("/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts?api-version=2023-01-01"), 404, "InvalidResourceNamespace", "The resource namespace 'Microsoft.Storage' is invalid."},
		{"an unknown type", "GET", sub("/resourceGroups/rg/providers/microsoft.network/loadBalancers" + vNet), 404, "InvalidResourceType", "The resource type could not be found in the namespace 'Microsoft.Network' for api version '2022-07-01'."},
		{"a network outside of a group", "GET", sub("/providers/Microsoft.Network/virtualNetworks/v" + vNet), 404, "MissingSubscription", ""},
		{"a network outside of a subscription", "GET", "/providers/Microsoft.Network/virtualNetworks" + vNet, 404, "MissingSubscription", ""},
		{"a network on a network", "GET", sub(vnets + "/providers/Microsoft.Network/virtualNetworks/w" + vNet), 404, "MissingSubscription", ""},
		{"a method that the type does not have", "POST", sub(vnets + vNet), 405, "MethodNotAllowed", "The requested resource does not support http method 'POST'."},
		{"a query that cannot be read", "GET", sub("?api-version=%zz"), 400, "InvalidRequestContent", "badly escaped"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tw.as(ownerID, c.method, c.path, "{}").fails(c.status, c.code, c.message)
		})
	}
	tw.as(ownerID, "GET", sub("?API-VERSION=2019-11-01"), "").want(200)
}
