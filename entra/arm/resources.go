package arm

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/rest"
)

// resourceView is a resource of any type in a generic list.
type resourceView struct {
	ID                string            `json:"id"`
	Name              string            `json:"name"`
	Type              string            `json:"type"`
	Location          string            `json:"location"`
	Tags              map[string]string `json:"tags,omitempty"`
	CreatedTime       string            `json:"createdTime,omitempty"`       // $expand=createdTime
	ProvisioningState string            `json:"provisioningState,omitempty"` // $expand=provisioningState
}

// resourceTypes are the types whose items are resources of their own in lists.
var resourceTypes = []string{identityType, networkType}

// listResources lists the resources of a subscription or a group.
func (s *Service) listResources(ctx context.Context, in *paging) (*list[resourceView], error) {
	c := callOf(ctx)
	terms, err := onlyTerms(in.Filter, "resourceType", "name", "location", "resourceGroup", "tagName", "tagValue")
	if err != nil {
		return nil, err
	}
	if c.target.Group != "" {
		if _, err := s.group(ctx, c.target.Subscription, c.target.Group); err != nil {
			return nil, err
		}
	}
	rs, next, err := s.page(ctx, in, c.target.Scope+"/resources", c.target.Scope, resourceTypes, func(r directory.Resource) bool {
		return matchesTerms(terms, r) && (c.decision.Allowed || c.access.decide(r.Type+"/read", r.ID).Allowed)
	})
	if err != nil {
		return nil, err
	}
	if len(rs) == 0 && !c.decision.Allowed {
		return nil, s.refuse(ctx, c, c.decision)
	}
	expand := lower(in.Expand)
	out := &list[resourceView]{Value: []resourceView{}, NextLink: next}
	for _, r := range rs {
		v := resourceView{ID: r.ID, Name: r.Name, Type: r.Type, Location: r.Location, Tags: r.Tags}
		if strings.Contains(expand, "createdtime") {
			v.CreatedTime = timestamp(r.CreatedAt)
		}
		if strings.Contains(expand, "provisioningstate") {
			v.ProvisioningState = "Succeeded"
		}
		out.Value = append(out.Value, v)
	}
	return out, nil
}

func sortResources(rs []directory.Resource) {
	slices.SortFunc(rs, func(a, b directory.Resource) int { return strings.Compare(lower(a.ID), lower(b.ID)) })
}

// timestamp prints a time as ARM does: seven decimals, which is .NET's tick.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

// regionOf checks what ARM itself checks of a resource before its provider sees it: location and tags.
func regionOf(resourceType string, location *string, tags map[string]string) (string, error) {
	if location == nil || *location == "" {
		return "", errorf(400, "LocationRequired", "The location property is required for this definition.")
	}
	loc, ok := locationOf(*location)
	if !ok {
		return "", errorf(400, "LocationNotAvailableForResourceType", "The provided location '%s' is not available for resource type '%s'. List of available regions for the resource type is '%s'.", *location, resourceType, strings.Join(locationNames(), ","))
	}
	return loc, validTags(tags)
}

// errLocation refuses a location other than the one where a resource is.
func errLocation(r directory.Resource, location string) *Error {
	return errorf(409, "InvalidResourceLocation", "The resource '%s' already exists in location '%s' in resource group '%s'. A resource with the same name cannot be created in location '%s'. Please select a new resource name.", r.Name, r.Location, groupOf(r.ID), location)
}

// resource finds the resource that a target names, or the one that holds what it names, with ARM's errors
// for it and its group.
func (s *Service) resource(ctx context.Context, t target) (directory.Resource, error) {
	r, err := s.Resources.Resource(ctx, resourceID("/subscriptions/"+t.Subscription+"/resourceGroups/"+t.Group, t.Namespace, t.Types[:1], t.Names[:1]))
	if !errors.Is(err, fault.NotFound) {
		return r, err
	}
	if _, err := s.group(ctx, t.Subscription, t.Group); err != nil {
		return r, err
	}
	return r, errResourceNotFound(t.Namespace+"/"+t.Types[0]+"/"+t.Names[0], t.Group)
}

func errResourceNotFound(name, group string) *Error {
	return errorf(404, "ResourceNotFound", "The Resource '%s' under resource group '%s' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix", name, group)
}

// listItems lists the resources of the call's type in its subscription or group.
func listItems[V any](ctx context.Context, s *Service, in *paging, view func(directory.Resource, int) (V, error)) (*list[V], error) {
	t := callOf(ctx).target
	if t.Group != "" {
		if _, err := s.group(ctx, t.Subscription, t.Group); err != nil {
			return nil, err
		}
	}
	if _, err := onlyTerms(in.Filter); err != nil {
		return nil, err
	}
	all := func(directory.Resource) bool { return true }
	rs, next, err := s.page(ctx, in, t.Scope+"/providers/"+t.Type, t.Scope, []string{t.Type}, all)
	if err != nil {
		return nil, err
	}
	out := &list[V]{Value: []V{}, NextLink: next}
	for _, r := range rs {
		v, err := view(r, http.StatusOK)
		if err != nil {
			return nil, err
		}
		out.Value = append(out.Value, v)
	}
	return out, nil
}

// deleteItem removes the resource of the call, what is below it and the role assignments on it: 200, or
// 204 if there was none.
func (s *Service) deleteItem(ctx context.Context) (*rest.Empty, error) {
	t := callOf(ctx).target
	if _, err := s.group(ctx, t.Subscription, t.Group); err != nil {
		return nil, err
	}
	r, err := s.Resources.Resource(ctx, t.ID())
	if errors.Is(err, fault.NotFound) {
		return &rest.Empty{Code: http.StatusNoContent}, nil
	}
	if err != nil {
		return nil, err
	}
	if err := s.deleteAssignmentsBelow(ctx, r.ID); err != nil {
		return nil, err
	}
	if err := s.Resources.DeleteResource(ctx, r.ID); err != nil && !errors.Is(err, fault.NotFound) {
		return nil, err
	}
	return &rest.Empty{Code: http.StatusOK}, nil
}
