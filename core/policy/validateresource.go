package policy

import (
	"regexp"
	"strings"
)

// Further texts of S3 for a bucket's policy.
const (
	errNoResource = "Missing required field Resource"
	errBadAction  = "Policy has invalid action"
	errBadTarget  = "Policy has invalid resource"
)

var actionName = regexp.MustCompile(`^[0-9A-Za-z*?_-]+$`)

// validateResource checks the policy of a bucket or table. Whether its resources and actions are those of
// that bucket is for the service to say.
func (d *Document) validateResource() *Malformed {
	for i := range d.Statements {
		if problem := d.Statements[i].validateResource(); problem != nil {
			return problem
		}
	}
	if d.repeatsSID() {
		return malformed(errIDTwice)
	}
	return nil
}

func (s *Statement) validateResource() *Malformed {
	if problem := s.checkEffect(); problem != nil {
		return problem
	}
	p := s.whom()
	if problem := checkFilled(p); problem != nil {
		return problem
	}
	if !p.validResource() {
		return malformed(errPrincipalForm)
	}
	if len(s.Actions)+len(s.NotActions) == 0 {
		return malformed(errNoAction)
	}
	for _, list := range [][]string{s.Actions, s.NotActions} {
		for _, a := range list {
			vendor, name, _ := strings.Cut(a, ":")
			if a != "*" && !(vendorForm.MatchString(vendor) && actionName.MatchString(name)) {
				return malformed(errBadAction)
			}
		}
	}
	if len(s.Resources)+len(s.NotResources) == 0 {
		return malformed(errNoResource)
	}
	for _, list := range [][]string{s.Resources, s.NotResources} {
		for _, r := range list {
			if a, ok := ParseARN(r); r != "*" && !(ok && (partitions[a.Partition] || a.Partition == "*") && vendorForm.MatchString(a.Service)) {
				return malformed(errBadTarget)
			}
		}
	}
	return nil
}
