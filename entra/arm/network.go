package arm

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/rest"
)

// network is a virtual network as it is stored.
type network struct {
	ETag            string   `json:"etag"` // a GUID, new with every write
	GUID            string   `json:"resourceGuid"`
	AddressPrefixes []string `json:"addressPrefixes"`
	DNSServers      []string `json:"dnsServers,omitempty"`
	DDoSProtection  bool     `json:"enableDdosProtection,omitempty"`
	VMProtection    bool     `json:"enableVmProtection,omitempty"`
	FlowTimeout     *int     `json:"flowTimeoutInMinutes,omitempty"`
	Subnets         []subnet `json:"subnets"`
}

type addressSpace struct {
	AddressPrefixes []string `json:"addressPrefixes"`
}

type dhcpOptions struct {
	DNSServers []string `json:"dnsServers"`
}

// networkView is a virtual network on the wire.
type networkView struct {
	Name       string            `json:"name"`
	ID         string            `json:"id"`
	ETag       string            `json:"etag"`
	Type       string            `json:"type"`
	Location   string            `json:"location"`
	Tags       map[string]string `json:"tags,omitempty"`
	Properties struct {
		ProvisioningState string       `json:"provisioningState"`
		ResourceGUID      string       `json:"resourceGuid"`
		AddressSpace      addressSpace `json:"addressSpace"`
		DHCPOptions       *dhcpOptions `json:"dhcpOptions,omitempty"`
		FlowTimeout       *int         `json:"flowTimeoutInMinutes,omitempty"`
		Subnets           []subnetView `json:"subnets"`
		Peerings          []struct{}   `json:"virtualNetworkPeerings"`
		DDoSProtection    bool         `json:"enableDdosProtection"`
		VMProtection      bool         `json:"enableVmProtection,omitempty"`
	} `json:"properties"`
	status int
}

// Status tells a created network from an updated one.
func (v *networkView) Status() int { return v.status }

// Headers carries the entity tag.
func (v *networkView) Headers() http.Header { return http.Header{"Etag": {v.ETag}} }

func etag(guid string) string { return `W/"` + guid + `"` }

func viewNetwork(r directory.Resource, status int) (*networkView, error) {
	var n network
	if err := decodeBody(r, &n); err != nil {
		return nil, err
	}
	v := &networkView{Name: r.Name, ID: r.ID, ETag: etag(n.ETag), Type: networkType, Location: r.Location, Tags: r.Tags, status: status}
	p := &v.Properties
	p.ProvisioningState, p.ResourceGUID, p.AddressSpace.AddressPrefixes = "Succeeded", n.GUID, n.AddressPrefixes
	p.FlowTimeout, p.DDoSProtection, p.VMProtection = n.FlowTimeout, n.DDoSProtection, n.VMProtection
	if len(n.DNSServers) > 0 {
		p.DHCPOptions = &dhcpOptions{n.DNSServers}
	}
	p.Peerings, p.Subnets = []struct{}{}, []subnetView{}
	for _, sn := range n.Subnets {
		p.Subnets = append(p.Subnets, viewSubnet(r.ID, n, sn, 0))
	}
	return v, nil
}

// networkIn is what a client may send; members that name resources of types that we do not serve are
// kept raw, to be refused when they say anything.
type networkIn struct {
	Location   *string           `json:"location"`
	Tags       map[string]string `json:"tags"`
	Extended   json.RawMessage   `json:"extendedLocation"`
	Properties struct {
		AddressSpace   *addressSpace   `json:"addressSpace"`
		DHCPOptions    *dhcpOptions    `json:"dhcpOptions"`
		FlowTimeout    *int            `json:"flowTimeoutInMinutes"`
		Subnets        *[]subnetIn     `json:"subnets"`
		DDoSProtection bool            `json:"enableDdosProtection"`
		VMProtection   bool            `json:"enableVmProtection"`
		DDoSPlan       *reference      `json:"ddosProtectionPlan"`
		Peerings       json.RawMessage `json:"virtualNetworkPeerings"`
		BGPCommunities json.RawMessage `json:"bgpCommunities"`
		Encryption     json.RawMessage `json:"encryption"`
		IPAllocations  json.RawMessage `json:"ipAllocations"`
	} `json:"properties"`
}

// reference names another resource.
type reference struct {
	ID string `json:"id"`
}

// says reports whether a raw member holds anything.
func says(raw json.RawMessage) bool {
	switch strings.TrimSpace(string(raw)) {
	case "", "null", "[]", "{}":
		return false
	}
	return true
}

