package arm

import (
	"encoding/json"
	"net/netip"
	"regexp"
)

// networkName is the rule of Microsoft.Network for names (Microsoft Learn, "Naming rules and restrictions").
var networkName = regexp.MustCompile(`^(?:[\p{L}\p{N}][\p{L}\p{N}_.-]{0,78}[\p{L}\p{N}_]|[\p{L}\p{N}])$`)

func validNetworkName(name string, max int) error {
	if len(name) <= max && networkName.MatchString(name) {
		return nil
	}
	return errorf(400, "InvalidResourceName", "Resource name %s is invalid. The name can be up to %d characters long. It must begin with a word character, and it must end with a word character or with '_'. The name may contain word characters or '.', '-', '_'.", name, max)
}

// network validates a request and turns it into what is stored. Subnets that are not sent stay.
func (in *networkIn) network(id, name string, was network) (network, error) {
	n := network{GUID: was.GUID, Subnets: was.Subnets, DDoSProtection: in.Properties.DDoSProtection, VMProtection: in.Properties.VMProtection, FlowTimeout: in.Properties.FlowTimeout}
	if err := validNetworkName(name, 64); err != nil {
		return n, err
	}
	for member, raw := range map[string]json.RawMessage{"extendedLocation": in.Extended, "properties.virtualNetworkPeerings": in.Properties.Peerings,
		"properties.bgpCommunities": in.Properties.BGPCommunities, "properties.encryption": in.Properties.Encryption, "properties.ipAllocations": in.Properties.IPAllocations} {
		if says(raw) {
			return n, errorf(400, "NotSupported", "The property '%s' of resource %s is not supported.", member, id)
		}
	}
	if err := in.Properties.DDoSPlan.missing(id); err != nil {
		return n, err
	}
	if f := in.Properties.FlowTimeout; f != nil && (*f < 4 || *f > 30) {
		return n, errorf(400, "InvalidFlowTimeout", "The flow timeout %d of resource %s must be between 4 and 30 minutes.", *f, id)
	}
	if in.Properties.AddressSpace != nil {
		n.AddressPrefixes = in.Properties.AddressSpace.AddressPrefixes
	}
	if len(n.AddressPrefixes) == 0 {
		return n, errorf(400, "InvalidRequestFormat", "Cannot parse the request. Virtual network %s must have at least one address prefix in 'properties.addressSpace.addressPrefixes'.", id)
	}
	if in.Properties.DHCPOptions != nil {
		n.DNSServers = in.Properties.DHCPOptions.DNSServers
	}
	for _, d := range n.DNSServers {
		if _, err := netip.ParseAddr(d); err != nil {
			return n, errorf(400, "InvalidIPAddressFormat", "IP address %s of resource %s is not formatted correctly.", d, id)
		}
	}
	if in.Properties.Subnets != nil {
		n.Subnets = []subnet{}
		for _, sn := range *in.Properties.Subnets {
			stored, err := sn.subnet(id)
			if err != nil {
				return n, err
			}
			n.Subnets = append(n.Subnets, stored)
		}
	}
	return n, n.valid(id, name)
}

// missing refuses a reference: the types that a network can refer to are not served, so what it names
// does not exist.
func (r *reference) missing(by string) error {
	if r == nil || r.ID == "" {
		return nil
	}
	return errorf(400, "InvalidResourceReference", "Resource %s referenced by resource %s was not found. Please make sure that the referenced resource exists, and that both resources are in the same region.", r.ID, by)
}

// valid checks the address space and that the subnets lie in it, apart from one another.
func (n network) valid(id, name string) error {
	space, err := prefixes(n.AddressPrefixes, id)
	if err != nil {
		return err
	}
	if a, _, ok := overlap(space); ok {
		return errorf(400, "InvalidAddressSpace", "Address prefix %s of resource %s overlaps with another of its address prefixes.", a, id)
	}
	var taken []netip.Prefix
	for i, sn := range n.Subnets {
		snID := id + "/subnets/" + sn.Name
		for _, other := range n.Subnets[:i] {
			if is(other.Name, sn.Name) {
				return errorf(400, "DuplicateResourceName", "Resource %s has two child resources with the same name (%s).", id, sn.Name)
			}
		}
		own, err := prefixes(sn.Prefixes, snID)
		if err != nil {
			return err
		}
		if len(own) == 0 {
			return errorf(400, "InvalidRequestFormat", "Cannot parse the request. Subnet %s must have an address prefix.", snID)
		}
		for _, p := range own {
			if !within(space, p) {
				return errorf(400, "NetcfgInvalidSubnet", "Subnet '%s' is not valid in virtual network '%s'.", sn.Name, name)
			}
		}
		taken = append(taken, own...)
		if _, _, ok := overlap(taken); ok {
			return errorf(400, "NetcfgSubnetRangesOverlap", "Subnet '%s' is not valid because its IP address range overlaps with that of an existing subnet in virtual network '%s'.", sn.Name, name)
		}
	}
	return nil
}

// prefixes parses CIDR blocks, whose address must be the first of the block.
func prefixes(texts []string, id string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, t := range texts {
		p, err := netip.ParsePrefix(t)
		if err != nil || p.Addr().Is4In6() {
			return nil, errorf(400, "InvalidAddressPrefixFormat", "Address prefix %s of resource %s is not formatted correctly. It should follow CIDR notation, for example 10.0.0.0/24.", t, id)
		}
		if p.Masked() != p {
			return nil, errorf(400, "InvalidCIDRNotation", "The address prefix %s in resource %s has an invalid CIDR notation. For the given prefix length, the address prefix should be %s.", t, id, p.Masked())
		}
		out = append(out, p)
	}
	return out, nil
}

func within(space []netip.Prefix, p netip.Prefix) bool {
	for _, s := range space {
		if s.Bits() <= p.Bits() && s.Contains(p.Addr()) {
			return true
		}
	}
	return false
}

func overlap(ps []netip.Prefix) (a, b netip.Prefix, ok bool) {
	for i := range ps {
		for _, q := range ps[:i] {
			if ps[i].Overlaps(q) {
				return ps[i], q, true
			}
		}
	}
	return a, b, false
}
