package oauth

import (
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/trust"
)

// The audience of federated assertions that Microsoft recommends, and the application id behind it, which
// v2 tokens for it have as aud.
const (
	exchangeAudience = "api://AzureADTokenExchange"
	exchangeAppID    = "fb60f99c-7a34-4190-8149-302f77469936"
)

// userAssigned is in the ARM id of every user-assigned managed identity; that of a system-assigned one is
// its machine's.
const userAssigned = "/providers/microsoft.managedidentity/userassignedidentities/"

// Names of the checks of our own tokens.
const (
	checkToken    = "token type"
	checkVersion  = "issuer version"
	checkManaged  = "managed identity"
	checkAssigned = "kind of managed identity"
	checkTenant   = "tenant"
)

// OwnTokens is the rule for assertions that we issued ourselves: Entra lets no token of its own stand in
// for another application, but those that user-assigned managed identities of the application's tenant got
// for the token exchange (Microsoft, "Configure an application to trust a managed identity"). tenant is
// that in which the application is registered, whichever it asks for a token; "" leaves that check out.
//
// An issuer is ours by its shape: v1 and v2 of any tenant of our authority, also of one that is not here.
// The rule only refuses; a token that it lets pass is verified as any other.
func OwnTokens(v1, v2 func(tenant string) string, tenant string) trust.OwnTokens {
	return func(claims token.Claims) (bool, evidence.Checks, trust.Reason) {
		issuer := claims.Text("iss")
		of, ours := issuerTenant(v1, v2, issuer)
		if !ours {
			return false, nil, ""
		}
		o := own{claims: claims, issuer: issuer, of: of, home: tenant, v2: v2}
		checks := evidence.Checks{o.person(), o.version(), o.managed(), o.assigned(), o.audience(), o.tenant()}
		return true, checks, ownReason(checks)
	}
}

// own is a token of ours that is presented as an assertion.
type own struct {
	claims token.Claims
	issuer string
	of     string // the issuer's tenant
	home   string // the application's, "" when that is open
	v2     func(tenant string) string
}

// ownReasons says which refusal a failed check of our own tokens is, the first that failed deciding.
var ownReasons = map[string]trust.Reason{
	checkToken:    trust.OwnUserToken,
	checkVersion:  trust.OwnAudience,
	checkManaged:  trust.OwnAppToken,
	checkAssigned: trust.OwnAppToken,
	checkAudience: trust.OwnAudience,
	checkTenant:   trust.OwnTenant,
}

func ownReason(checks evidence.Checks) trust.Reason {
	failed, any := checks.First()
	if !any {
		return ""
	}
	return ownReasons[failed.Name]
}

// person checks that the token is no person's: its subject is the object it is about, and no scopes were
// delegated.
func (o own) person() evidence.Check {
	user := o.claims.Has("scp") || o.claims.Text("idtyp") == "user" || o.claims.Text("sub") != o.claims.Text("oid")
	got := "app"
	if user {
		got = "user"
	}
	return evidence.Check{Name: checkToken, Claim: "idtyp", Operator: "equals", Want: []string{"app"}, Got: []string{got}, OK: !user,
		Fix: unless(!user, "present a managed identity's token, not a person's: "+o.route())}
}

func (o own) version() evidence.Check {
	ok := o.issuer == o.v2(o.of)
	return evidence.Check{Name: checkVersion, Claim: "iss", Operator: "equals", Want: []string{o.v2(o.of)}, Got: []string{o.issuer}, OK: ok,
		Fix: unless(ok, o.route())}
}

func (o own) managed() evidence.Check {
	ok := o.claims.Text("xms_mirid") != "" && o.claims.Text("idtyp") == "app"
	return evidence.Check{Name: checkManaged, Claim: "xms_mirid", Operator: "present", Got: o.claims.Texts("xms_mirid"), OK: ok,
		Fix: unless(ok, o.route())}
}

// assigned checks that the identity is user-assigned: Microsoft documents no other kind as a credential.
// Which code a system-assigned one gets is not documented; it gets that of a token of the wrong kind.
func (o own) assigned() evidence.Check {
	mirid := o.claims.Text("xms_mirid")
	c := evidence.Check{Name: checkAssigned, Claim: "xms_mirid", Operator: "contains", Want: []string{"/providers/Microsoft.ManagedIdentity/userAssignedIdentities/"}, Got: o.claims.Texts("xms_mirid")}
	switch {
	case mirid == "":
		c.Skipped, c.Note = true, "the token names no managed identity"
	case strings.Contains(strings.ToLower(mirid), userAssigned):
		c.OK = true
	default:
		c.Note = "a system-assigned identity's; Microsoft documents user-assigned ones only as credentials of an application"
		c.Fix = o.route()
	}
	return c
}

func (o own) audience() evidence.Check {
	c := evidence.Check{Name: checkAudience, Claim: "aud", Operator: "one of", Want: []string{exchangeAudience, exchangeAppID}, Got: o.claims.Texts("aud")}
	c.OK = slices.ContainsFunc(c.Got, func(aud string) bool { return slices.Contains(c.Want, aud) })
	c.Fix = unless(c.OK, "ask for the identity's token with the resource "+exchangeAudience)
	return c
}

func (o own) tenant() evidence.Check {
	c := evidence.Check{Name: checkTenant, Claim: "iss", Operator: "equals", Want: []string{o.home}, Got: []string{o.of}, OK: o.home == "" || strings.EqualFold(o.of, o.home)}
	if o.home == "" {
		c.Want, c.Note = nil, "the application's tenant is open"
	}
	c.Fix = unless(c.OK, o.registration())
	return c
}

// route is how a workload of Azure comes to a token of ours that may be exchanged, and what must be set up.
func (o own) route() string {
	return "have a user-assigned managed identity of tenant " + o.of + " ask for a token for the resource " + exchangeAudience +
		" and present that; " + o.registration()
}

// registration is what the application needs. It is registered where the identity is; elsewhere it only
// has a service principal.
func (o own) registration() string {
	where := "register the application in tenant " + o.of
	if o.home != "" && !strings.EqualFold(o.home, o.of) {
		where += " as a multi-tenant one, with a service principal in tenant " + o.home
	}
	return where + ", and give it a federated credential with the issuer " + o.v2(o.of) +
		", the object id (principalId) of the identity as subject and the audience " + exchangeAudience
}

// issuerTenant is the tenant of an issuer that has the form of one of ours, v1 or v2.
func issuerTenant(v1, v2 func(string) string, issuer string) (string, bool) {
	if of, is := tenantIn(v2, issuer); is {
		return of, true
	}
	return tenantIn(v1, issuer)
}

// tenantIn cuts the tenant's GUID out of an issuer of a form.
func tenantIn(form func(string) string, issuer string) (string, bool) {
	const mark = "\x00"
	before, after, found := strings.Cut(form(mark), mark)
	if !found || len(issuer) != len(before)+36+len(after) || !strings.HasPrefix(issuer, before) || !strings.HasSuffix(issuer, after) {
		return "", false
	}
	tenant := issuer[len(before) : len(before)+36]
	return tenant, isGUID(tenant)
}
