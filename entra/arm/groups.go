package arm

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/rest"
)

type groupView struct {
	ID         string            `json:"id"`
	Name       string            `json:"name"`
	Type       string            `json:"type"`
	Location   string            `json:"location"`
	ManagedBy  string            `json:"managedBy,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	Properties struct {
		ProvisioningState string `json:"provisioningState"`
	} `json:"properties"`
	status int
}

// Status tells a created group from an updated one.
func (g *groupView) Status() int { return g.status }

// groupBody is what a group stores beyond its resource.
type groupBody struct {
	ManagedBy string `json:"managedBy,omitempty"`
}

func viewGroup(r directory.Resource, status int) (*groupView, error) {
	var b groupBody
	if err := decodeBody(r, &b); err != nil {
		return nil, err
	}
	v := &groupView{ID: r.ID, Name: r.Name, Type: groupType, Location: r.Location, ManagedBy: b.ManagedBy, Tags: r.Tags, status: status}
	v.Properties.ProvisioningState = "Succeeded"
	return v, nil
}

func decodeBody(r directory.Resource, v any) error {
	if len(r.Body) == 0 {
		return nil
	}
	return fault.Wrap(fault.Internal, "resource.body "+r.ID, json.Unmarshal(r.Body, v))
}

// group finds a resource group, with ARM's error for a missing one.
func (s *Service) group(ctx context.Context, subscription, name string) (directory.Resource, error) {
	r, err := s.Resources.Resource(ctx, "/subscriptions/"+subscription+"/resourceGroups/"+name)
	if errors.Is(err, fault.NotFound) {
		return r, errorf(404, "ResourceGroupNotFound", "Resource group '%s' could not be found.", name)
	}
	return r, err
}

// listGroups lists groups. A caller without the right on the subscription gets those it may read, and
// is refused when there are none.
func (s *Service) listGroups(ctx context.Context, in *paging) (*list[*groupView], error) {
	c := callOf(ctx)
	terms, err := onlyTerms(in.Filter, "tagName", "tagValue")
	if err != nil {
		return nil, err
	}
	rs, next, err := s.page(ctx, in, c.target.Scope+"/resourcegroups", c.target.Scope, []string{groupType}, func(r directory.Resource) bool {
		return matchesTerms(terms, r) && (c.decision.Allowed || c.access.decide(c.decision.Action, r.ID).Allowed)
	})
	if err != nil {
		return nil, err
	}
	if len(rs) == 0 && !c.decision.Allowed {
		return nil, s.refuse(ctx, c, c.decision)
	}
	out := &list[*groupView]{Value: []*groupView{}, NextLink: next}
	for _, r := range rs {
		v, err := viewGroup(r, 200)
		if err != nil {
			return nil, err
		}
		out.Value = append(out.Value, v)
	}
	return out, nil
}

func (s *Service) getGroup(ctx context.Context, _ *struct{}) (*groupView, error) {
	t := callOf(ctx).target
	r, err := s.group(ctx, t.Subscription, t.Group)
	if err != nil {
		return nil, err
	}
	return viewGroup(r, 200)
}

func (s *Service) headGroup(ctx context.Context, _ *struct{}) (*rest.Empty, error) {
	t := callOf(ctx).target
	if _, err := s.group(ctx, t.Subscription, t.Group); err != nil {
		return nil, err
	}
	return &rest.Empty{Code: http.StatusNoContent}, nil
}

func (s *Service) putGroup(ctx context.Context, in *struct {
	Body struct {
		Location  *string           `json:"location"`
		ManagedBy string            `json:"managedBy"`
		Tags      map[string]string `json:"tags"`
	} `body:""`
}) (*groupView, error) {
	t := callOf(ctx).target
	if err := validGroupName(t.Group); err != nil {
		return nil, err
	}
	if in.Body.Location == nil || *in.Body.Location == "" {
		return nil, errorf(400, "LocationRequired", "The location property is required for this definition.")
	}
	if err := validTags(in.Body.Tags); err != nil {
		return nil, err
	}
	loc, ok := locationOf(*in.Body.Location)
	if !ok {
		return nil, errorf(400, "LocationNotAvailableForResourceGroup", "The provided location '%s' is not available for resource group. List of available regions is '%s'.", *in.Body.Location, strings.Join(locationNames(), ","))
	}
	old, err := s.Resources.Resource(ctx, t.Scope)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return nil, err
	}
	r := directory.Resource{ID: t.Scope, Subscription: lower(t.Subscription), Type: groupType, Name: t.Group, Location: loc, Tags: in.Body.Tags, CreatedAt: s.Now()}
	if err == nil {
		if old.Location != loc {
			return nil, errorf(409, "InvalidResourceGroupLocation", "Invalid resource group location '%s'. The Resource group already exists in location '%s'.", loc, old.Location)
		}
		r.ID, r.Name, r.CreatedAt = old.ID, old.Name, old.CreatedAt
	}
	if r.Body, err = json.Marshal(groupBody{in.Body.ManagedBy}); err != nil {
		return nil, fault.Wrap(fault.Internal, "group.put", err)
	}
	created, err := s.Resources.PutResource(ctx, r)
	if err != nil {
		return nil, err
	}
	return viewGroup(r, putStatus(created))
}

func putStatus(created bool) int {
	if created {
		return http.StatusCreated
	}
	return http.StatusOK
}

// patchGroup changes tags and nothing else that a group has.
func (s *Service) patchGroup(ctx context.Context, in *struct {
	Body struct {
		Tags *map[string]string `json:"tags"`
		Name string             `json:"name"`
	} `body:""`
}) (*groupView, error) {
	t := callOf(ctx).target
	r, err := s.group(ctx, t.Subscription, t.Group)
	if err != nil {
		return nil, err
	}
	if in.Body.Tags != nil {
		if err := validTags(*in.Body.Tags); err != nil {
			return nil, err
		}
		r.Tags = *in.Body.Tags
	}
	if _, err := s.Resources.PutResource(ctx, r); err != nil {
		return nil, err
	}
	return viewGroup(r, 200)
}

// groupDeletion names a finished deletion in the Location that a client polls.
type groupDeletion struct {
	JobID    string `json:"jobId"`
	Location string `json:"jobLocation"`
}

const deletionJob = "RESOURCEGROUPDELETIONJOB-"

// deleteGroup removes the group, all that is in it and the role assignments on any of it. ARM answers
// 202 with a Location to poll; the work is done by then, so the first poll says so.
func (s *Service) deleteGroup(ctx context.Context, in *struct {
	Version string `query:"api-version"`
}) (*rest.Empty, error) {
	c := callOf(ctx)
	r, err := s.group(ctx, c.target.Subscription, c.target.Group)
	if err != nil {
		return nil, err
	}
	if err := s.deleteAssignmentsBelow(ctx, r.ID); err != nil {
		return nil, err
	}
	if err := s.Resources.DeleteResource(ctx, r.ID); err != nil && !errors.Is(err, fault.NotFound) {
		return nil, err
	}
	job, err := json.Marshal(groupDeletion{deletionJob + strings.ToUpper(r.Name) + "-" + strings.ToUpper(r.Location), r.Location})
	if err != nil {
		return nil, fault.Wrap(fault.Internal, "group.delete", err)
	}
	return &rest.Empty{Code: http.StatusAccepted, Header: http.Header{
		"Location": {c.base + "/subscriptions/" + c.target.Subscription + "/operationresults/" +
			base64.RawURLEncoding.EncodeToString(job) + "?api-version=" + in.Version},
		"Retry-After": {"1"}, // az waits 30 s on 0 or none
	}}, nil
}

// operationResult answers the poll of a deletion: 200 without a body, since deletions are done when
// their 202 is sent.
func (s *Service) operationResult(ctx context.Context, _ *struct{}) (*rest.Empty, error) {
	name := callOf(ctx).target.Name()
	var job groupDeletion
	b, err := base64.RawURLEncoding.DecodeString(name)
	if err != nil || rest.Decode(b, &job) != nil || !strings.HasPrefix(job.JobID, deletionJob) {
		return nil, errorf(404, "OperationResultNotFound", "The operation result '%s' could not be found.", name)
	}
	return &rest.Empty{Code: http.StatusOK}, nil
}

// validGroupName holds names to ARM's rule: letters, digits, - . ( ) _, at most 90, no full stop at the end.
func validGroupName(name string) error {
	if utf8.RuneCountInString(name) > 90 {
		return errorf(400, "InvalidResourceGroup", "The provided resource group name '%s' is longer than 90 characters.", name)
	}
	var wrong []string
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-.()_", r) {
			wrong = append(wrong, string(r))
		}
	}
	if len(wrong) > 0 {
		return errorf(400, "InvalidResourceGroup", "The provided resource group name '%s' has these invalid characters: '%s'. The name can only be a letter, digit, '-', '.', '(', ')' or '_'.", name, strings.Join(wrong, ""))
	}
	if strings.HasSuffix(name, ".") {
		return errorf(400, "InvalidResourceGroup", "The provided resource group name '%s' must not end with a period.", name)
	}
	return nil
}

// validTags holds tags to the limits of Microsoft Learn, "Use tags to organize your Azure resources":
// 50 of them, names of 512 characters without <>%&\?/, values of 256. Names are equal in any case.
func validTags(tags map[string]string) error {
	if len(tags) > 50 {
		return errorf(400, "InvalidTagCount", "The number of tags '%d' exceeds the maximum of '50' tags.", len(tags))
	}
	for n, v := range tags {
		switch {
		case n == "" || utf8.RuneCountInString(n) > 512:
			return errorf(400, "InvalidTagNameLength", "The tag name must be non-null, non-empty and non-whitespace, and at most '512' characters long.")
		case utf8.RuneCountInString(v) > 256:
			return errorf(400, "InvalidTagValueLength", "Tag value too large. Following tag value '%s' exceeded the maximum length. Maximum allowed length for tag value - '256' characters.", v)
		case strings.ContainsAny(n, `<>%&\?/`):
			return errorf(400, "InvalidTagNameCharacters", `The tag names '%s' have reserved characters '<,>,%%,&,\,?,/' or control characters.`, n)
		}
	}
	return nil
}

// matchesTerms applies a filter on tags, type, name, group and location.
func matchesTerms(terms []term, r directory.Resource) bool {
	for i, t := range terms {
		ok := false
		switch t.Name {
		case "tagname":
			for n, v := range r.Tags {
				ok = ok || is(n, t.Value) && !slices.ContainsFunc(terms, func(x term) bool { return x.Name == "tagvalue" && x.Value != v })
			}
		case "tagvalue":
			ok = slices.ContainsFunc(terms[:i], func(x term) bool { return x.Name == "tagname" })
		case "resourcetype":
			ok = is(r.Type, t.Value)
		case "name":
			ok = is(r.Name, t.Value)
		case "location":
			ok = r.Location == normalLocation(t.Value)
		case "resourcegroup":
			ok = is(groupOf(r.ID), t.Value)
		}
		if !ok {
			return false
		}
	}
	return true
}

// groupOf is the name of the resource group in an id, "" if there is none.
func groupOf(id string) string {
	parts := strings.Split(id, "/")
	if len(parts) > 4 && is(parts[3], "resourceGroups") {
		return parts[4]
	}
	return ""
}