// readNetwork finds the virtual network of the call and decodes its body.
func (s *Service) readNetwork(ctx context.Context, t target) (r directory.Resource, n network, err error) {
	if r, err = s.resource(ctx, t); err == nil {
		err = decodeBody(r, &n)
	}
	return r, n, err
}

func (s *Service) getNetwork(ctx context.Context, _ *struct{}) (*networkView, error) {
	r, err := s.resource(ctx, callOf(ctx).target)
	if err != nil {
		return nil, err
	}
	return viewNetwork(r, 200)
}

func (s *Service) listNetworks(ctx context.Context, in *paging) (*list[*networkView], error) {
	return listItems(ctx, s, in, viewNetwork)
}

type conditions struct {
	IfMatch     string `header:"If-Match"`
	IfNoneMatch string `header:"If-None-Match"`
}

// check holds a write to its preconditions (RFC 9110 section 13); current is the ETag, "" if there is none.
func (c conditions) check(id, current string) error {
	matches := func(h string) bool {
		for v := range strings.SplitSeq(h, ",") {
			if v = strings.TrimSpace(v); current != "" && (v == "*" || v == current || "W/"+v == current) {
				return true
			}
		}
		return false
	}
	if c.IfMatch != "" && !matches(c.IfMatch) || c.IfNoneMatch != "" && matches(c.IfNoneMatch) {
		return errorf(http.StatusPreconditionFailed, "PreconditionFailed", "The condition of the request is not met by the current entity tag of the resource '%s'.", id)
	}
	return nil
}

func (s *Service) putNetwork(ctx context.Context, in *struct {
	IfMatch     string    `header:"If-Match"`
	IfNoneMatch string    `header:"If-None-Match"`
	Body        networkIn `body:""`
}) (*networkView, error) {
	t := callOf(ctx).target
	loc, err := regionOf(networkType, in.Body.Location, in.Body.Tags)
	if err != nil {
		return nil, err
	}
	if _, err := s.group(ctx, t.Subscription, t.Group); err != nil {
		return nil, err
	}
	id := t.ID()
	old, err := s.Resources.Resource(ctx, id)
	var was network
	switch {
	case errors.Is(err, fault.NotFound):
		old = directory.Resource{ID: id, Subscription: lower(t.Subscription), Type: networkType, Name: t.Name(), Location: loc, CreatedAt: s.Now()}
		if was.GUID, err = s.newID(); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	default:
		if err := decodeBody(old, &was); err != nil {
			return nil, err
		}
		if old.Location != loc {
			return nil, errLocation(old, loc)
		}
	}
	current := ""
	if was.ETag != "" {
		current = etag(was.ETag)
	}
	if err := (conditions{in.IfMatch, in.IfNoneMatch}).check(id, current); err != nil {
		return nil, err
	}
	n, err := in.Body.network(old.ID, old.Name, was)
	if err != nil {
		return nil, err
	}
	old.Tags = in.Body.Tags
	return s.saveNetwork(ctx, old, n)
}

// saveNetwork stores a network under a new entity tag.
func (s *Service) saveNetwork(ctx context.Context, r directory.Resource, n network) (*networkView, error) {
	var err error
	if n.ETag, err = s.newID(); err != nil {
		return nil, err
	}
	if r.Body, err = json.Marshal(n); err != nil {
		return nil, fault.Wrap(fault.Internal, "network.put "+r.ID, err)
	}
	created, err := s.Resources.PutResource(ctx, r)
	if err != nil {
		return nil, err
	}
	return viewNetwork(r, putStatus(created))
}

// patchNetwork changes tags, which is all that this method does to a virtual network.
func (s *Service) patchNetwork(ctx context.Context, in *struct {
	Body struct {
		Tags map[string]string `json:"tags"`
	} `body:""`
}) (*networkView, error) {
	r, n, err := s.readNetwork(ctx, callOf(ctx).target)
	if err != nil {
		return nil, err
	}
	if err := validTags(in.Body.Tags); err != nil {
		return nil, err
	}
	r.Tags = in.Body.Tags
	v, err := s.saveNetwork(ctx, r, n)
	if err != nil {
		return nil, err
	}
	v.status = http.StatusOK
	return v, nil
}

// deleteNetwork removes a network and the role assignments on it: 200, or 204 if there was none. ARM
// would answer 202 and let the client poll; a finished deletion may answer 200 at once.
func (s *Service) deleteNetwork(ctx context.Context, _ *struct{}) (*rest.Empty, error) {
	return s.deleteItem(ctx)
}
