package seed

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/server/config"
)

// application makes an app registration, its service principal and its trusts.
func (t Target) application(ctx context.Context, ps *config.Problems, path string, tn directory.Tenant, a Application) {
	app, err := t.registration(tn.ID, a)
	if !note(ps, path, err) ||
		!note(ps, path, again(func() error { app.ID, err = t.register(ctx, app); return err })) ||
		!note(ps, path, again(func() error { return t.principal(ctx, tn, a, app) })) {
		return
	}
	for i, c := range a.FederatedCredentials {
		note(ps, fmt.Sprintf("%s.federated_credentials[%d]", path, i), again(func() error { return t.trust(ctx, app.ID, c) }))
	}
}

// again repeats what reads and then writes, when somebody else, such as a replica that starts at the same
// time, wrote in between.
func again(f func() error) error {
	err := f()
	for range attempts {
		if !errors.Is(err, fault.Conflict) {
			return err
		}
		err = f()
	}
	return err
}

// attempts bounds again: each one that is lost is one that another replica has won.
const attempts = 16

// register creates or updates an application and gives its object id.
func (t Target) register(ctx context.Context, want directory.Application) (id string, err error) {
	have, err := t.Applications.ApplicationByAppID(ctx, want.AppID)
	if errors.Is(err, fault.NotFound) {
		return want.ID, t.Applications.CreateApplication(ctx, want)
	}
	if err != nil {
		return want.ID, err
	}
	if have.TenantID != want.TenantID {
		return want.ID, fmt.Errorf("the application belongs to tenant %s", have.TenantID)
	}
	if m := merged(have, want); !reflect.DeepEqual(m, have) {
		err = t.Applications.UpdateApplication(ctx, m)
	}
	return have.ID, err
}

// registration is the application that the document describes.
func (t Target) registration(tenant string, a Application) (directory.Application, error) {
	out := directory.Application{
		ID: a.ObjectID, TenantID: tenant, AppID: a.AppID, DisplayName: a.Name, UniqueName: a.UniqueName, SignInAudience: a.SignInAudience,
		IdentifierURIs: a.IdentifierURIs, TokenVersion: a.TokenVersion, PublicClient: a.PublicClient, CreatedAt: t.Now(),
	}
	for _, r := range a.AppRoles {
		out.Roles = append(out.Roles, directory.AppRole{
			ID: r.ID, AllowedMemberTypes: r.Members, Description: r.Description, DisplayName: r.Name, Enabled: true, Origin: "Application", Value: r.Value,
		})
	}
	for _, s := range a.Secrets {
		end, err := day(s.Expires)
		if err != nil {
			return out, err
		}
		out.Secrets = append(out.Secrets, directory.ClientSecret{
			ID: s.ID, DisplayName: s.Name, Hint: s.Value.Reveal()[:min(3, len(s.Value))], Hash: t.Sealer.Hash(s.Value), NotBefore: t.Now(), NotAfter: end,
		})
	}
	for _, c := range a.Certificates {
		cert, err := certificate(c.PEM)
		if err != nil {
			return out, err
		}
		out.Certificates = append(out.Certificates, directory.Certificate{
			ID: c.ID, DisplayName: c.Name, Type: "AsymmetricX509Cert", Usage: "Verify", DER: cert.Raw, NotBefore: cert.NotBefore, NotAfter: cert.NotAfter,
		})
	}
	return out, nil
}

// merged lays what the document says over what is there; credentials that it does not name stay.
func merged(have, want directory.Application) directory.Application {
	want.ID, want.CreatedAt, want.Version, want.Carried, want.Owners = have.ID, have.CreatedAt, have.Version, have.Carried, have.Owners
	for i, s := range want.Secrets {
		if j := slices.IndexFunc(have.Secrets, func(h directory.ClientSecret) bool { return h.ID == s.ID }); j >= 0 {
			want.Secrets[i].NotBefore = have.Secrets[j].NotBefore
		}
	}
	for _, s := range have.Secrets {
		if !slices.ContainsFunc(want.Secrets, func(w directory.ClientSecret) bool { return w.ID == s.ID }) {
			want.Secrets = append(want.Secrets, s)
		}
	}
	for _, c := range have.Certificates {
		if !slices.ContainsFunc(want.Certificates, func(w directory.Certificate) bool { return w.ID == c.ID }) {
			want.Certificates = append(want.Certificates, c)
		}
	}
	return want
}

// principal makes the application's presence in its own tenant. Its names are those by which tokens for it
// are asked.
func (t Target) principal(ctx context.Context, tn directory.Tenant, a Application, app directory.Application) error {
	want := directory.ServicePrincipal{
		ID: a.PrincipalID, TenantID: tn.ID, AppID: a.AppID, DisplayName: a.Name, Type: "Application", OwnerTenant: tn.ID,
		Names: append([]string{a.AppID}, a.IdentifierURIs...), Enabled: true, CreatedAt: app.CreatedAt,
	}
	have, err := t.Principals.PrincipalByAppID(ctx, tn.ID, a.AppID)
	if errors.Is(err, fault.NotFound) {
		return t.Principals.CreatePrincipal(ctx, want)
	}
	if err != nil {
		return err
	}
	if have.DisplayName == want.DisplayName && slices.Equal(have.Names, want.Names) {
		return nil
	}
	have.DisplayName, have.Names = want.DisplayName, want.Names
	return t.Principals.UpdatePrincipal(ctx, have)
}

func (t Target) trust(ctx context.Context, application string, c FederatedCredential) error {
	want := directory.FederatedCredential{
		ID: c.ID, OwnerID: application, Name: c.Name, Issuer: c.Issuer, Subject: c.Subject, Audiences: c.Audiences,
	}
	if c.Description != "" {
		want.Description = &c.Description
	}
	if c.Expression != "" {
		want.Expression = &directory.Expression{Value: c.Expression, LanguageVersion: 1}
	}
	have, err := t.Federated.FederatedCredential(ctx, application, c.Name)
	if errors.Is(err, fault.NotFound) {
		return t.Federated.CreateFederatedCredential(ctx, want, maxFederated)
	}
	if err != nil {
		return err
	}
	want.ID = have.ID
	return t.Federated.UpdateFederatedCredential(ctx, want)
}
