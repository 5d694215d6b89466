package policy

import (
	"fmt"
	"unicode"
)

// Versions of the language. Without Version a document is of the older, which has no policy variables
// (IAM user guide, "Version").
const (
	version2008 = "2008-10-17"
	version2012 = "2012-10-17"
)

// Texts of IAM for documents that are broken as a whole.
const (
	errSyntax  = "Syntax errors in policy."
	errJSON    = "This policy contains invalid Json"
	errNoBrace = "Policies must be valid JSON and the first byte must be '{'"
)

// Parse reads a policy of a kind. An error is a *Malformed in the cloud's words.
//
// IAM checks in stages and reports the first stage that fails, for the whole document: the order matters to
// clients that compare texts. Policies of identities have one set of texts; those of roles and resources,
// which AWS reads with other code, have another.
func Parse(text string, k Kind) (*Document, error) {
	root, ok := parseJSON(text)
	if !ok || k == Resource && text[0] != '{' {
		return nil, &Malformed{Message: notJSON(text, k)}
	}
	doc, problem := parseDocument(text, root)
	switch {
	case k != Trust && k != Resource && problem != nil:
		return nil, &Malformed{Message: errSyntax}
	case k == Accepted: // checked when it was made
	case k == Identity || k == Session || k == Managed:
		problem = doc.validateIdentity(k)
	case problem != nil: // worded already
	case k == Trust:
		problem = doc.validateTrust()
	case k == Resource:
		problem = doc.validateResource()
	default:
		problem = malformed("policy of unknown kind %d", k)
	}
	if problem != nil {
		return nil, problem
	}
	version := doc.effectiveVersion()
	for i := range doc.Statements {
		doc.Statements[i].compile(version)
	}
	return doc, nil
}

func notJSON(text string, k Kind) string {
	switch {
	case k == Resource && (text == "" || text[0] != '{'):
		return errNoBrace
	case k == Resource || k == Trust:
		return errJSON
	}
	return errSyntax
}

// malformed words a problem. Parse gives it to its caller as an error only when there is one.
func malformed(format string, args ...any) *Malformed {
	return &Malformed{Message: fmt.Sprintf(format, args...)}
}

func (d *Document) effectiveVersion() string {
	if d.Version == "" {
		return version2008
	}
	return d.Version
}

// Size is how much of a quota a policy takes: its characters without white space (IAM user guide, "IAM and
// AWS STS quotas").
func Size(text string) int {
	n := 0
	for _, r := range text {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

// PrincipalARNs gives the users and roles that the document's principals name by ARN, each once, in the
// order written. IAM keeps them by their unique ids.
func (d *Document) PrincipalARNs() []string {
	var out []string
	seen := map[string]bool{}
	for i := range d.Statements {
		for _, p := range []*Principals{d.Statements[i].Principals, d.Statements[i].NotPrincipals} {
			if p == nil {
				continue
			}
			for _, name := range p.AWS {
				if a, ok := ParseARN(name); ok && a.isEntity() && !seen[name] {
					seen[name] = true
					out = append(out, name)
				}
			}
		}
	}
	return out
}
