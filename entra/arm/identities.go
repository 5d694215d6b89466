package arm

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/rest"
)

// identityName is the rule for names of user-assigned identities (Microsoft Learn, "Naming rules and
// restrictions", Microsoft.ManagedIdentity).
var identityName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{2,127}$`)

// identity is a user-assigned managed identity as it is stored, and its properties on the wire.
type identity struct {
	TenantID       string `json:"tenantId"`
	PrincipalID    string `json:"principalId"`
	ClientID       string `json:"clientId"`
	IsolationScope string `json:"isolationScope,omitempty"` // None or Regional; "" if it was never given
}

// identityView is a user-assigned identity on the wire.
type identityView struct {
	Location   string            `json:"location"`
	Tags       map[string]string `json:"tags"`
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Type       string            `json:"type"`
	Properties identity          `json:"properties"`
	status     int
}

// Status tells a created identity from an updated one.
func (v *identityView) Status() int { return v.status }

func viewIdentity(r directory.Resource, status int) (*identityView, error) {
	v := &identityView{Location: r.Location, Tags: r.Tags, ID: r.ID, Name: r.Name, Type: identityType, status: status}
	if v.Tags == nil {
		v.Tags = map[string]string{}
	}
	return v, decodeBody(r, &v.Properties)
}

// identityIn is what a client may send; what Azure fills in itself is not looked at.
type identityIn struct {
	Location   *string            `json:"location"`
	Tags       *map[string]string `json:"tags"`
	Properties struct {
		IsolationScope *string         `json:"isolationScope"`
		Restrictions   json.RawMessage `json:"assignmentRestrictions"`
	} `json:"properties"`
}

// apply writes what was sent over what is there. A PUT without tags has none; a PATCH keeps them.
func (in *identityIn) apply(r *directory.Resource, stored *identity, patch bool) error {
	if says(in.Properties.Restrictions) {
		return errorf(400, "NotSupported", "The property 'properties.assignmentRestrictions' of resource %s is not supported.", r.ID)
	}
	if in.Tags != nil {
		if err := validTags(*in.Tags); err != nil {
			return err
		}
		r.Tags = *in.Tags
	} else if !patch {
		r.Tags = nil
	}
	if scope := in.Properties.IsolationScope; scope != nil {
		if *scope != "None" && *scope != "Regional" {
			return errorf(400, "BadRequest", "The request format was unexpected: isolationScope '%s' is neither 'None' nor 'Regional'.", *scope)
		}
		stored.IsolationScope = *scope
	}
	b, err := json.Marshal(stored)
	r.Body = b
	return fault.Wrap(fault.Internal, "identity "+r.ID, err)
}

func (s *Service) listIdentities(ctx context.Context, in *paging) (*list[*identityView], error) {
	return listItems(ctx, s, in, viewIdentity)
}

func (s *Service) getIdentity(ctx context.Context, _ *struct{}) (*identityView, error) {
	r, err := s.resource(ctx, callOf(ctx).target)
	if err != nil {
		return nil, err
	}
	return viewIdentity(r, http.StatusOK)
}

// identityAttempts bounds how often a PUT looks again when another one came first.
const identityAttempts = 8

// putIdentity creates an identity, or updates it: then it keeps its ids, so that of two at once one makes it
// and the other finds it.
func (s *Service) putIdentity(ctx context.Context, in *struct {
	Body identityIn `body:""`
}) (*identityView, error) {
	c := callOf(ctx)
	loc, err := regionOf(identityType, in.Body.Location, nil)
	if err != nil {
		return nil, err
	}
	g, err := s.group(ctx, c.target.Subscription, c.target.Group)
	if err != nil {
		return nil, err
	}
	for range identityAttempts {
		var v *identityView
		old, found := s.Resources.Resource(ctx, c.target.ID())
		switch {
		case errors.Is(found, fault.NotFound):
			v, err = s.createIdentity(ctx, c, g, loc, in.Body)
		case found != nil:
			return nil, found
		case old.Location != loc:
			return nil, errLocation(old, loc)
		default:
			v, err = s.updateIdentity(ctx, old, in.Body, false)
		}
		if !errors.Is(err, fault.Conflict) {
			return v, err
		}
	}
	return nil, err
}

// createIdentity makes an identity in a group together with its service principal.
func (s *Service) createIdentity(ctx context.Context, c *call, g directory.Resource, location string, in identityIn) (*identityView, error) {
	name := c.target.Name()
	if !identityName.MatchString(name) {
		return nil, errorf(400, "BadRequest", "The request format was unexpected: the resource name '%s' is invalid. It must start with a letter or number, may contain letters, numbers, '-' and '_', and must be 3 to 128 characters long.", name)
	}
	principal, err := s.newID()
	if err != nil {
		return nil, err
	}
	client, err := s.newID()
	if err != nil {
		return nil, err
	}
	r := directory.Resource{
		// Azure spells the ids of identities so, in ARM and in xms_mirid of their tokens (learn.microsoft.com
		// cli/azure/identity).
		ID:           "/subscriptions/" + lower(c.target.Subscription) + "/resourcegroups/" + g.Name + "/providers/" + identityType + "/" + name,
		Subscription: lower(c.target.Subscription), Type: identityType, Name: name, Location: location, CreatedAt: s.Now(),
	}
	if err := in.apply(&r, &identity{TenantID: c.caller.TenantID, PrincipalID: principal, ClientID: client}, false); err != nil {
		return nil, err
	}
	p, err := s.identityPrincipal(r, principal, client, c.caller.TenantID)
	if err != nil {
		return nil, err
	}
	if err := s.Identities.CreateManagedIdentity(ctx, r, p); err != nil {
		return nil, err
	}
	return viewIdentity(r, http.StatusCreated)
}

// identityPrincipal makes the service principal of a user-assigned identity with the names that those of
// Azure have: the client id and an address of its own; alternativeNames say whose it is.
func (s *Service) identityPrincipal(r directory.Resource, id, client, tenant string) (directory.ServicePrincipal, error) {
	var own [32]byte
	if _, err := io.ReadFull(s.Rand, own[:]); err != nil {
		return directory.ServicePrincipal{}, fault.Wrap(fault.Internal, "identity.name", err)
	}
	carried, err := json.Marshal(map[string][]string{"alternativeNames": {"isExplicit=True", r.ID}})
	if err != nil {
		return directory.ServicePrincipal{}, fault.Wrap(fault.Internal, "identity.carried", err)
	}
	return directory.ServicePrincipal{
		ID: id, TenantID: tenant, AppID: client, DisplayName: r.Name, Type: directory.TypeManagedIdentity, OwnerTenant: tenant,
		Names: []string{client, "https://identity.azure.net/" + base64.StdEncoding.EncodeToString(own[:])}, Enabled: true,
		ResourceID: r.ID, UserAssigned: true, CreatedAt: s.Now().UTC(), Carried: carried,
	}, nil
}

// updateIdentity writes what a client may change; fault.Conflict when another write came first.
func (s *Service) updateIdentity(ctx context.Context, r directory.Resource, in identityIn, patch bool) (*identityView, error) {
	var stored identity
	if err := decodeBody(r, &stored); err != nil {
		return nil, err
	}
	if err := in.apply(&r, &stored, patch); err != nil {
		return nil, err
	}
	if _, err := s.Resources.PutResource(ctx, r); err != nil {
		return nil, err
	}
	return viewIdentity(r, http.StatusOK)
}

func (s *Service) patchIdentity(ctx context.Context, in *struct {
	Body identityIn `body:""`
}) (*identityView, error) {
	r, err := s.resource(ctx, callOf(ctx).target)
	if err != nil {
		return nil, err
	}
	return s.updateIdentity(ctx, r, in.Body, true)
}

// deleteIdentity removes an identity with its service principal, and what that holds.
func (s *Service) deleteIdentity(ctx context.Context, _ *struct{}) (*rest.Empty, error) {
	return s.deleteItem(ctx)
}
