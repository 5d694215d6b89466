package arm

import (
	"strings"
	"testing"
)

const vnetPath = "/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks/"

func TestAVirtualNetworksLife(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	path := sub(vnetPath+"VNet-1") + vNet
	tw.vnet("rg", "VNet-1").fails(404, "ResourceGroupNotFound", "Resource group 'rg' could not be found.")
	tw.as(ownerID, "GET", path, "").fails(404, "ResourceGroupNotFound", "")
	tw.group("rg")
	tw.as(ownerID, "GET", path, "").fails(404, "ResourceNotFound", "The Resource 'Microsoft.Network/virtualNetworks/VNet-1' under resource group 'rg' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix")
	made := tw.vnet("rg", "VNet-1").want(201)
	tag := made.at("etag")
	made.is("name", "VNet-1", "id", sub(vnetPath+"VNet-1"), "type", networkType, "location", "westeurope", "properties.provisioningState", "Succeeded",
		"properties.addressSpace", `{"addressPrefixes":["10.0.0.0/16"]}`, "properties.virtualNetworkPeerings", "[]", "properties.enableDdosProtection", "false",
		"properties.subnets.0.id", sub(vnetPath+"VNet-1/subnets/default"), "properties.subnets.0.etag", tag, "properties.subnets.0.properties.addressPrefix", "10.0.0.0/24",
		"properties.subnets.0.type", subnetType, "properties.subnets.0.properties.privateEndpointNetworkPolicies", "Disabled", "properties.subnets.0.properties.delegations", "[]")
	if made.Header().Get("ETag") != tag || !strings.HasPrefix(tag, `W/"`) || !isGUID(made.at("properties.resourceGuid")) {
		t.Errorf("etag %q, header %q, resourceGuid %q", tag, made.Header().Get("ETag"), made.at("properties.resourceGuid"))
	}
	same := tw.as(ownerID, "PUT", sub("/RESOURCEGROUPS/RG/providers/microsoft.network/VIRTUALNETWORKS/vnet-1")+vNet,
		`{"location":"West Europe","tags":{"a":"b"},"properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16","192.168.0.0/24"]},"dhcpOptions":{"dnsServers":["10.0.0.4"]},"flowTimeoutInMinutes":10}}`, "If-Match", tag).want(200)
	same.is("id", sub(vnetPath+"VNet-1"), "name", "VNet-1", "properties.resourceGuid", made.at("properties.resourceGuid"), "properties.subnets.0.name", "default",
		"properties.dhcpOptions", `{"dnsServers":["10.0.0.4"]}`, "properties.flowTimeoutInMinutes", "10", "tags", `{"a":"b"}`)
	if same.at("etag") == tag {
		t.Error("the entity tag did not change")
	}
	for header, value := range map[string]string{"If-Match": tag, "If-None-Match": "*"} {
		tw.as(ownerID, "PUT", path, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]}}}`, header, value).fails(412, "PreconditionFailed", "")
	}
	tw.as(ownerID, "PUT", sub(vnetPath+"none")+vNet, `{"location":"westeurope","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]}}}`, "If-Match", "*").fails(412, "PreconditionFailed", "")
	tw.as(ownerID, "PATCH", path, `{"tags":{"c":"d"}}`).want(200).is("tags", `{"c":"d"}`, "properties.addressSpace.addressPrefixes.1", "192.168.0.0/24")
	tw.as(ownerID, "PUT", path, `{"location":"eastus","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]}}}`).fails(409, "InvalidResourceLocation",
		"The resource 'VNet-1' already exists in location 'westeurope' in resource group 'rg'. A resource with the same name cannot be created in location 'eastus'. Please select a new resource name.")
	tw.as(ownerID, "GET", sub("/providers/Microsoft.Network/virtualNetworks")+vNet, "").want(200).is("value.0.name", "VNet-1", "value.1", "none")
	tw.as(ownerID, "GET", sub("/resourceGroups/rg/providers/Microsoft.Network/virtualNetworks")+vNet, "").want(200).is("value.0.name", "VNet-1")
	tw.as(ownerID, "GET", sub("/resourceGroups/none/providers/Microsoft.Network/virtualNetworks")+vNet, "").fails(404, "ResourceGroupNotFound", "")
	tw.as(ownerID, "DELETE", path, "").want(200)
	tw.as(ownerID, "DELETE", path, "").want(204)
	tw.as(ownerID, "GET", path, "").fails(404, "ResourceNotFound", "")
}

