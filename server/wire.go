package server

import (
	"net/http"
	"time"

	"github.com/treatyfed/treaty/aws/cognitoidentity"
	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/aws/sts"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/entra/arm"
	"github.com/treatyfed/treaty/entra/graph"
	"github.com/treatyfed/treaty/entra/oauth"
	"github.com/treatyfed/treaty/server/names"
)

// leeway is how far clocks may differ (Microsoft identity platform: "a five-minute clock skew").
const leeway = 5 * time.Minute

// ownAlgorithms are those of the tokens that we issue to ourselves.
var ownAlgorithms = []string{"RS256"}

// wire lists every handler with what it depends on, and says which surface each one is.
func (s *Server) wire() map[names.Surface]http.Handler {
	db, now := s.store, s.clock.Now
	s.keys = &token.Keyring{
		Store: db.Keys, Now: now, Rand: s.rand,
		Kinds: map[string]token.Kind{
			oauth.Ring:           {KeyID: token.CertificateThumbprint, Subject: "accounts.accesscontrol.windows.net"},
			cognitoidentity.Name: {KeyID: token.Numbered},
		},
	}
	s.remote = &token.Discovery{Fetcher: s.outbound, LoopbackHTTP: s.outbound.LoopbackHTTP(), Now: realNow}
	own := &token.Verifier{Source: token.Local{Keys: s.keys, Ring: oauth.Ring}, Algorithms: ownAlgorithms, Leeway: leeway, Now: now}

	dispatcher := &op.Dispatcher{
		Services: []op.Service{
			sts.Service{}.Describe(),
			cognitoidentity.Service{
				Pools: db.Pools, Identities: db.Identities, Keys: s.keys, Audit: db.Audit, Sealer: s.sealer,
				Issuer: s.names.CognitoIssuer, Now: now, Rand: s.rand,
			}.Describe(),
		},
		Accounts: db.Accounts, Audit: db.Audit, Region: s.config.Region, Now: now, Rand: s.rand, Log: s.log,
	}
	documents := cognitoidentity.Discovery{
		Issuer: s.names.CognitoIssuer, Keys: s.keys, Store: db.Keys, Regions: []string{s.config.Region}, Endpoint: s.cognitoEndpoint,
	}
	s.authority = &oauth.Service{
		Tenants: db.Tenants, Applications: db.Applications, Principals: db.Principals, Federated: db.FederatedCredentials,
		Assignments: db.AppRoleAssignments, Keys: s.keys, Sealer: s.sealer, Audit: db.Audit,
		Verifier: token.Verifier{Source: s.remote, Algorithms: oauth.FederatedAlgorithms, Leeway: leeway, Now: now},
		V1Issuer: s.names.v1Issuer, V2Issuer: s.names.v2Issuer, Authority: s.names.Authority, GraphURL: s.names.Graph, Hosts: s.names.hosts,
		Now: now, Rand: s.rand, Log: s.log,
	}
	microsoftGraph := &graph.Service{
		Tenants: db.Tenants, Applications: db.Applications, Principals: db.Principals, FederatedCredentials: db.FederatedCredentials,
		AppRoleAssignments: db.AppRoleAssignments, Users: db.Users, Tokens: own, Secrets: s.sealer, Audit: db.Audit,
		V1Issuer: s.names.v1Issuer, V2Issuer: s.names.v2Issuer, Authority: s.names.Authority, GraphURL: s.names.Graph,
		Now: now, Rand: s.rand, Log: s.log,
	}
	resourceManager := &arm.Service{
		Tenants: db.Tenants, Subscriptions: db.Subscriptions, Resources: db.Resources, Roles: db.Roles, Principals: db.Principals, Users: db.Users,
		Tokens: own, Audit: db.Audit,
		V1Issuer: s.names.v1Issuer, V2Issuer: s.names.v2Issuer, Authority: s.names.Authority, LoginURL: s.loginURL(),
		GraphURL: s.names.Graph, ARMURL: s.names.ARM, CloudName: s.cloudName(),
		Now: now, Rand: s.rand,
	}
	return map[names.Surface]http.Handler{
		names.AWS:              dispatcher,
		names.CognitoDiscovery: documents,
		names.Authority:        s.authority.Handler(),
		names.Graph:            microsoftGraph.Handler(),
		names.ResourceManager:  resourceManager.Handler(),
		ownSurface:             s.ownHandler(),
	}
}

// cognitoEndpoint is where the identity pools' documents are, by the name that the client asked.
func (s *Server) cognitoEndpoint(r *http.Request) string {
	if s.config.Hub() || names.Of(r.Host) != names.None {
		return s.names.CognitoIssuer
	}
	return "https://" + r.Host + cognitoPrefix
}

// loginURL is in ARM's challenges: the real ones still name the authority by its older name.
func (s *Server) loginURL() string {
	if s.config.Hub() {
		return s.names.Authority
	}
	return "https://login.windows.net"
}

func (s *Server) cloudName() string {
	if s.config.Hub() {
		return "Treaty"
	}
	return "AzureCloud"
}
