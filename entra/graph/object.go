package graph

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/odata"
)

// object is an application or a service principal: what they have in common is credentials and owners.
type object struct {
	app *directory.Application
	sp  *directory.ServicePrincipal
}

// kinds of objects, by their collection.
const (
	applications      = "applications"
	servicePrincipals = "servicePrincipals"
)

func (o object) id() string {
	if o.app != nil {
		return o.app.ID
	}
	return o.sp.ID
}

func (o object) owners() *[]string {
	if o.app != nil {
		return &o.app.Owners
	}
	return &o.sp.Owners
}

func (o object) secrets() *[]directory.ClientSecret {
	if o.app != nil {
		return &o.app.Secrets
	}
	return &o.sp.Secrets
}

func (o object) certificates() *[]directory.Certificate {
	if o.app != nil {
		return &o.app.Certificates
	}
	return &o.sp.Certificates
}

func (o object) resource() string {
	if o.app != nil {
		return "Application"
	}
	return "ServicePrincipal"
}

// path names the object in the audit.
func (o object) path() string {
	if o.app != nil {
		return applications + "/" + o.app.ID
	}
	return servicePrincipals + "/" + o.sp.ID
}

// find reads an object by its key segment: object id, appId=… or, for applications, uniqueName=….
func (s *Service) find(ctx context.Context, c *call, kind, key string) (object, error) {
	if kind == applications {
		a, err := s.findApplication(ctx, c, key)
		return object{app: &a}, err
	}
	sp, err := s.findPrincipal(ctx, c, key)
	return object{sp: &sp}, err
}

func (s *Service) findApplication(ctx context.Context, c *call, key string) (a directory.Application, err error) {
	name, value := odata.Key(key, "appId", "uniqueName")
	if name != "uniqueName" {
		value = canonical(value)
	}
	switch name {
	case "appId":
		a, err = s.Applications.ApplicationByAppID(ctx, value)
		if err == nil && a.TenantID != c.tenant.ID {
			return directory.Application{}, notFound(value)
		}
	case "uniqueName":
		a, err = s.Applications.ApplicationByUniqueName(ctx, c.tenant.ID, value)
	default:
		a, err = s.Applications.Application(ctx, c.tenant.ID, value)
	}
	return a, orNotFound(err, value)
}

func (s *Service) findPrincipal(ctx context.Context, c *call, key string) (sp directory.ServicePrincipal, err error) {
	name, value := odata.Key(key, "appId")
	value = canonical(value)
	if name == "appId" {
		sp, err = s.Principals.PrincipalByAppID(ctx, c.tenant.ID, value)
	} else {
		sp, err = s.Principals.Principal(ctx, c.tenant.ID, value)
	}
	return sp, orNotFound(err, value)
}

// canonical writes a GUID in lower case, as ids are kept; other values stay.
func canonical(id string) string {
	if isGUID(id) {
		return strings.ToLower(id)
	}
	return id
}

// orNotFound gives a missing row Graph's text.
func orNotFound(err error, id string) error {
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return notFound(id)
	}
	return err
}

// permitted finds an object that the caller may use: 403 without the roles, 404 if there is none, 403 for
// an object of others when only ownership would do.
func (s *Service) permitted(ctx context.Context, c *call, kind, key string, n need) (object, error) {
	if err := s.permit(ctx, c, n, kind+"/"+clip(key), nil); err != nil {
		return object{}, err
	}
	o, err := s.find(ctx, c, kind, key)
	if err != nil {
		return object{}, err
	}
	return o, s.permit(ctx, c, n, o.path(), o.owners())
}

// attempts bounds how often a change is tried again when another one came first.
const attempts = 8

// change is rewrite for what Azure does not manage: of a managed identity's service principal neither owners
// nor credentials can be changed here.
func (s *Service) change(ctx context.Context, c *call, kind, key string, edit func(o object) error) (object, error) {
	return s.rewrite(ctx, c, kind, key, func(o object) error {
		if err := s.unmanaged(ctx, c, o); err != nil {
			return err
		}
		return edit(o)
	})
}

// rewrite reads an object, lets edit change it and writes it back, again if somebody else wrote in
// between. edit may be called several times and must depend on nothing it changed before.
func (s *Service) rewrite(ctx context.Context, c *call, kind, key string, edit func(o object) error) (object, error) {
	for range attempts {
		o, err := s.permitted(ctx, c, kind, key, writeApplications)
		if err != nil {
			return o, err
		}
		if err := edit(o); err != nil {
			return o, err
		}
		switch err = s.update(ctx, o); {
		case err == nil:
			return o, s.record(ctx, c, o.path())
		case !stale(err):
			return o, err
		}
	}
	return object{}, concurrency()
}

// stale reports whether a write failed because somebody else wrote since the read.
func stale(err error) bool {
	var f *fault.Fault
	return errors.As(err, &f) && f.Kind == fault.Conflict && f.Reason == "version"
}

func concurrency() *failure {
	return &failure{Status: http.StatusConflict, Code: "Directory_ConcurrencyViolation", Message: "Requests to update directory objects have been rejected due to concurrency. Please retry."}
}

func (s *Service) update(ctx context.Context, o object) error {
	if o.app != nil {
		return s.Applications.UpdateApplication(ctx, *o.app)
	}
	return s.Principals.UpdatePrincipal(ctx, *o.sp)
}
