package arm

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/wire/rest"
)

// subnet is a part of a virtual network as it is stored.
type subnet struct {
	Name                   string       `json:"name"`
	Prefixes               []string     `json:"prefixes"`
	Several                bool         `json:"several,omitempty"` // they were sent as addressPrefixes
	Delegations            []delegation `json:"delegations,omitempty"`
	ServiceEndpoints       []endpoint   `json:"serviceEndpoints,omitempty"`
	PrivateEndpointPolicy  string       `json:"privateEndpointNetworkPolicies"`
	PrivateLinkPolicy      string       `json:"privateLinkServiceNetworkPolicies"`
	DefaultOutboundAllowed *bool        `json:"defaultOutboundAccess,omitempty"`
}

type delegation struct {
	Name       string `json:"name"`
	Properties struct {
		ServiceName string `json:"serviceName"`
	} `json:"properties"`
}

type endpoint struct {
	Service   string   `json:"service"`
	Locations []string `json:"locations,omitempty"`
}

type subnetProperties struct {
	ProvisioningState      string       `json:"provisioningState"`
	AddressPrefix          string       `json:"addressPrefix,omitempty"`
	AddressPrefixes        []string     `json:"addressPrefixes,omitempty"`
	Delegations            []delegation `json:"delegations"`
	ServiceEndpoints       []endpoint   `json:"serviceEndpoints,omitempty"`
	PrivateEndpointPolicy  string       `json:"privateEndpointNetworkPolicies"`
	PrivateLinkPolicy      string       `json:"privateLinkServiceNetworkPolicies"`
	DefaultOutboundAllowed *bool        `json:"defaultOutboundAccess,omitempty"`
}

// subnetView is a subnet on the wire, by itself or in its network.
type subnetView struct {
	Name       string           `json:"name"`
	ID         string           `json:"id"`
	ETag       string           `json:"etag"`
	Properties subnetProperties `json:"properties"`
	Type       string           `json:"type"`
	status     int
}

// Status tells a created subnet from an updated one.
func (v *subnetView) Status() int { return v.status }

// Headers carries the entity tag, which is the network's.
func (v *subnetView) Headers() http.Header { return http.Header{"Etag": {v.ETag}} }

func viewSubnet(networkID string, n network, sn subnet, status int) subnetView {
	v := subnetView{Name: sn.Name, ID: networkID + "/subnets/" + sn.Name, ETag: etag(n.ETag), Type: subnetType, status: status}
	v.Properties = subnetProperties{ProvisioningState: "Succeeded", Delegations: append([]delegation{}, sn.Delegations...), ServiceEndpoints: sn.ServiceEndpoints,
		PrivateEndpointPolicy: sn.PrivateEndpointPolicy, PrivateLinkPolicy: sn.PrivateLinkPolicy, DefaultOutboundAllowed: sn.DefaultOutboundAllowed}
	if sn.Several || len(sn.Prefixes) != 1 {
		v.Properties.AddressPrefixes = sn.Prefixes
	} else {
		v.Properties.AddressPrefix = sn.Prefixes[0]
	}
	return v
}

type subnetIn struct {
	Name       string `json:"name"`
	Properties struct {
		AddressPrefix          string          `json:"addressPrefix"`
		AddressPrefixes        []string        `json:"addressPrefixes"`
		Delegations            []delegation    `json:"delegations"`
		ServiceEndpoints       []endpoint      `json:"serviceEndpoints"`
		PrivateEndpointPolicy  *string         `json:"privateEndpointNetworkPolicies"`
		PrivateLinkPolicy      *string         `json:"privateLinkServiceNetworkPolicies"`
		DefaultOutboundAllowed *bool           `json:"defaultOutboundAccess"`
		SecurityGroup          *reference      `json:"networkSecurityGroup"`
		RouteTable             *reference      `json:"routeTable"`
		NATGateway             *reference      `json:"natGateway"`
		Policies               json.RawMessage `json:"serviceEndpointPolicies"`
	} `json:"properties"`
}