func TestVirtualNetworksThatAreRefused(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	tw.group("rg")
	subnets := func(list string) string {
		return `{"location":"eastus","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16","fd00::/48"]},"subnets":[` + list + `]}}`
	}
	space := func(list string) string {
		return `{"location":"eastus","properties":{"addressSpace":{"addressPrefixes":[` + list + `]}}}`
	}
	id := sub(vnetPath + "v")
	for _, c := range []struct{ name, vnet, body, code, message string }{
		{"no location", "v", `{"properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]}}}`, "LocationRequired", ""},
		{"an unknown location", "v", `{"location":"moon"}`, "LocationNotAvailableForResourceType", "The provided location 'moon' is not available for resource type 'Microsoft.Network/virtualNetworks'."},
		{"no address space", "v", `{"location":"eastus"}`, "InvalidRequestFormat", "Cannot parse the request."},
		{"an empty address space", "v", space(``), "InvalidRequestFormat", ""},
		{"a prefix that is none", "v", space(`"10.0.0.0"`), "InvalidAddressPrefixFormat", "Address prefix 10.0.0.0 of resource " + id + " is not formatted correctly."},
		{"a prefix with bits of a host", "v", space(`"10.0.0.1/16"`), "InvalidCIDRNotation", "The address prefix 10.0.0.1/16 in resource " + id + " has an invalid CIDR notation. For the given prefix length, the address prefix should be 10.0.0.0/16."},
		{"prefixes that overlap", "v", space(`"10.0.0.0/8","10.1.0.0/16"`), "InvalidAddressSpace", "10.1.0.0/16"},
		{"a subnet outside", "v", subnets(`{"name":"s","properties":{"addressPrefix":"10.1.0.0/24"}}`), "NetcfgInvalidSubnet", "Subnet 's' is not valid in virtual network 'v'."},
		{"a subnet larger than the space", "v", subnets(`{"name":"s","properties":{"addressPrefix":"10.0.0.0/15"}}`), "NetcfgInvalidSubnet", ""},
		{"subnets that overlap", "v", subnets(`{"name":"s","properties":{"addressPrefix":"10.0.0.0/24"}},{"name":"t","properties":{"addressPrefixes":["10.0.0.128/25"]}}`), "NetcfgSubnetRangesOverlap", "Subnet 't' is not valid because its IP address range overlaps with that of an existing subnet in virtual network 'v'."},
		{"subnets of one name", "v", subnets(`{"name":"s","properties":{"addressPrefix":"10.0.0.0/24"}},{"name":"S","properties":{"addressPrefix":"10.0.1.0/24"}}`), "DuplicateResourceName", "(S)"},
		{"a subnet without a prefix", "v", subnets(`{"name":"s","properties":{}}`), "InvalidRequestFormat", ""},
		{"a subnet without a name", "v", subnets(`{"properties":{"addressPrefix":"10.0.0.0/24"}}`), "InvalidResourceName", ""},
		{"a security group that does not exist", "v", subnets(`{"name":"s","properties":{"addressPrefix":"10.0.0.0/24","networkSecurityGroup":{"id":"/x"}}}`), "InvalidResourceReference", "Resource /x referenced by resource " + id + "/subnets/s was not found."},
		{"a policy that is none", "v", subnets(`{"name":"s","properties":{"addressPrefix":"10.0.0.0/24","privateEndpointNetworkPolicies":"Maybe"}}`), "InvalidRequestFormat", "'Maybe'"},
		{"a DNS server that is no address", "v", `{"location":"eastus","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"dhcpOptions":{"dnsServers":["dns"]}}}`, "InvalidIPAddressFormat", "dns"},
		{"peerings", "v", `{"location":"eastus","properties":{"addressSpace":{"addressPrefixes":["10.0.0.0/16"]},"virtualNetworkPeerings":[{}]}}`, "NotSupported", "properties.virtualNetworkPeerings"},
		{"a name with a space", "a%20b", space(`"10.0.0.0/16"`), "InvalidResourceName", "Resource name a b is invalid."},
		{"a name of 65 characters", strings.Repeat("a", 65), space(`"10.0.0.0/16"`), "InvalidResourceName", "64"},
		{"a location that is a number", "v", `{"location":1}`, "InvalidRequestContent", "body.location"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tw.as(ownerID, "PUT", sub(vnetPath+c.vnet)+vNet, c.body).fails(400, c.code, c.message)
		})
	}
	tw.as(ownerID, "PUT", sub(vnetPath+"v")+vNet, subnets(`{"name":"s","properties":{"addressPrefixes":["10.0.0.0/24","fd00::/64"],"privateEndpointNetworkPolicies":"Enabled"}}`)).want(201).
		is("properties.subnets.0.properties.addressPrefixes", `["10.0.0.0/24","fd00::/64"]`, "properties.subnets.0.properties.privateEndpointNetworkPolicies", "Enabled")
}

