package store

import (
	"bytes"
	"maps"
	"slices"

	"github.com/treatyfed/treaty/core/directory"
)

// The clone functions copy what the cache keeps, so deep that the copy and the original share no memory
// that either could change. A test asks reflection whether they do.

func cloneTenant(t directory.Tenant) directory.Tenant {
	t.Domains = slices.Clone(t.Domains)
	return t
}

func cloneApplication(a directory.Application) directory.Application {
	a.IdentifierURIs = slices.Clone(a.IdentifierURIs)
	a.Roles = cloneRoles(a.Roles)
	a.Secrets = cloneSecrets(a.Secrets)
	a.Certificates = cloneCertificates(a.Certificates)
	a.Owners = slices.Clone(a.Owners)
	a.Carried = bytes.Clone(a.Carried)
	return a
}

func clonePrincipal(p directory.ServicePrincipal) directory.ServicePrincipal {
	p.Names = slices.Clone(p.Names)
	p.Roles = cloneRoles(p.Roles)
	p.Secrets = cloneSecrets(p.Secrets)
	p.Certificates = cloneCertificates(p.Certificates)
	p.Owners = slices.Clone(p.Owners)
	p.Carried = bytes.Clone(p.Carried)
	return p
}

// cloneRoles puts the member types of all roles into one new array: Graph's principal has hundreds.
func cloneRoles(in []directory.AppRole) []directory.AppRole {
	out := slices.Clone(in)
	n := 0
	for _, r := range in {
		n += len(r.AllowedMemberTypes)
	}
	types := make([]string, 0, n)
	for i, r := range in {
		if r.AllowedMemberTypes != nil {
			from := len(types)
			types = append(types, r.AllowedMemberTypes...)
			out[i].AllowedMemberTypes = types[from:len(types):len(types)]
		}
	}
	return out
}

func cloneSecrets(in []directory.ClientSecret) []directory.ClientSecret {
	out := slices.Clone(in)
	for i := range out {
		out[i].Hash = bytes.Clone(out[i].Hash)
	}
	return out
}

func cloneCertificates(in []directory.Certificate) []directory.Certificate {
	out := slices.Clone(in)
	for i := range out {
		out[i].DER = bytes.Clone(out[i].DER)
	}
	return out
}

func cloneFederatedCredentials(in []directory.FederatedCredential) []directory.FederatedCredential {
	out := slices.Clone(in)
	for i := range out {
		out[i].Audiences = slices.Clone(out[i].Audiences)
		out[i].Description = clonePointer(out[i].Description)
		out[i].Expression = clonePointer(out[i].Expression)
	}
	return out
}

func cloneIdentity(i directory.Identity) directory.Identity {
	i.Logins = slices.Clone(i.Logins)
	return i
}

func clonePool(p directory.IdentityPool) directory.IdentityPool {
	p.AllowClassic = clonePointer(p.AllowClassic)
	p.Tags = maps.Clone(p.Tags)
	p.Settings = bytes.Clone(p.Settings)
	return p
}

func cloneIssuer(i directory.Issuer) directory.Issuer {
	i.Claims = maps.Clone(i.Claims)
	i.Accepts = slices.Clone(i.Accepts)
	for n := range i.Accepts {
		i.Accepts[n].Audiences = slices.Clone(i.Accepts[n].Audiences)
	}
	i.Clients = slices.Clone(i.Clients)
	for n := range i.Clients {
		c := &i.Clients[n]
		c.Secrets = cloneSecrets(c.Secrets)
		c.Keys = bytes.Clone(c.Keys)
		c.Grants = slices.Clone(c.Grants)
		c.Attributes = cloneObject(c.Attributes)
		c.Claims = maps.Clone(c.Claims)
	}
	i.Places = slices.Clone(i.Places)
	return i
}

// cloneObject copies a JSON object as encoding/json decodes it.
func cloneObject(in map[string]any) map[string]any {
	out := maps.Clone(in)
	for k, v := range out {
		out[k] = cloneValue(v)
	}
	return out
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return cloneObject(v)
	case []any:
		out := slices.Clone(v)
		for i := range out {
			out[i] = cloneValue(out[i])
		}
		return out
	}
	return v
}

func cloneMachine(m directory.Machine) directory.Machine {
	m.Identities = slices.Clone(m.Identities)
	m.Principals = maps.Clone(m.Principals)
	return m
}

func clonePointer[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// itself clones what holds no reference.
func itself[T any](v T) T { return v }

func cloneIAMEntity(e directory.IAMEntity) directory.IAMEntity {
	e.Tags = slices.Clone(e.Tags)
	return e
}

func cloneGrants(g directory.Grants) directory.Grants {
	g.Inline = slices.Clone(g.Inline)
	g.Managed = slices.Clone(g.Managed)
	return g
}

func cloneIAMRole(r directory.IAMRole) directory.IAMRole {
	r.IAMEntity, r.Grants = cloneIAMEntity(r.IAMEntity), cloneGrants(r.Grants)
	r.TrustIDs = maps.Clone(r.TrustIDs)
	return r
}

func cloneIAMUser(u directory.IAMUser) directory.IAMUser {
	u.IAMEntity, u.Grants = cloneIAMEntity(u.IAMEntity), cloneGrants(u.Grants)
	return u
}

func cloneIAMGroup(g directory.IAMGroup) directory.IAMGroup {
	g.IAMEntity, g.Grants = cloneIAMEntity(g.IAMEntity), cloneGrants(g.Grants)
	return g
}

func cloneIAMGroups(in []directory.IAMGroup) []directory.IAMGroup {
	out := slices.Clone(in)
	for i := range out {
		out[i] = cloneIAMGroup(out[i])
	}
	return out
}

func cloneIAMPolicy(p directory.IAMPolicy) directory.IAMPolicy {
	p.IAMEntity = cloneIAMEntity(p.IAMEntity)
	p.Versions = slices.Clone(p.Versions)
	return p
}

func cloneOIDCProvider(p directory.OIDCProvider) directory.OIDCProvider {
	p.IAMEntity = cloneIAMEntity(p.IAMEntity)
	p.ClientIDs = slices.Clone(p.ClientIDs)
	p.Thumbprints = slices.Clone(p.Thumbprints)
	return p
}

func cloneSAMLProvider(p directory.SAMLProvider) directory.SAMLProvider {
	p.IAMEntity = cloneIAMEntity(p.IAMEntity)
	p.Keys = slices.Clone(p.Keys)
	for i := range p.Keys {
		p.Keys[i].Sealed = bytes.Clone(p.Keys[i].Sealed)
	}
	return p
}

func cloneMFADevice(d directory.MFADevice) directory.MFADevice {
	d.IAMEntity = cloneIAMEntity(d.IAMEntity)
	d.Sealed = bytes.Clone(d.Sealed)
	return d
}
