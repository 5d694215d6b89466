package managedidentity

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
)

// identity is a managed identity that a machine may use.
type identity struct {
	principal directory.ServicePrincipal
	user      bool // user-assigned
}

// selector is the parameter by which a request names an identity; the zero selector names none.
type selector struct{ name, value string }

// selectors are all parameters of any endpoint that name an identity, by what they name.
var selectors = map[string]string{
	"client_id": "client", "clientid": "client",
	"object_id": "object", "principal_id": "object",
	"msi_res_id": "resource", "mi_res_id": "resource",
}

// rules are how an endpoint chooses among a machine's identities. The texts of none, other and many are
// its own; a rule that is not there cannot come up.
type rules struct {
	accept []string // selectors that the endpoint knows
	system bool     // a selector may name the system-assigned identity
	single bool     // without a selector, the only user-assigned identity stands in for a system-assigned one
	other  refusal  // the one that is named is not there
	none   refusal  // none is named and none is the default
}

// Texts of the instance metadata service: the first is recorded in Hexadite/acs-keyvault-agent pull
// request 43, with its length; the second in tests and reports of every SDK.
var (
	manyIdentities   = refusal{status: http.StatusBadRequest, code: "invalid_request", text: "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request"}
	identityNotFound = refusal{status: http.StatusBadRequest, code: "invalid_request", text: "Identity not found"}
	manySelectors    = refusal{status: http.StatusBadRequest, code: "invalid_request", text: "The identity must be specified by one of client_id, object_id and msi_res_id"}
)

// selector reads the parameter that names an identity; more than one is refused.
func (c *call) selector() selector {
	var found []selector
	for name := range selectors {
		if v := c.query[name]; v != "" {
			found = append(found, selector{name, v})
		}
	}
	k := evidence.Check{Name: "selector", Operator: "at most one of", Want: selectorNames(), OK: len(found) <= 1}
	for _, f := range found {
		k.Got = append(k.Got, evidence.Clip(f.name+"="+f.value))
	}
	slices.Sort(k.Got)
	c.check(k, manySelectors)
	if len(found) != 1 {
		return selector{}
	}
	return found[0]
}

func selectorNames() []string {
	return []string{"client_id", "clientid", "mi_res_id", "msi_res_id", "object_id", "principal_id"}
}

// choose finds the identity that a request is for among those that the machine has now.
func (s *Service) choose(ctx context.Context, c *call, rule rules) error {
	sel := c.selector()
	if c.failed != nil {
		c.skip("identity")
		return nil
	}
	all, err := s.identities(ctx, c.machine)
	if err != nil {
		return err
	}
	k := evidence.Check{Name: "identity", Operator: "assigned to the machine"}
	for _, i := range all {
		k.Want = append(k.Want, i.principal.AppID)
	}
	otherwise := rule.other
	if sel.name == "" {
		k.Note, otherwise = rule.byDefault(all, &c.identity)
	} else {
		k.Claim, k.Got = sel.name, []string{evidence.Clip(sel.value)}
		k.Note = rule.named(all, sel, &c.identity)
	}
	k.OK = c.identity.principal.ID != ""
	c.check(k, otherwise)
	return nil
}

// byDefault is the identity of a request that names none (Microsoft, "Managed identities for Azure
// resources frequently asked questions": which identity IMDS defaults to).
func (rule rules) byDefault(all []identity, out *identity) (note string, otherwise refusal) {
	for _, i := range all {
		if !i.user {
			*out = i
			return "the system-assigned identity is the default", refusal{}
		}
	}
	switch {
	case len(all) == 0:
		return "the machine has no identity", rule.none
	case !rule.single:
		return "the machine has no system-assigned identity, and the request names none", rule.none
	case len(all) > 1:
		return "the machine has more than one user-assigned identity and no system-assigned one", manyIdentities
	}
	*out = all[0]
	return "the only user-assigned identity is the default", refusal{}
}

// named is the identity that a selector names; ids are compared in any case.
func (rule rules) named(all []identity, sel selector, out *identity) (note string) {
	if !slices.Contains(rule.accept, sel.name) {
		return "this endpoint does not know " + sel.name + "; it knows " + strings.Join(rule.accept, ", ")
	}
	for _, i := range all {
		var id string
		switch selectors[sel.name] {
		case "client":
			id = i.principal.AppID
		case "object":
			id = i.principal.ID
		case "resource":
			if id = i.principal.ResourceID; !i.user {
				continue // this is the machine
			}
		}
		if !strings.EqualFold(id, strings.TrimSuffix(sel.value, "/")) {
			continue
		}
		if !i.user && !rule.system {
			return "this is the system-assigned identity, which only a request without " + sel.name + " gets"
		}
		*out = i
		return ""
	}
	return "no identity of the machine has this " + selectors[sel.name] + " id"
}

// identities reads what a machine has now: the system-assigned one first. What is deleted, has been made anew
// since it was assigned, or is of another tenant than the machine's, is left out.
func (s *Service) identities(ctx context.Context, m directory.Machine) ([]identity, error) {
	var out []identity
	add := func(tenant, id string, user bool, belongs func(directory.ServicePrincipal) bool) error {
		p, err := s.Principals.Principal(ctx, tenant, id)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return fmt.Errorf("read the service principal %s of machine %s: %w", id, m.Name, err)
		}
		if err == nil && p.Type == directory.TypeManagedIdentity && p.UserAssigned == user && belongs(p) {
			out = append(out, identity{p, user})
		}
		return nil
	}
	if m.System != "" {
		if err := add(m.TenantID, m.System, false, func(directory.ServicePrincipal) bool { return true }); err != nil {
			return nil, err
		}
	}
	for _, id := range m.Identities {
		r, err := s.Resources.Resource(ctx, id)
		if err != nil {
			if fault.KindOf(err) == fault.NotFound {
				continue
			}
			return nil, fmt.Errorf("read identity %s of machine %s: %w", id, m.Name, err)
		}
		var body struct{ PrincipalID, TenantID string }
		if err := json.Unmarshal(r.Body, &body); err != nil {
			return nil, fmt.Errorf("read identity %s of machine %s: %w", id, m.Name, err)
		}
		if was, noted := m.Principals[id]; !strings.EqualFold(body.TenantID, m.TenantID) || noted && !strings.EqualFold(body.PrincipalID, was) {
			continue
		}
		same := func(p directory.ServicePrincipal) bool { return strings.EqualFold(p.ResourceID, r.ID) }
		if err := add(body.TenantID, body.PrincipalID, true, same); err != nil {
			return nil, err
		}
	}
	return out, nil
}