func TestASubnetsLife(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	tw.group("rg")
	tw.as(ownerID, "PUT", sub(vnetPath+"v/subnets/s")+vNet, `{"properties":{"addressPrefix":"10.0.1.0/24"}}`).fails(404, "ResourceNotFound", "")
	tw.vnet("rg", "v").want(201)
	path := sub(vnetPath+"v/subnets/s") + vNet
	tw.as(ownerID, "GET", path, "").fails(404, "NotFound", "Resource "+sub(vnetPath+"v/subnets/s")+" not found.")
	tw.as(ownerID, "PUT", path, `{"properties":{"addressPrefix":"10.0.0.0/25"}}`).fails(400, "NetcfgSubnetRangesOverlap", "")
	made := tw.as(ownerID, "PUT", path, `{"name":"s","properties":{"addressPrefix":"10.0.1.0/24","delegations":[{"name":"d","properties":{"serviceName":"Microsoft.Web/serverFarms"}}]}}`).want(201)
	made.is("id", sub(vnetPath+"v/subnets/s"), "properties.addressPrefix", "10.0.1.0/24", "properties.delegations.0.properties.serviceName", "Microsoft.Web/serverFarms")
	tw.as(ownerID, "PUT", path, `{"properties":{"addressPrefix":"10.0.2.0/24"}}`, "If-Match", made.at("etag")).want(200).is("properties.addressPrefix", "10.0.2.0/24")
	tw.as(ownerID, "PUT", path, `{"properties":{"addressPrefix":"10.0.2.0/24"}}`, "If-Match", made.at("etag")).fails(412, "PreconditionFailed", "")
	tw.as(ownerID, "GET", sub(vnetPath+"v/subnets")+vNet, "").want(200).is("value.0.name", "default", "value.1.name", "s", "value.2", "none")
	tw.grant(newID1, reader, sub(vnetPath+"v/subnets/s"))
	tw.as(guestID, "GET", path, "").want(200)
	tw.as(guestID, "GET", sub(vnetPath+"v/subnets")+vNet, "").fails(403, "AuthorizationFailed", "'Microsoft.Network/virtualNetworks/subnets/read' over scope '"+sub(vnetPath+"v")+"'")
	tw.as(guestID, "DELETE", path, "").fails(403, "AuthorizationFailed", "'Microsoft.Network/virtualNetworks/subnets/delete'")
	tw.as(ownerID, "DELETE", path, "").want(200)
	tw.as(ownerID, "DELETE", path, "").want(204)
	tw.as(ownerID, "GET", sub(vnetPath+"v")+vNet, "").want(200).is("properties.subnets.1", "none")
}
