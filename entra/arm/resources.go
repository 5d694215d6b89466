package arm

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/directory"
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
var resourceTypes = []string{networkType}

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
