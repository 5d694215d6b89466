package graph

import "github.com/treatyfed/treaty/wire/rest"

// routes is everything that Graph serves here.
func (s *Service) routes() []rest.Route {
	out := []rest.Route{
		route(s, "GET", "applications", "List applications", s.listApplications),
		route(s, "GET", "applications/$count", "Count applications", s.countApplications),
		route(s, "POST", "applications", "Create application", s.createApplication),
		route(s, "GET", "applications/{key}", "Get application", s.getApplication),
		route(s, "PATCH", "applications/{key}", "Update application", s.updateApplication),
		route(s, "DELETE", "applications/{key}", "Delete application", s.deleteApplication),

		route(s, "GET", "applications/{key}/federatedIdentityCredentials", "List federatedIdentityCredentials", s.listFederated),
		route(s, "POST", "applications/{key}/federatedIdentityCredentials", "Create federatedIdentityCredential", s.createFederated),
		route(s, "GET", "applications/{key}/federatedIdentityCredentials/{child}", "Get federatedIdentityCredential", s.getFederated),
		route(s, "PATCH", "applications/{key}/federatedIdentityCredentials/{child}", "Update federatedIdentityCredential", s.updateFederated),
		route(s, "DELETE", "applications/{key}/federatedIdentityCredentials/{child}", "Delete federatedIdentityCredential", s.deleteFederated),

		route(s, "GET", "servicePrincipals", "List servicePrincipals", s.listPrincipals),
		route(s, "GET", "servicePrincipals/$count", "Count servicePrincipals", s.countPrincipals),
		route(s, "POST", "servicePrincipals", "Create servicePrincipal", s.createPrincipal),
		route(s, "GET", "servicePrincipals/{key}", "Get servicePrincipal", s.getPrincipal),
		route(s, "PATCH", "servicePrincipals/{key}", "Update servicePrincipal", s.updatePrincipal),
		route(s, "DELETE", "servicePrincipals/{key}", "Delete servicePrincipal", s.deletePrincipal),
		route(s, "GET", "servicePrincipals/{key}/ownedObjects", "List ownedObjects", s.ownedObjects),

		route(s, "GET", "users", "List users", s.listUsers),
		route(s, "GET", "users/$count", "Count users", s.countUsers),
		route(s, "GET", "users/{key}", "Get user", s.getUser),
		route(s, "GET", "me", "Get me", s.me),
		route(s, "GET", "me/ownedObjects", "List ownedObjects", s.myOwnedObjects),

		route(s, "GET", "organization", "List organization", s.listOrganizations),
		route(s, "GET", "organization/{key}", "Get organization", s.getOrganization),
		route(s, "GET", "domains", "List domains", s.listDomains),
		route(s, "GET", "domains/{key}", "Get domain", s.getDomain),
		route(s, "GET", "oauth2PermissionGrants", "List oauth2PermissionGrants", s.listGrants),
		route(s, "GET", "directoryObjects/{key}", "Get directoryObject", s.getObject),
		route(s, "POST", "directoryObjects/getByIds", "Get directoryObjects by ids", s.getByIDs),
	}
	for _, kind := range []string{applications, servicePrincipals} {
		out = append(out,
			route(s, "POST", kind+"/{key}/addPassword", "addPassword", s.addPassword(kind)),
			route(s, "POST", kind+"/{key}/removePassword", "removePassword", s.removePassword(kind)),
			route(s, "POST", kind+"/{key}/addKey", "addKey", s.addKey(kind)),
			route(s, "POST", kind+"/{key}/removeKey", "removeKey", s.removeKey(kind)),
			route(s, "GET", kind+"/{key}/owners", "List owners", s.listOwners(kind)),
			route(s, "GET", kind+"/{key}/owners/$ref", "List owner references", s.listOwnerReferences(kind)),
			route(s, "POST", kind+"/{key}/owners/$ref", "Add owner", s.addOwner(kind)),
			route(s, "GET", kind+"/{key}/owners/{child}/$ref", "Get owner reference", s.getOwnerReference(kind)),
			route(s, "DELETE", kind+"/{key}/owners/{child}/$ref", "Remove owner", s.removeOwner(kind)),
		)
	}
	for _, at := range []side{ofPrincipal, onResource, ofUser} {
		path := at.collection + "/{key}/" + at.navigation
		out = append(out,
			route(s, "GET", path, "List "+at.navigation, s.listAssignments(at)),
			route(s, "POST", path, "Create "+at.navigation, s.createAssignment(at)),
			route(s, "GET", path+"/{child}", "Get "+at.navigation, s.getAssignment(at)),
			route(s, "DELETE", path+"/{child}", "Delete "+at.navigation, s.deleteAssignment(at)),
		)
	}
	return out
}
