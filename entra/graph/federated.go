package graph

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/trust"
	"github.com/treatyfed/treaty/wire/odata"
	"github.com/treatyfed/treaty/wire/rest"
)

// Limits of federated identity credentials (resources/federatedidentitycredential; Entra's "Important
// considerations for workload identity federation").
const (
	maxFederated      = 20  // of an application
	maxFederatedValue = 600 // characters of issuer, subject, audience, description
)

var federatedName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{2,119}$`)

// federatedSchema is the federatedIdentityCredential resource type.
var federatedSchema = newSchema("FederatedIdentityCredential",
	odata.Type{Name: "federatedIdentityCredential", CaseSensitive: true},
	property{name: "id", readOnly: true},
	property{name: "name", form: aText},
	property{name: "issuer", form: aText},
	property{name: "subject", form: aText},
	property{name: "description", form: aText},
	property{name: "audiences", form: texts, initial: "[]"},
	property{name: "claimsMatchingExpression", form: anObject, beta: true},
)

func federatedResource(c *call, f directory.FederatedCredential) map[string]any {
	m := map[string]any{
		"id": f.ID, "name": f.Name, "issuer": f.Issuer, "subject": text(f.Subject), "description": nil, "audiences": values(f.Audiences),
	}
	if f.Description != nil {
		m["description"] = *f.Description
	}
	if c.beta() {
		m["claimsMatchingExpression"] = nil
		if e := f.Expression; e != nil {
			m["claimsMatchingExpression"] = map[string]any{"value": e.Value, "languageVersion": e.LanguageVersion}
		}
	}
	return m
}

func federatedContext(application string) string {
	return applications + "('" + application + "')/federatedIdentityCredentials"
}

// federatedList is the collection of an application's credentials.
func (s *Service) federatedList(ctx context.Context, c *call, application string) (collection, error) {
	all, err := s.FederatedCredentials.FederatedCredentials(ctx, application)
	if err != nil {
		return collection{}, err
	}
	items := make([]map[string]any, len(all))
	for i, f := range all {
		items[i] = federatedResource(c, f)
	}
	return collection{typ: federatedSchema.typ, context: federatedContext(application), fetch: inMemory(items)}, nil
}

func (s *Service) listFederated(ctx context.Context, c *call, in *byKey) (*answer, error) {
	o, err := s.permitted(ctx, c, applications, in.Key, readApplications)
	if err != nil {
		return nil, err
	}
	col, err := s.federatedList(ctx, c, o.app.ID)
	if err != nil {
		return nil, err
	}
	return s.list(ctx, c, col)
}

// federated finds a credential by its id or name, or by (name='…').
func (s *Service) federated(ctx context.Context, application, key string) (directory.FederatedCredential, error) {
	_, value := odata.Key(key, "name")
	f, err := s.FederatedCredentials.FederatedCredential(ctx, application, value)
	if fault.KindOf(err) == fault.NotFound && canonical(value) != value { // an id in upper case, unless it was a name
		f, err = s.FederatedCredentials.FederatedCredential(ctx, application, canonical(value))
	}
	return f, orNotFound(err, value)
}

func (s *Service) getFederated(ctx context.Context, c *call, in *byChild) (*answer, error) {
	o, err := s.permitted(ctx, c, applications, in.Key, readApplications)
	if err != nil {
		return nil, err
	}
	f, err := s.federated(ctx, o.app.ID, in.Child)
	if err != nil {
		return nil, err
	}
	return s.one(ctx, c, collection{typ: federatedSchema.typ, context: federatedContext(o.app.ID)}, federatedResource(c, f))
}

func (s *Service) createFederated(ctx context.Context, c *call, in *keyBody) (*answer, error) {
	o, err := s.permitted(ctx, c, applications, in.Key, writeApplications)
	if err != nil {
		return nil, err
	}
	return s.makeFederated(ctx, c, o, in.Body, "")
}

// makeFederated creates a credential; name is that of the URL of an upsert, "" to take the body's.
func (s *Service) makeFederated(ctx context.Context, c *call, o object, body payload, name string) (*answer, error) {
	f := directory.FederatedCredential{ID: s.newGUID(), OwnerID: o.app.ID, Name: name}
	if err := applyFederated(c, &f, body); err != nil {
		return nil, err
	}
	if err := s.FederatedCredentials.CreateFederatedCredential(ctx, f, maxFederated); err != nil {
		return nil, federatedFailure(err, f)
	}
	if err := s.record(ctx, c, o.path()+"/federatedIdentityCredentials/"+f.ID); err != nil {
		return nil, err
	}
	return s.created(c, federatedContext(o.app.ID), federatedResource(c, f)), nil
}

// federatedFailure gives the store's refusals Graph's codes and texts. Name: wire evidence; issuer and
// subject: Azure/azure-workload-identity issue 434.
func federatedFailure(err error, f directory.FederatedCredential) error {
	var cause *fault.Fault
	switch {
	case errors.Is(err, fault.LimitExceeded):
		return badRequest("Federated Identity Credential creation failed because the application has reached the maximum of 20 federated identity credentials.")
	case errors.As(err, &cause) && cause.Kind == fault.Conflict && cause.Reason == "subject":
		return invalidFederated("The combination of issuer and subject must be unique for the application. Issuer "+f.Issuer+" and Subject: "+f.Subject+" already exist.", "Subject", f.Subject)
	case errors.Is(err, fault.Conflict):
		return conflict("FederatedIdentityCredential with name " + f.Name + " already exists.")
	}
	return orNotFound(err, f.OwnerID)
}

func invalidFederated(message, property, value string) *failure {
	return &failure{Status: 400, Code: "InvalidFederatedIdentityCredentialValue", Message: message + " paramName: FederatedIdentityCredential." + property +
		", paramValue: " + value + ", objectType: Microsoft.Online.DirectoryServices.Application"}
}

// updateFederated is PATCH. On (name='…') with Prefer: create-if-missing it creates what is missing and
// answers 201, else 204 (graph/api/federatedidentitycredential-upsert).
func (s *Service) updateFederated(ctx context.Context, c *call, in *childBody) (*answer, error) {
	o, err := s.permitted(ctx, c, applications, in.Key, writeApplications)
	if err != nil {
		return nil, err
	}
	alternate, name := odata.Key(in.Child, "name")
	f, err := s.federated(ctx, o.app.ID, in.Child)
	if missing(err) && alternate != "" && c.prefers("create-if-missing") {
		return s.makeFederated(ctx, c, o, in.Body, name)
	}
	if err != nil {
		return nil, err
	}
	if err := applyFederated(c, &f, in.Body); err != nil {
		return nil, err
	}
	if err := s.FederatedCredentials.UpdateFederatedCredential(ctx, f); err != nil {
		return nil, federatedFailure(err, f)
	}
	return nil, s.record(ctx, c, o.path()+"/federatedIdentityCredentials/"+f.ID)
}

func (s *Service) deleteFederated(ctx context.Context, c *call, in *byChild) (*answer, error) {
	o, err := s.permitted(ctx, c, applications, in.Key, writeApplications)
	if err != nil {
		return nil, err
	}
	f, err := s.federated(ctx, o.app.ID, in.Child)
	if err != nil {
		return nil, err
	}
	if err := s.FederatedCredentials.DeleteFederatedCredential(ctx, o.app.ID, f.ID); err != nil {
		return nil, orNotFound(err, in.Child)
	}
	return nil, s.record(ctx, c, o.path()+"/federatedIdentityCredentials/"+f.ID)
}

// applyFederated writes a body into a credential and checks the whole. The name, once it is set, stays;
// clients that send it along unchanged are welcome.
func applyFederated(c *call, f *directory.FederatedCredential, body payload) error {
	p, err := federatedSchema.read(body, c.beta(), map[string]any{"id": f.ID})
	if err != nil {
		return err
	}
	name := f.Name
	for _, m := range []struct {
		name string
		to   any
	}{{"name", &name}, {"issuer", &f.Issuer}, {"audiences", &f.Audiences}, {"description", &f.Description}} {
		if _, err := p.set(m.name, m.to); err != nil {
			return invalidValue(m.name, federatedSchema.resource)
		}
	}
	if f.Name != "" && name != f.Name {
		return badRequest("Property name is immutable and cannot be changed after the FederatedIdentityCredential is created.")
	}
	f.Name = name
	if raw, ok := p["subject"]; ok {
		f.Subject = ""
		if err := rest.Decode(raw, &f.Subject); err != nil {
			return invalidValue("subject", federatedSchema.resource)
		}
	}
	if raw, ok := p["claimsMatchingExpression"]; ok {
		f.Expression = nil
		if err := rest.Decode(raw, &f.Expression); err != nil {
			return invalidValue("claimsMatchingExpression", federatedSchema.resource)
		}
	}
	return checkFederated(*f)
}

func checkFederated(f directory.FederatedCredential) error {
	required := func(property string) error {
		return badRequest("A value is required for property '" + property + "' of resource '" + federatedSchema.resource + "'.")
	}
	switch {
	case f.Name == "":
		return required("name")
	case !federatedName.MatchString(f.Name):
		return invalidValue("name", federatedSchema.resource)
	case f.Issuer == "":
		return required("issuer")
	case f.Subject == "" && f.Expression == nil:
		return required("subject")
	case f.Subject != "" && f.Expression != nil:
		return badRequest("Only one of 'subject' and 'claimsMatchingExpression' can be specified for resource '" + federatedSchema.resource + "'.")
	case len(f.Audiences) != 1 || f.Audiences[0] == "":
		return badRequest("Federated identity credentials must have exactly one audience.")
	}
	description := ""
	if f.Description != nil {
		description = *f.Description
	}
	for _, v := range []struct{ property, value string }{
		{"issuer", f.Issuer}, {"subject", f.Subject}, {"audiences", f.Audiences[0]}, {"description", description},
	} {
		if len([]rune(v.value)) > maxFederatedValue {
			return badRequest("Invalid value specified for property '" + v.property + "' of resource '" + federatedSchema.resource + "': it is longer than 600 characters.")
		}
		if v.property != "description" && strings.Contains(v.value, "*") {
			return invalidFederated("Wildcard characters are not supported in any federated identity credential property value.", v.property, clip(v.value))
		}
	}
	if f.Expression != nil {
		return checkExpression(f.Issuer, *f.Expression)
	}
	return nil
}

// expressionClaims are the claims that an expression may ask of an issuer; nil for an issuer that may not
// be trusted by expression (learn.microsoft.com entra/workload-id, "Flexible federated identity
// credentials"): GitHub, GitLab, its own hosts included, and HCP Terraform.
func expressionClaims(issuer string) []string {
	switch issuer {
	case "https://token.actions.githubusercontent.com":
		return []string{"sub", "job_workflow_ref", "repository_id"}
	case "https://gitlab.com", "https://app.terraform.io":
		return []string{"sub"}
	}
	if host, https := strings.CutPrefix(issuer, "https://"); https && strings.HasPrefix(host, "gitlab.") && !strings.Contains(host, "/") {
		return []string{"sub"}
	}
	return nil
}

func checkExpression(issuer string, e directory.Expression) error {
	refuse := func(why string) error {
		return invalidFederated(why, "ClaimsMatchingExpression", clip(e.Value))
	}
	claims := expressionClaims(issuer)
	switch {
	case claims == nil:
		return refuse("Issuer '" + clip(issuer) + "' may not use credentials matching via expression.")
	case e.LanguageVersion != 1:
		return refuse("The claims matching expression's language version must be 1.")
	}
	parsed, err := trust.ParseExpression(e.Value)
	if err != nil {
		return refuse("The claims matching expression is not valid: " + err.Error() + ".")
	}
	for _, clause := range parsed.Clauses {
		if !slices.Contains(claims, clause.Claim) {
			return refuse("Claim '" + clip(clause.Claim) + "' may not be used in a claims matching expression for issuer '" + issuer + "'.")
		}
	}
	return nil
}
