package policy

import (
	"regexp"
	"strings"
)

// Texts of AWS for principals. S3 does not say which one is wrong.
const (
	errPrincipalForm  = "Invalid principal in policy"
	errPrincipalNamed = `Invalid principal in policy: "%s":"%s"`
	errStar           = `AssumeRolepolicy contained an invalid principal: "STAR":"*".`
	errFederated      = "Federated principals must be valid domain names or SAML metadata ARNs"
)

var (
	// uniqueID is a user's or role's: policies have it where the entity that was named is deleted.
	uniqueID = regexp.MustCompile(`^(?:AIDA|AROA)[0-9A-Z]{12,124}$`)
	// entityName is a name with its path (IAM API reference, CreateRole), without wildcards.
	entityName  = regexp.MustCompile(`^(?:[\x21-\x29\x2b-\x3e\x40-\x7e]+/)?[\w+=,.@-]+$`)
	sessionName = regexp.MustCompile(`^[\w+=,.@-]+$`)
	domainName  = regexp.MustCompile(`^(?i:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?i:[a-z][a-z0-9-]*[a-z0-9])$`)
	canonicalID = regexp.MustCompile(`^[0-9a-f]{64}$`)
	// providerName is what follows oidc-provider/ (a host with a path) or saml-provider/.
	providerName = regexp.MustCompile(`^(?:oidc-provider/[\x21-\x29\x2b-\x3e\x40-\x7e]+|saml-provider/[\w._-]+)$`)
)

// serviceDomains end the names of services.
var serviceDomains = []string{".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".amazon.com", ".aws.internal"}

// validateTrust checks the form of the principals that may assume a role. Whether they exist is IAM's to
// find out. Wildcards within an ARN are not allowed (IAM user guide, "Principal").
func (p *Principals) validateTrust() *Malformed {
	if p.Any {
		return malformed(errStar)
	}
	for _, name := range p.AWS {
		if !isAWSPrincipal(name) {
			return malformed(errPrincipalNamed, "AWS", name)
		}
	}
	for _, name := range p.Federated {
		if !isFederation(name) {
			return malformed(errFederated)
		}
	}
	for _, name := range p.Service {
		if !isService(name) {
			return malformed(errPrincipalNamed, "SERVICE", name)
		}
	}
	if len(p.CanonicalUser) > 0 {
		return malformed(errPrincipalNamed, "CANONICALUSER", p.CanonicalUser[0])
	}
	return nil
}

// validResource checks the form of the principals of a bucket's policy.
func (p *Principals) validResource() bool {
	return all(p.AWS, func(name string) bool { return isAWSPrincipal(name) || isOriginAccess(name) }) &&
		all(p.Federated, isFederation) &&
		all(p.Service, isService) &&
		all(p.CanonicalUser, canonicalID.MatchString)
}

func all(names []string, valid func(string) bool) bool {
	for _, name := range names {
		if !valid(name) {
			return false
		}
	}
	return true
}

func isAWSPrincipal(name string) bool {
	if name == "*" || isAccount(name) || uniqueID.MatchString(name) {
		return true
	}
	a, ok := ParseARN(name)
	if !ok || !partitions[a.Partition] || a.Region != "" || !isAccount(a.Account) {
		return false
	}
	kind, rest, _ := strings.Cut(a.Resource, "/")
	switch a.Service + ":" + kind {
	case "iam:root":
		return a.Resource == "root"
	case "iam:user", "iam:role":
		return entityName.MatchString(rest)
	case "sts:assumed-role":
		role, session, _ := strings.Cut(rest, "/")
		return sessionName.MatchString(role) && sessionName.MatchString(session)
	case "sts:federated-user":
		return sessionName.MatchString(rest)
	}
	return false
}

// isOriginAccess recognises CloudFront's older identities, which only buckets know (CloudFront developer
// guide, "Origin access identity").
func isOriginAccess(name string) bool {
	a, ok := ParseARN(name)
	return ok && a.Service == "iam" && a.Account == "cloudfront" && a.Region == "" &&
		strings.HasPrefix(a.Resource, "user/") && !strings.ContainsAny(name, "*?")
}

func isFederation(name string) bool {
	if a, ok := ParseARN(name); ok {
		return partitions[a.Partition] && a.Service == "iam" && a.Region == "" && isAccount(a.Account) && providerName.MatchString(a.Resource)
	}
	return domainName.MatchString(name)
}

func isService(name string) bool {
	if !domainName.MatchString(name) {
		return false
	}
	for _, domain := range serviceDomains {
		if strings.HasSuffix(name, domain) {
			return true
		}
	}
	return false
}
