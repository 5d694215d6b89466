package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/server/config"
	"github.com/treatyfed/treaty/server/seed"
)

// Machines by the control interface, in both modes:
//
//	GET    /_treaty/machines         {"machines":[…]}
//	POST   /_treaty/machines         makes one, of the shape that a seed has, with its "tenant"
//	GET    /_treaty/machines/{name}  with the variables that send clients there, which hold its secret
//	DELETE /_treaty/machines/{name}  with its system-assigned identity

// MachineOrder asks for a machine in a tenant, by id or domain; the first tenant when it names none.
type MachineOrder struct {
	seed.Machine
	Tenant string `json:"tenant,omitempty"`
}

// MachineView is a machine as the control interface gives it.
type MachineView struct {
	Name         string          `json:"name"`
	Kind         string          `json:"kind"`
	ID           string          `json:"id"` // vmId
	Tenant       string          `json:"tenant"`
	Subscription string          `json:"subscription,omitempty"`
	ResourceID   string          `json:"resource_id"`
	System       *SystemIdentity `json:"system_identity,omitempty"`
	Identities   []string        `json:"identities"` // ARM ids
	Environment  []Variable      `json:"environment,omitempty"`
	Created      time.Time       `json:"created_at"`
}

// Variable leads unmodified clients to a machine, or would lead them elsewhere: then it must be unset.
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
	Unset bool   `json:"unset,omitempty"`
	Note  string `json:"note,omitempty"` // what it does not reach, or why it must go
}

// SystemIdentity is a machine's system-assigned identity.
type SystemIdentity struct {
	ObjectID string `json:"object_id"`
	ClientID string `json:"client_id"`
}

// CreateMachine makes a machine. The error is config.Problems for what is wrong, fault.Conflict for a name
// that is taken.
func (s *Server) CreateMachine(ctx context.Context, in MachineOrder) (directory.Machine, error) {
	defer s.hold()()
	if s.config.Proxy == config.Off {
		return directory.Machine{}, config.Problems{{Path: "name", Text: "machines answer at the server's proxy, and this server has none: start it with --proxy"}}
	}
	if in.Tenant == "" {
		in.Tenant = TenantID
	}
	tn, err := s.store.Tenants.Tenant(ctx, in.Tenant)
	if errors.Is(err, fault.NotFound) {
		return directory.Machine{}, config.Problems{{Path: "tenant", Text: "there is no tenant " + in.Tenant}}
	}
	if err != nil {
		return directory.Machine{}, err
	}
	m, err := s.completeMachine(ctx, tn.ID, in.Machine)
	if err != nil {
		return directory.Machine{}, err
	}
	t := s.target()
	if err := t.NewMachine(ctx, tn.ID, s.newID(), m); err != nil {
		if errors.Is(err, fault.Conflict) {
			err = fault.New(fault.Conflict, "machine "+m.Name, "name")
		}
		return directory.Machine{}, refused("machine", err)
	}
	ctx = context.WithoutCancel(ctx) // who has gone away leaves nothing half made
	var ps config.Problems
	t.HoldsOf(ctx, &ps, "", m)
	if len(ps) > 0 { // half of what was asked is not made
		return directory.Machine{}, errors.Join(ps, s.store.Machines.DeleteMachine(ctx, m.Name))
	}
	return s.store.Machines.Machine(ctx, m.Name)
}

// refused makes what an order refers to in vain a problem of the order.
func refused(path string, err error) error {
	if f := (*fault.Fault)(nil); errors.As(err, &f) && f.Kind != fault.NotFound {
		return err
	}
	return config.Problems{{Path: path, Text: err.Error()}}
}

// completeMachine fills in the tenant's first subscription and checks the rest as a seed's machine.
func (s *Server) completeMachine(ctx context.Context, tenant string, m seed.Machine) (seed.Machine, error) {
	if m.Subscription == "" {
		list, err := s.store.Subscriptions.Subscriptions(ctx, tenant)
		if err != nil {
			return m, err
		}
		if len(list) > 0 {
			m.Subscription = list[0].ID
		}
	}
	m.Complete(m.Subscription)
	return m, m.Check()
}

// machineView describes a machine; with its environment, which holds its secret, when that is asked for.
func (s *Server) machineView(ctx context.Context, m directory.Machine, environment bool) (MachineView, error) {
	v := MachineView{
		Name: m.Name, Kind: m.Kind, ID: m.ID, Tenant: m.TenantID, Subscription: m.Subscription, ResourceID: m.ResourceID,
		Identities: m.Identities, Created: m.CreatedAt,
	}
	if v.Identities == nil {
		v.Identities = []string{}
	}
	if m.System != "" {
		p, err := s.store.Principals.Principal(ctx, m.TenantID, m.System)
		if err != nil {
			return v, err
		}
		v.System = &SystemIdentity{ObjectID: p.ID, ClientID: p.AppID}
	}
	if environment {
		for _, e := range s.identities.Environment(m, s.machineBase()) {
			v.Environment = append(v.Environment, Variable(e))
		}
	}
	return v, nil
}

func (s *Server) createMachine(w http.ResponseWriter, r *http.Request) {
	var in MachineOrder
	if !s.readOrder(w, r, &in) {
		return
	}
	m, err := s.CreateMachine(r.Context(), in)
	s.answerMachine(w, r, m, err)
}

func (s *Server) showMachine(w http.ResponseWriter, r *http.Request) {
	m, err := s.store.Machines.Machine(r.Context(), r.PathValue("name"))
	s.answerMachine(w, r, m, err)
}

func (s *Server) answerMachine(w http.ResponseWriter, r *http.Request, m directory.Machine, err error) {
	if err != nil {
		s.answerControl(w, r, nil, err)
		return
	}
	v, err := s.machineView(r.Context(), m, true)
	s.answerControl(w, r, v, err)
}

func (s *Server) listMachines(w http.ResponseWriter, r *http.Request) {
	list, err := s.store.Machines.Machines(r.Context())
	out := make([]MachineView, 0, len(list))
	for _, m := range list {
		if err != nil {
			break
		}
		var v MachineView
		v, err = s.machineView(r.Context(), m, false)
		out = append(out, v)
	}
	s.answerControl(w, r, map[string]any{"machines": out}, err)
}

func (s *Server) deleteMachine(w http.ResponseWriter, r *http.Request) {
	defer s.hold()()
	name := r.PathValue("name")
	err := s.store.Machines.DeleteMachine(r.Context(), name)
	s.answerControl(w, r, map[string]string{"deleted": name}, err)
}