// subnet validates what can be told of a subnet by itself.
func (in *subnetIn) subnet(networkID string) (subnet, error) {
	p := in.Properties
	sn := subnet{Name: in.Name, Prefixes: p.AddressPrefixes, Several: len(p.AddressPrefixes) > 0, Delegations: p.Delegations, ServiceEndpoints: p.ServiceEndpoints,
		PrivateEndpointPolicy: "Disabled", PrivateLinkPolicy: "Enabled", DefaultOutboundAllowed: p.DefaultOutboundAllowed}
	if err := validNetworkName(in.Name, 80); err != nil {
		return sn, err
	}
	id := networkID + "/subnets/" + in.Name
	for _, r := range []*reference{p.SecurityGroup, p.RouteTable, p.NATGateway} {
		if err := r.missing(id); err != nil {
			return sn, err
		}
	}
	if says(p.Policies) {
		return sn, errorf(400, "NotSupported", "The property 'properties.serviceEndpointPolicies' of resource %s is not supported.", id)
	}
	if p.AddressPrefix != "" && !slices.Contains(sn.Prefixes, p.AddressPrefix) {
		sn.Prefixes = append([]string{p.AddressPrefix}, sn.Prefixes...)
	}
	for _, f := range []struct {
		to      *string
		from    *string
		name    string
		allowed string
	}{
		{&sn.PrivateEndpointPolicy, p.PrivateEndpointPolicy, "privateEndpointNetworkPolicies", "Disabled Enabled NetworkSecurityGroupEnabled RouteTableEnabled"},
		{&sn.PrivateLinkPolicy, p.PrivateLinkPolicy, "privateLinkServiceNetworkPolicies", "Disabled Enabled"},
	} {
		if f.from == nil {
			continue
		}
		if !slices.Contains(strings.Fields(f.allowed), *f.from) {
			return sn, errorf(400, "InvalidRequestFormat", "Cannot parse the request. '%s' is no value of 'properties.%s' of resource %s.", *f.from, f.name, id)
		}
		*f.to = *f.from
	}
	return sn, nil
}

// find returns the place of the target's subnet in its network, -1 if it is not there.
func (n network) find(name string) int {
	return slices.IndexFunc(n.Subnets, func(s subnet) bool { return is(s.Name, name) })
}

func (s *Service) listSubnets(ctx context.Context, _ *struct{}) (*list[subnetView], error) {
	r, err := s.resource(ctx, callOf(ctx).target)
	if err != nil {
		return nil, err
	}
	v, err := viewNetwork(r, 200)
	if err != nil {
		return nil, err
	}
	return &list[subnetView]{Value: v.Properties.Subnets}, nil
}

func (s *Service) getSubnet(ctx context.Context, _ *struct{}) (*subnetView, error) {
	t := callOf(ctx).target
	r, n, err := s.readNetwork(ctx, t)
	if err != nil {
		return nil, err
	}
	i := n.find(t.Name())
	if i < 0 {
		return nil, errSubnetNotFound(r.ID + "/subnets/" + t.Name())
	}
	v := viewSubnet(r.ID, n, n.Subnets[i], 200)
	return &v, nil
}

func errSubnetNotFound(id string) *Error {
	return errorf(404, "NotFound", "Resource %s not found.", id)
}

func (s *Service) putSubnet(ctx context.Context, in *struct {
	IfMatch     string   `header:"If-Match"`
	IfNoneMatch string   `header:"If-None-Match"`
	Body        subnetIn `body:""`
}) (*subnetView, error) {
	t := callOf(ctx).target
	r, n, err := s.readNetwork(ctx, t)
	if err != nil {
		return nil, err
	}
	i, status, current := n.find(t.Name()), http.StatusCreated, ""
	in.Body.Name = t.Name()
	if i >= 0 {
		in.Body.Name, status, current = n.Subnets[i].Name, http.StatusOK, etag(n.ETag)
	}
	if err := (conditions{in.IfMatch, in.IfNoneMatch}).check(t.ID(), current); err != nil {
		return nil, err
	}
	sn, err := in.Body.subnet(r.ID)
	if err != nil {
		return nil, err
	}
	if i >= 0 {
		n.Subnets[i] = sn
	} else {
		n.Subnets = append(n.Subnets, sn)
		i = len(n.Subnets) - 1
	}
	if err := n.valid(r.ID, r.Name); err != nil {
		return nil, err
	}
	v, err := s.saveNetwork(ctx, r, n)
	if err != nil {
		return nil, err
	}
	out := v.Properties.Subnets[i]
	out.status = status
	return &out, nil
}

func (s *Service) deleteSubnet(ctx context.Context, _ *struct{}) (*rest.Empty, error) {
	t := callOf(ctx).target
	r, n, err := s.readNetwork(ctx, t)
	if err != nil {
		return nil, err
	}
	i := n.find(t.Name())
	if i < 0 {
		return &rest.Empty{Code: http.StatusNoContent}, nil
	}
	if err := s.deleteAssignmentsBelow(ctx, t.ID()); err != nil {
		return nil, err
	}
	n.Subnets = slices.Delete(n.Subnets, i, i+1)
	if _, err := s.saveNetwork(ctx, r, n); err != nil {
		return nil, err
	}
	return &rest.Empty{Code: http.StatusOK}, nil
}
