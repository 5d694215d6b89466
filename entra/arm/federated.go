package arm

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/rest"
)

// Limits of federated identity credentials (learn.microsoft.com entra/workload-id, "Important considerations
// and restrictions for federated identity credentials").
const (
	maxCredentials     = 20  // of an identity
	maxCredentialValue = 600 // characters of issuer, subject, audience
)

var credentialName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{2,119}$`)

type credentialProperties struct {
	Issuer    string   `json:"issuer"`
	Subject   string   `json:"subject"`
	Audiences []string `json:"audiences"`
}

// credentialView is a federated credential of a user-assigned identity on the wire.
type credentialView struct {
	ID         string               `json:"id"`
	Name       string               `json:"name"`
	Type       string               `json:"type"`
	Properties credentialProperties `json:"properties"`
	status     int
}

// Status tells a created credential from an updated one.
func (v *credentialView) Status() int { return v.status }

func viewCredential(owner directory.Resource, f directory.FederatedCredential, status int) *credentialView {
	return &credentialView{ID: credentialID(owner, f.Name), Name: f.Name, Type: credentialType, status: status,
		Properties: credentialProperties{f.Issuer, f.Subject, f.Audiences}}
}

func credentialID(owner directory.Resource, name string) string {
	return owner.ID + "/federatedIdentityCredentials/" + name
}

// credentials reads the identity of the call and its federated credentials. verb is what ARM's error for
// a missing identity says of the call.
func (s *Service) credentials(ctx context.Context, verb string) (r directory.Resource, owner string, fs []directory.FederatedCredential, err error) {
	t := callOf(ctx).target
	r, err = s.resource(ctx, t)
	var refused *Error
	if errors.As(err, &refused) && refused.Code == "ResourceNotFound" {
		return r, "", nil, errorf(404, "ParentResourceNotFound", "Failed to perform '%s' on resource(s) of type '%s', because the parent resource '%s' could not be found.",
			verb, strings.Join(t.Types, "/"), resourceID(t.Scope, t.Namespace, t.Types[:1], t.Names[:1]))
	}
	if err != nil {
		return r, "", nil, err
	}
	var stored identity
	if err := decodeBody(r, &stored); err != nil {
		return r, "", nil, err
	}
	fs, err = s.Federated.FederatedCredentials(ctx, stored.PrincipalID)
	return r, stored.PrincipalID, fs, err
}

// named finds a credential in any case of letters, as ARM's names are, while the directory's are exact.
func named(fs []directory.FederatedCredential, name string) (directory.FederatedCredential, bool) {
	i := slices.IndexFunc(fs, func(f directory.FederatedCredential) bool { return is(f.Name, name) })
	if i < 0 {
		return directory.FederatedCredential{}, false
	}
	return fs[i], true
}

func (s *Service) listCredentials(ctx context.Context, in *paging) (*list[*credentialView], error) {
	c := callOf(ctx)
	limit, after, err := in.cursor()
	if err != nil {
		return nil, err
	}
	r, _, fs, err := s.credentials(ctx, "read")
	if err != nil {
		return nil, err
	}
	slices.SortFunc(fs, func(a, b directory.FederatedCredential) int { return strings.Compare(lower(a.Name), lower(b.Name)) })
	out := &list[*credentialView]{Value: []*credentialView{}}
	for _, f := range fs {
		switch {
		case lower(credentialID(r, f.Name)) <= after:
		case len(out.Value) == limit:
			out.NextLink = in.nextLink(c, r.ID+"/federatedIdentityCredentials", out.Value[limit-1].ID)
			return out, nil
		default:
			out.Value = append(out.Value, viewCredential(r, f, http.StatusOK))
		}
	}
	return out, nil
}

func (s *Service) getCredential(ctx context.Context, _ *struct{}) (*credentialView, error) {
	t := callOf(ctx).target
	r, _, fs, err := s.credentials(ctx, "read")
	if err != nil {
		return nil, err
	}
	f, ok := named(fs, t.Name())
	if !ok {
		return nil, errResourceNotFound(identityType+"/"+r.Name+"/federatedIdentityCredentials/"+t.Name(), t.Group)
	}
	return viewCredential(r, f, http.StatusOK), nil
}

// credentialIn is what a client may send.
type credentialIn struct {
	Properties struct {
		Issuer     string          `json:"issuer"`
		Subject    string          `json:"subject"`
		Audiences  []string        `json:"audiences"`
		Expression json.RawMessage `json:"claimsMatchingExpression"`
	} `json:"properties"`
}

// credential validates a request and turns it into what is stored. The texts on missing values and on
// audiences are recorded ones (zioproto/istio-aks-example issue 6, Azure/azure-cli issue 31598).
func (in *credentialIn) credential(name string) (directory.FederatedCredential, error) {
	p := in.Properties
	f := directory.FederatedCredential{Name: name, Issuer: p.Issuer, Subject: p.Subject, Audiences: p.Audiences}
	switch {
	case !credentialName.MatchString(name):
		return f, errorf(400, "BadRequest", "Federated Identity Credential name '%s' is invalid. Alphanumeric, dash, underscore, no more than 3-120 symbols. First symbol is alphanumeric.", name)
	case says(p.Expression):
		return f, errorf(400, "NotSupported", "The property 'properties.claimsMatchingExpression' is not supported for federated identity credentials of managed identities.")
	case p.Issuer == "" || p.Subject == "" || p.Audiences == nil:
		return f, errorf(400, "BadRequest", "The request format was unexpected. Federated Identity Credential must specify 'issuer', 'subject' and 'audience'.")
	case len(p.Audiences) != 1:
		return f, errorf(400, "InvalidFederatedIdentityCredentialsAudienceLength", "Federated identity credentials must have exactly 1 audience.")
	case p.Audiences[0] == "":
		return f, errorf(400, "BadRequest", "Federated Identity Credential from HTTP body has empty properties")
	}
	for _, v := range []struct{ property, value string }{{"issuer", p.Issuer}, {"subject", p.Subject}, {"audiences", p.Audiences[0]}} {
		if utf8.RuneCountInString(v.value) > maxCredentialValue {
			return f, errorf(400, "BadRequest", "The request format was unexpected: '%s' is longer than %d characters.", v.property, maxCredentialValue)
		}
		if strings.Contains(v.value, "*") {
			return f, errorf(400, "BadRequest", "The request format was unexpected: wildcard characters are not supported in '%s'.", v.property)
		}
	}
	return f, nil
}

// claim reserves an identity for one write of its credentials: of two that have read the same, the second
// is refused, as Azure refuses concurrent writes.
func (s *Service) claim(ctx context.Context, r directory.Resource) error {
	_, err := s.Resources.PutResource(ctx, r)
	if errors.Is(err, fault.Conflict) {
		return errConcurrent(r)
	}
	return err
}

// errConcurrent is a recorded answer (Azure/bicep-registry-modules issue 1447), whose id is spelled so.
func errConcurrent(r directory.Resource) *Error {
	id := "/subscriptions/" + r.Subscription + "/resourcegroups/" + groupOf(r.ID) + "/providers/" + lower(identityType) + "/" + r.Name
	return errorf(409, "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity", "Too many Federated Identity Credentials are written concurrently for the managed identity '%s'. Concurrent Federated Identity Credentials writes under the same managed identity are not supported.", id)
}

// credentialFailure gives the store's refusals Azure's codes and texts.
func credentialFailure(err error, r directory.Resource) error {
	var cause *fault.Fault
	switch {
	case errors.Is(err, fault.LimitExceeded):
		return errorf(400, "BadRequest", "The managed identity has reached the maximum of %d federated identity credentials.", maxCredentials)
	case errors.As(err, &cause) && cause.Kind == fault.Conflict && cause.Reason == "subject":
		return errorf(409, "Conflict", "Issuer and subject combination already exists for this Managed Identity.")
	case errors.Is(err, fault.Conflict), errors.Is(err, fault.NotFound):
		return errConcurrent(r) // the name was taken, or it or the identity removed, since we looked
	}
	return err
}

func (s *Service) putCredential(ctx context.Context, in *struct {
	Body credentialIn `body:""`
}) (*credentialView, error) {
	r, owner, fs, err := s.credentials(ctx, "write")
	if err != nil {
		return nil, err
	}
	f, err := in.Body.credential(callOf(ctx).target.Name())
	if err != nil {
		return nil, err
	}
	f.OwnerID = owner
	old, exists := named(fs, f.Name)
	if exists {
		f.ID, f.Name = old.ID, old.Name
	} else if f.ID, err = s.newID(); err != nil {
		return nil, err
	}
	if err := s.claim(ctx, r); err != nil {
		return nil, err
	}
	if exists {
		err = s.Federated.UpdateFederatedCredential(ctx, f)
	} else {
		err = s.Federated.CreateFederatedCredential(ctx, f, maxCredentials)
	}
	if err != nil {
		return nil, credentialFailure(err, r)
	}
	return viewCredential(r, f, putStatus(!exists)), nil
}

// deleteCredential answers 200, or 204 if there was none.
func (s *Service) deleteCredential(ctx context.Context, _ *struct{}) (*rest.Empty, error) {
	r, owner, fs, err := s.credentials(ctx, "delete")
	if err != nil {
		return nil, err
	}
	f, ok := named(fs, callOf(ctx).target.Name())
	if !ok {
		return &rest.Empty{Code: http.StatusNoContent}, nil
	}
	if err := s.claim(ctx, r); err != nil {
		return nil, err
	}
	if err := s.Federated.DeleteFederatedCredential(ctx, owner, f.ID); err != nil {
		return nil, credentialFailure(err, r)
	}
	return &rest.Empty{Code: http.StatusOK}, nil
}
