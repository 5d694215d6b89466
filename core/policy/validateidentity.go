package policy

import (
	"regexp"
	"strings"
)

// Texts of IAM for policies of identities, in the order of the stages that find them.
const (
	errVersion     = "Policy document must be version 2012-10-17 or greater."
	errLegacy      = "The policy failed legacy parsing"
	errSIDForm     = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
	errSIDTwice    = "Statement IDs (SID) in a single policy must be unique."
	errPrincipal   = "Policy document should not specify a principal."
	errNoActions   = "Policy statement must contain actions."
	errVendor      = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
	errColons      = "Actions/Condition can contain only one colon."
	errVendorForm  = "Vendor %s is not valid"
	errNoResources = "Policy statement must contain resources."
)

var (
	sidForm    = regexp.MustCompile(`^[0-9A-Za-z]*$`)
	vendorForm = regexp.MustCompile(`^[0-9A-Za-z.-]+$`)
)

// validateIdentity goes through the stages that follow the syntax. Each looks at all statements before the
// next one begins.
func (d *Document) validateIdentity(k Kind) *Malformed {
	for i := range d.Statements {
		if e := d.Statements[i].Effect; !strings.EqualFold(string(e), string(Allow)) && !strings.EqualFold(string(e), string(Deny)) {
			return malformed(errSyntax)
		}
	}
	if k == Managed && d.Version != version2012 {
		return malformed(errVersion)
	}
	format, failed := d.legacy()
	if failed {
		return malformed(errLegacy)
	}
	stages := []func() *Malformed{
		d.checkSIDs,
		d.checkNoPrincipals,
		d.checkActionsPresent,
		func() *Malformed { return format },
		d.checkActions,
		d.checkResourcesPresent,
	}
	for _, stage := range stages {
		if problem := stage(); problem != nil {
			return problem
		}
	}
	return nil
}

// legacy is what IAM's first parser refuses: an Effect in other case, values that are no dates, and some
// ARNs. Of the resources it may stop at one whose format a later stage reports; then it has not failed.
func (d *Document) legacy() (format *Malformed, failed bool) {
	for i := range d.Statements {
		s := &d.Statements[i]
		if s.Effect != Allow && s.Effect != Deny {
			return nil, true
		}
		for _, c := range s.Conditions {
			if parseOperator(c.Operator).family == asDate && !areDates(c.Values) {
				return nil, true
			}
		}
	}
	for i := range d.Statements {
		s := &d.Statements[i]
		for _, list := range [][]string{s.Resources, s.NotResources} {
			for _, r := range list {
				if strings.HasPrefix(r, "arn:") && isLegacyARN(r) {
					return nil, true
				}
				if format = resourceFormat(r); format != nil {
					return format, false
				}
			}
		}
	}
	return nil, false
}

func (d *Document) checkSIDs() *Malformed {
	for i := range d.Statements {
		if !sidForm.MatchString(d.Statements[i].SID) {
			return malformed(errSIDForm)
		}
	}
	if d.repeatsSID() {
		return malformed(errSIDTwice)
	}
	return nil
}

// repeatsSID reports whether two statements have the same Sid. Empty ones do not count.
func (d *Document) repeatsSID() bool {
	seen := map[string]bool{"": false}
	for i := range d.Statements {
		sid := d.Statements[i].SID
		if seen[sid] {
			return true
		}
		seen[sid] = sid != ""
	}
	return false
}

func (d *Document) checkNoPrincipals() *Malformed {
	for i := range d.Statements {
		if s := &d.Statements[i]; s.Principals != nil || s.NotPrincipals != nil {
			return malformed(errPrincipal)
		}
	}
	return nil
}

func (d *Document) checkActionsPresent() *Malformed {
	for i := range d.Statements {
		if s := &d.Statements[i]; len(s.Actions)+len(s.NotActions) == 0 {
			return malformed(errNoActions)
		}
	}
	return nil
}

func (d *Document) checkResourcesPresent() *Malformed {
	for i := range d.Statements {
		if s := &d.Statements[i]; len(s.Resources)+len(s.NotResources) == 0 {
			return malformed(errNoResources)
		}
	}
	return nil
}

// checkActions looks at vendors only: IAM takes any name of an action, known or not.
func (d *Document) checkActions() *Malformed {
	for i := range d.Statements {
		s := &d.Statements[i]
		for _, list := range [][]string{s.Actions, s.NotActions} {
			for _, a := range list {
				if problem := actionFormat(a); problem != nil {
					return problem
				}
			}
		}
	}
	return nil
}

func actionFormat(action string) *Malformed {
	vendor, name, cut := strings.Cut(action, ":")
	switch {
	case action == "*":
		return nil
	case !cut:
		return malformed(errVendor)
	case strings.Contains(name, ":"):
		return malformed(errColons)
	case vendor != "*" && !vendorForm.MatchString(vendor):
		return malformed(errVendorForm, vendor)
	}
	return nil
}
