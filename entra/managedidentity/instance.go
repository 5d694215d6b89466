package managedidentity

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
)

// compute is what the metadata service says of a machine, as far as it is known here. MSAL reads the
// location to find its region; tools read the ids.
type compute struct {
	Environment   string `json:"azEnvironment"`
	Location      string `json:"location"`
	Name          string `json:"name"`
	ResourceGroup string `json:"resourceGroupName"`
	ResourceID    string `json:"resourceId"`
	Subscription  string `json:"subscriptionId"`
	VMID          string `json:"vmId"`
}

// Recorded answers of the metadata service: Microsoft, "Azure Instance Metadata Service", and
// MicrosoftDocs/azure-docs issue 15282.
var (
	noVersion = refusal{status: http.StatusBadRequest, code: "bad_request",
		body: []byte(`{ "error": "Bad request. api-version was not specified in the request. For more information refer to aka.ms/azureimds", "newest-versions": [ "2025-04-07", "2024-07-17", "2024-03-15" ] }`)}
	noData    = refusal{status: http.StatusNotFound, code: "not_found", body: []byte(`{ "error": "Not found" }`)}
	badFormat = refusal{status: http.StatusBadRequest, code: "bad_request", body: []byte(`{ "error": "Bad request. A single value needs format=text" }`)}
)

// instance answers /metadata/instance, /metadata/instance/compute and /metadata/instance/compute/NAME. A
// single value is served as text only.
func (s *Service) instance(ctx context.Context, r *http.Request, c *call) (answer, error) {
	c.metadata(r)
	c.method(r, http.MethodGet)
	c.read(r)
	if c.failed == nil && c.query["api-version"] == "" {
		c.check(evidence.Check{Name: "api-version", Claim: "api-version", Operator: "present"}, noVersion)
	}
	if c.failed != nil {
		return answer{}, nil
	}
	about, err := s.compute(ctx, c)
	if err != nil {
		return answer{}, err
	}
	_, path, _ := strings.Cut(strings.ToLower(strings.TrimSuffix(r.URL.Path, "/")), "/metadata/instance")
	name, leaf := strings.CutPrefix(path, "/compute/")
	switch {
	case path == "":
		return c.granted(struct {
			Compute compute `json:"compute"`
		}{about}), nil
	case path == "/compute":
		return c.granted(about), nil
	case !leaf:
		c.check(evidence.Check{Name: "path", Got: []string{evidence.Clip(path)}, Operator: "known"}, noData)
		return answer{}, nil
	}
	value, ok := about.member(name)
	c.check(evidence.Check{Name: "path", Got: []string{evidence.Clip(path)}, Operator: "known", OK: ok}, noData)
	c.check(evidence.Check{Name: "format", Claim: "format", Operator: "equals", Want: []string{"text"}, Got: clipped([]string{c.query["format"]}), OK: strings.EqualFold(c.query["format"], "text")}, badFormat)
	return answer{status: http.StatusOK, body: []byte(value), media: "text/plain; charset=utf-8"}, nil
}

// member finds a value by its name in JSON, in any case.
func (d compute) member(name string) (string, bool) {
	v := reflect.ValueOf(d)
	for i := range v.NumField() {
		if strings.EqualFold(v.Type().Field(i).Tag.Get("json"), name) {
			return v.Field(i).String(), true
		}
	}
	return "", false
}

// compute describes the machine. Its location is its resource's, or else its resource group's.
func (s *Service) compute(ctx context.Context, c *call) (compute, error) {
	m := c.machine
	d := compute{Environment: "AzurePublicCloud", Name: m.Name, ResourceID: m.ResourceID, Subscription: m.Subscription, VMID: m.ID}
	group := ""
	if parts := strings.Split(m.ResourceID, "/"); len(parts) > 4 && strings.EqualFold(parts[3], "resourceGroups") {
		d.ResourceGroup, d.Name = parts[4], parts[len(parts)-1]
		group = strings.Join(parts[:5], "/")
	}
	for _, id := range []string{m.ResourceID, group} {
		if id == "" || d.Location != "" {
			continue
		}
		found, err := s.Resources.Resource(ctx, id)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return d, fmt.Errorf("read resource %s of machine %s: %w", id, m.Name, err)
		}
		d.Location = found.Location
	}
	return d, nil
}
