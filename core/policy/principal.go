package policy

import (
	"slices"
	"strings"
)

// grant says in which way a statement names the caller; more is stronger. It decides which other layers
// still limit what a resource's policy allows (IAM user guide, "Policy evaluation logic").
type grant int

const (
	nobody    grant = iota
	delegated       // its account: the account's identity policies decide
	bounded         // the role or user behind a session: boundary and session policies limit it
	direct          // the caller itself, or everyone: nothing else limits it within the account
)

// principals is a Principal or NotPrincipal element, compiled.
type principals struct {
	written *Principals
	not     bool
	aws     []awsPrincipal
	any     bool // "*", also under AWS
}

// awsPrincipal is what stands under AWS: an account, or an ARN or unique id.
type awsPrincipal struct{ account, name string }

func newPrincipals(in, not *Principals) *principals {
	p := &principals{written: in}
	if in == nil {
		p.written, p.not = not, true
	}
	if p.written == nil {
		return nil
	}
	p.any = p.written.Any
	for _, name := range p.written.AWS {
		switch account, is := accountPrincipal(name); {
		case name == "*":
			p.any = true
		case is:
			p.aws = append(p.aws, awsPrincipal{account: account})
		default:
			p.aws = append(p.aws, awsPrincipal{name: name})
		}
	}
	return p
}

// accountPrincipal reads the two forms of an account: its number, and the ARN of its root.
func accountPrincipal(name string) (string, bool) {
	if isAccount(name) {
		return name, true
	}
	if cut, ok := cutARN(name); ok && cut[2] == "iam" && cut[5] == "root" && isAccount(cut[4]) {
		return cut[4], true
	}
	return "", false
}

func isAccount(s string) bool { return len(s) == 12 && digits(s) }

// match says how a statement of a resource's policy (of a role, when trust is set) names the caller.
func (p *principals) match(who *Principal, trust bool, effect Effect) grant {
	switch {
	case p == nil:
		return nobody
	case p.not && effect == Deny:
		if p.exempts(who) {
			return nobody
		}
		return direct
	case p.not:
		if p.names(who) != nobody || p.any || trust && !who.signs() {
			return nobody
		}
		return direct
	case p.any && (!trust || who.signs() || effect == Deny):
		// {"AWS": "*"} of a trust policy admits nobody who brings a token or an assertion.
		return direct
	}
	return p.names(who)
}

// signs reports whether the principal has credentials of an account.
func (who *Principal) signs() bool {
	switch who.Type {
	case Account, User, AssumedRole, FederatedUser:
		return true
	case Anonymous, WebIdentity, SAML, Service:
	}
	return false
}

// names is match for the lists.
func (p *principals) names(who *Principal) grant {
	switch who.Type {
	case WebIdentity, SAML:
		return listed(p.written.Federated, who.Federated)
	case Service:
		return listed(p.written.Service, who.Service)
	case Anonymous:
		return nobody
	case Account, User, AssumedRole, FederatedUser:
	}
	best := nobody
	for i := range p.aws {
		best = max(best, p.aws[i].grants(who))
	}
	return best
}

func listed(list []string, name string) grant {
	if name != "" && slices.Contains(list, name) {
		return direct
	}
	return nobody
}

func (a *awsPrincipal) grants(who *Principal) grant {
	switch {
	case a.account != "":
		if a.account != who.Account {
			return nobody
		}
		if who.Type == Account {
			return direct
		}
		return delegated
	case a.name == who.ARN:
		return direct
	case a.name == who.Issuer, a.name == who.ID && isUniqueID(a.name):
		if who.Type == User {
			return direct
		}
		return bounded
	}
	return nobody
}

// isUniqueID recognises the ids of users and roles, which policies show in place of deleted ones' ARNs.
func isUniqueID(s string) bool { return strings.HasPrefix(s, "AIDA") || strings.HasPrefix(s, "AROA") }

// exempts reports whether a Deny with NotPrincipal leaves the caller out. It does so only when the caller is
// listed in each of its roles: a session needs its account, its role and itself (IAM user guide,
// "NotPrincipal").
func (p *principals) exempts(who *Principal) bool {
	if p.any {
		return true
	}
	if !who.signs() {
		return p.names(who) != nobody
	}
	var account, issuer, own bool
	for i := range p.aws {
		switch a := &p.aws[i]; {
		case a.account != "":
			account = account || a.account == who.Account
		case a.name == who.ARN:
			own = true
		case a.grants(who) == direct:
			own = true
		case a.grants(who) == bounded:
			issuer = true
		}
	}
	switch who.Type {
	case Account:
		return account
	case AssumedRole:
		return account && issuer && own
	case User, FederatedUser, Anonymous, WebIdentity, SAML, Service:
	}
	return account && own
}

// list shows the element's entries.
func (p *Principals) list() (out []string) {
	if p.Any {
		out = append(out, "*")
	}
	return slices.Concat(out, p.AWS, p.Federated, p.Service, p.CanonicalUser)
}

// identities shows what a policy may call the principal.
func (who *Principal) identities() (out []string) {
	for _, s := range []string{who.ARN, who.Issuer, who.ID, who.Account, who.Federated, who.Service} {
		if s != "" && !slices.Contains(out, s) && (s != who.Account || who.signs()) {
			out = append(out, s)
		}
	}
	return out
}

// name is how a decision calls the principal.
func (who *Principal) name() string {
	switch {
	case who.ARN != "":
		return who.ARN
	case who.Federated != "":
		return who.Federated
	case who.Service != "":
		return who.Service
	}
	return "anonymous"
}

// root reports whether the principal has every right of its account: the root itself, or a session that the
// root federated.
func (who *Principal) root() bool {
	if who.Type == FederatedUser {
		account, ok := accountPrincipal(who.Issuer)
		return ok && account == who.Account
	}
	return who.Type == Account
}
