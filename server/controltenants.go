package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/server/folder"
	"github.com/treatyfed/treaty/server/seed"
)

// Tenants by the control interface, in both modes:
//
//	GET  /_treaty/tenants  {"tenants":[…]}
//	POST /_treaty/tenants  {"name","domains":[…],"country","keys"}: makes one, with a
//	                       subscription and an administrator

// TenantOrder asks for a tenant. Domains, the default one first, are in lower case afterwards.
type TenantOrder struct {
	Name    string   `json:"name,omitempty"`
	Domain  string   `json:"domain,omitempty"` // the short form of one domain
	Domains []string `json:"domains,omitempty"`
	Country string   `json:"country,omitempty"` // two capitals; default US
	Keys    string   `json:"keys,omitempty"`    // shared (default) or own
}

// TenantMade is a new tenant with its administrator, an application with the permissions of the first
// tenant's, and owner of the tenant's subscription. The secret is shown this one time.
type TenantMade struct {
	TenantView
	Administrator folder.AzureAdministrator `json:"administrator"`
}

// TenantView is a tenant in a list.
type TenantView struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Domain  string    `json:"domain"` // the default one
	Domains []string  `json:"domains"`
	Country string    `json:"country"`
	Keys    string    `json:"keys"`
	Created time.Time `json:"created_at"`
}

// CreateTenant makes a tenant. The error is config.Problems for what is wrong, fault.Conflict for a domain
// that is taken. Requests wait meanwhile: a domain is given out once.
func (s *Server) CreateTenant(ctx context.Context, in TenantOrder) (TenantMade, error) {
	if in.Domain != "" {
		in.Domains = append([]string{in.Domain}, in.Domains...)
	}
	secret, err := s.newSecret()
	if err != nil {
		return TenantMade{}, err
	}
	s.gate.Lock()
	defer s.gate.Unlock()
	id, err := s.freeDomains(ctx, in.Domains)
	if err != nil {
		return TenantMade{}, err
	}
	tn := tenantOf(id, in, seed.Secret{ID: s.newID(), Name: "created", Value: secret})
	d := seed.Document{Tenants: []seed.Tenant{tn}}
	d.Complete()
	if err := d.Check(); err != nil {
		return TenantMade{}, within("tenants[0]", err)
	}
	if err := s.target().Begin(ctx, d); err != nil {
		return TenantMade{}, err
	}
	have, err := s.store.Tenants.Tenant(ctx, id)
	if err != nil {
		return TenantMade{}, err
	}
	admin := d.Tenants[0].Applications[0]
	made := viewTenant(have)
	return TenantMade{made, folder.AzureAdministrator{
		TenantID: id, Domain: made.Domain, ClientID: admin.AppID, ClientSecret: secret.Reveal(), ObjectID: admin.PrincipalID,
		SubscriptionID: d.Tenants[0].Subscriptions[0].ID,
	}}, nil
}

// freeDomains gives the id of a tenant for domains that are free. Those of a tenant that a server was
// making when it ended are its own again.
func (s *Server) freeDomains(ctx context.Context, domains []string) (id string, err error) {
	for _, d := range domains {
		tn, err := s.store.Tenants.Tenant(ctx, d)
		switch {
		case errors.Is(err, fault.NotFound):
		case err != nil:
			return "", err
		case tn.DisplayName == seed.Unfinished && (id == "" || id == tn.ID):
			id = tn.ID
		default:
			return "", fault.New(fault.Conflict, "tenant", "the domain "+strings.ToLower(d)+" is taken")
		}
	}
	if id == "" {
		id = s.newID()
	}
	return id, nil
}

func tenantOf(id string, in TenantOrder, secret seed.Secret) seed.Tenant {
	name := in.Name
	if name == "" && len(in.Domains) > 0 {
		name = strings.ToLower(in.Domains[0])
	}
	subscription := seed.Subscription{ID: seed.Derived(id, "subscription"), Name: name}
	admin := seed.Application{
		Name: "Treaty administrator", Secrets: []seed.Secret{secret},
		Roles: []seed.Role{{Role: "Owner", Scope: "/subscriptions/" + subscription.ID}},
	}
	for _, p := range adminPermissions {
		admin.Permissions = append(admin.Permissions, seed.Permission{Role: p})
	}
	return seed.Tenant{
		ID: id, Name: name, Country: in.Country, Keys: in.Keys, Domains: append([]string(nil), in.Domains...),
		Applications: []seed.Application{admin}, Subscriptions: []seed.Subscription{subscription},
	}
}

func (s *Server) createTenant(w http.ResponseWriter, r *http.Request) {
	var in TenantOrder
	if !s.readOrder(w, r, &in) {
		return
	}
	out, err := s.CreateTenant(r.Context(), in)
	s.answerControl(w, r, out, err)
}

func (s *Server) listTenants(w http.ResponseWriter, r *http.Request) {
	list, err := s.store.Tenants.Tenants(r.Context())
	out := make([]TenantView, 0, len(list))
	for _, tn := range list {
		out = append(out, viewTenant(tn))
	}
	s.answerControl(w, r, map[string]any{"tenants": out}, err)
}

func viewTenant(tn directory.Tenant) TenantView {
	v := TenantView{ID: tn.ID, Name: tn.DisplayName, Domains: tn.Domains, Country: tn.CountryCode, Keys: "shared", Created: tn.CreatedAt}
	if len(tn.Domains) > 0 {
		v.Domain = tn.Domains[0]
	}
	if tn.OwnKeys {
		v.Keys = "own"
	}
	return v
}

// within words problems of a document that has one item as those of the item alone.
func within(path string, err error) error {
	var ps config.Problems
	if !errors.As(err, &ps) {
		return err
	}
	out := make(config.Problems, len(ps))
	for i, p := range ps {
		out[i] = config.Problem{Path: strings.TrimPrefix(strings.TrimPrefix(p.Path, path), "."), Text: p.Text}
	}
	return out
}
