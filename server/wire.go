package server

import (
	"context"
	"maps"
	"net/http"
	"time"

	"github.com/treatyfed/treaty/aws/cognitoidentity"
	"github.com/treatyfed/treaty/aws/iam"
	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/aws/sts"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/webidentity"
	"github.com/treatyfed/treaty/entra/arm"
	"github.com/treatyfed/treaty/entra/graph"
	"github.com/treatyfed/treaty/entra/managedidentity"
	"github.com/treatyfed/treaty/entra/oauth"
	"github.com/treatyfed/treaty/idp"
	"github.com/treatyfed/treaty/server/names"
)

// leeway is how far clocks may differ (Microsoft identity platform: "a five-minute clock skew").
const leeway = 5 * time.Minute

// ownAlgorithms are those of the tokens that we issue to ourselves.
var ownAlgorithms = []string{"RS256"}

// wire lists every handler with what it depends on, and says which surface each one is.
func (s *Server) wire() map[names.Surface]http.Handler {
	db, now := s.store, s.clock.Now
	s.keys = &token.Keyring{Store: db.Keys, Now: now, Rand: s.rand, Kinds: sts.Kinds()}
	s.keys.Kinds[oauth.Ring] = token.Kind{KeyID: token.CertificateThumbprint, Subject: "accounts.accesscontrol.windows.net"}
	s.keys.Kinds[cognitoidentity.Name] = token.Kind{KeyID: token.Numbered}
	s.access = &access.Decider{
		Accounts: db.Accounts, Roles: db.IAMRoles, Users: db.IAMUsers, Policies: db.IAMPolicies, Memberships: db.Memberships, Usage: db.Usage,
		Sealer: s.sealer, Managed: iam.Managed, Now: now, Rand: s.rand,
	}
	patience := max(token.DefaultTimeout, s.config.Outbound.Timeout.Or(0)) // for two documents no less than for one
	s.remote = &token.Discovery{Fetcher: s.outbound, LoopbackHTTP: s.outbound.LoopbackHTTP(), Timeout: patience, Own: s.isOwnIssuer, Now: s.wall}
	s.webKeys = &token.Discovery{Fetcher: s.outbound, Parse: webidentity.ParseKeys, Timeout: patience, Own: s.isOwnIssuer, Now: s.wall}
	tenants := oauth.TenantKeys{Tenants: db.Tenants, Keys: s.keys, V1Issuer: s.names.v1Issuer, V2Issuer: s.names.v2Issuer}
	own := &token.Verifier{Source: tenants, Algorithms: ownAlgorithms, Leeway: leeway, Now: now}
	assertions := tenants // managed identities' tokens are our own, every other one is a foreign issuer's
	assertions.Others = s.remote

	logins := &webidentity.Verifier{
		Providers: db.OIDCProviders, Keys: s.webKeys, Pools: s.names.CognitoIssuer,
		PoolKeys: token.Numbers{Keys: s.keys, Store: db.Keys, Family: cognitoidentity.Name}, Own: s.names.isTokenIssuer, Now: now,
	}
	s.sts = &sts.Service{
		Access: s.access, Devices: db.MFADevices, Sealer: s.sealer, Audit: db.Audit, Now: now, Rand: s.rand,
		WebIdentity: logins, SAML: db.SAMLProviders,
		Tokens: s.keys, TokenIssuerURL: s.names.tokenIssuer,
	}
	dispatcher := &op.Dispatcher{
		Services: []op.Service{
			s.sts.Describe(),
			(&iam.Service{
				Roles: db.IAMRoles, Users: db.IAMUsers, Groups: db.IAMGroups, Policies: db.IAMPolicies,
				OIDC: db.OIDCProviders, SAML: db.SAMLProviders, MFA: db.MFADevices,
				Memberships: db.Memberships, Attachments: db.Attachments, Keys: db.AccessKeys, Accounts: db.Accounts, Usage: db.Usage,
				Access: s.access, Audit: db.Audit, Sealer: s.sealer, TokenIssuerURL: s.names.tokenIssuer, Now: now, Rand: s.rand,
			}).Describe(),
			cognitoidentity.Service{
				Pools: db.Pools, Identities: db.Identities, Keys: s.keys, Access: s.access, Audit: db.Audit, Sealer: s.sealer,
				Logins: cognitoidentity.OpenIDLogins{Verifier: logins, Now: now},
				Issuer: s.names.CognitoIssuer, Now: now, Rand: s.rand,
			}.Describe(),
		},
		Access: s.access, Audit: db.Audit, Region: s.config.Region, Now: now, Rand: s.rand, Log: s.log,
	}
	documents := cognitoidentity.Discovery{
		Issuer: s.names.CognitoIssuer, Keys: s.keys, Store: db.Keys, Regions: []string{s.config.Region}, Endpoint: s.cognitoEndpoint,
	}
	s.authority = &oauth.Service{
		Tenants: db.Tenants, Applications: db.Applications, Principals: db.Principals, Federated: db.FederatedCredentials,
		Assignments: db.AppRoleAssignments, Keys: s.keys, Sealer: s.sealer, Audit: db.Audit,
		Verifier: token.Verifier{Source: assertions, Algorithms: oauth.FederatedAlgorithms, Leeway: leeway, Now: now},
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
		Identities: db.ManagedIdentities, Federated: db.FederatedCredentials, Machines: db.Machines,
		Tokens: own, Audit: db.Audit,
		V1Issuer: s.names.v1Issuer, V2Issuer: s.names.v2Issuer, Authority: s.names.Authority, LoginURL: s.loginURL(),
		GraphURL: s.names.Graph, ARMURL: s.names.ARM, CloudName: s.cloudName(),
		Now: now, Rand: s.rand,
	}
	s.identities = &managedidentity.Service{
		Machines: db.Machines, Principals: db.Principals, Resources: db.Resources, Issue: s.issueManaged, Authority: s.names.Authority, Hosts: s.names.own,
		Sealer: s.sealer, Audit: db.Audit, Now: now, Rand: s.rand, Log: s.log,
	}
	s.idp = &idp.Service{
		Issuers: db.Issuers, Once: db.Once, Keys: s.keys, Sealer: s.sealer, Audit: db.Audit, Prefix: s.names.issuers(),
		Verifier: token.Verifier{Source: s.remote, Leeway: leeway, Now: now},
		Now:      now, Rand: s.rand, Log: s.log,
	}
	maps.Copy(s.keys.Kinds, s.idp.Kinds())
	return map[names.Surface]http.Handler{
		names.AWS:              dispatcher,
		names.CognitoDiscovery: documents,
		names.AccountTokens:    sts.Discovery{Accounts: db.Accounts, Tokens: s.keys, Issuer: s.names.tokenIssuer},
		names.Authority:        s.authority.Handler(),
		names.Graph:            microsoftGraph.Handler(),
		names.ResourceManager:  resourceManager.Handler(),
		names.Issuers:          s.idp.Hosted(),
		names.IssuersByName:    s.idp.Named(),
		ownSurface:             s.ownHandler(),
	}
}

// issueManaged has the authority make the token that a machine's identity asked for.
func (s *Server) issueManaged(ctx context.Context, a managedidentity.Ask) (managedidentity.Token, error) {
	t, err := s.authority.IssueManaged(ctx, oauth.Managed(a))
	return managedidentity.Token(t), err
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
