package policy

import "strings"

// Texts of AWS for policies of roles, buckets and tables, which other code reads than that of identities'
// policies. In each statement the elements are checked in the order of this list.
const (
	errProhibited     = "Has prohibited field Resource"
	errNoEffect       = "Missing required field Effect"
	errEffect         = "Invalid effect: %s"
	errNoPrincipal    = "Missing required field Principal"
	errEmptyPrincipal = "Missing required field Principal cannot be empty!"
	errAllowOthers    = "Allow with NotPrincipal is not allowed."
	errNoAction       = "Missing required field Action"
	errAssumeOnly     = "AssumeRole policy may only specify STS AssumeRole actions."
	errNotResource    = "AssumeRole policy must not contain resources."
	errIDTwice        = "The Statement Ids in the policy are not unique"
)

// validateTrust checks the policy of a role. A policy of permissions that somebody took for one is told
// about its Resource first.
func (d *Document) validateTrust() *Malformed {
	for i := range d.Statements {
		if d.Statements[i].Resources != nil {
			return malformed(errProhibited)
		}
	}
	for i := range d.Statements {
		if problem := d.Statements[i].validateTrust(); problem != nil {
			return problem
		}
	}
	if d.repeatsSID() {
		return malformed(errIDTwice)
	}
	return nil
}

func (s *Statement) validateTrust() *Malformed {
	if problem := s.checkEffect(); problem != nil {
		return problem
	}
	if s.NotPrincipals != nil && s.Effect == Allow {
		return malformed(errAllowOthers)
	}
	p := s.whom()
	if problem := checkFilled(p); problem != nil {
		return problem
	}
	if problem := p.validateTrust(); problem != nil {
		return problem
	}
	if len(s.Actions)+len(s.NotActions) == 0 {
		return malformed(errNoAction)
	}
	for _, list := range [][]string{s.Actions, s.NotActions} {
		for _, a := range list {
			if !isAssume(a) {
				return malformed(errAssumeOnly)
			}
		}
	}
	if s.NotResources != nil {
		return malformed(errNotResource)
	}
	return nil
}

// isAssume reports whether an action is of STS; "*" is not.
func isAssume(action string) bool {
	vendor, name, _ := strings.Cut(action, ":")
	return strings.EqualFold(vendor, "sts") && name != "" && !strings.Contains(name, ":")
}

func (s *Statement) checkEffect() *Malformed {
	switch s.Effect {
	case Allow, Deny:
		return nil
	case "":
		return malformed(errNoEffect)
	}
	return malformed(errEffect, s.Effect)
}

// whom gives the principals, or those excepted, or nil.
func (s *Statement) whom() *Principals {
	if s.Principals != nil {
		return s.Principals
	}
	return s.NotPrincipals
}

// checkFilled wants somebody named.
func checkFilled(p *Principals) *Malformed {
	switch {
	case p == nil:
		return malformed(errNoPrincipal)
	case !p.Any && len(p.AWS)+len(p.Federated)+len(p.Service)+len(p.CanonicalUser) == 0:
		return malformed(errEmptyPrincipal)
	}
	return nil
}
