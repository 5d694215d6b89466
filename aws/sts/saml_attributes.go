package sts

import (
	"strconv"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/wire/saml"
)

// Attributes by which an assertion shapes the session (IAM user guide, "Configure SAML assertions for the
// authentication response").
const (
	attributePrefix      = "https://aws.amazon.com/SAML/Attributes/"
	attributeRole        = attributePrefix + "Role"
	attributeSessionName = attributePrefix + "RoleSessionName"
	attributeDuration    = attributePrefix + "SessionDuration"
	attributeTag         = attributePrefix + "PrincipalTag:" // and the tag's key
	attributeTransitive  = attributePrefix + "TransitiveTagKeys"
	attributeSource      = attributePrefix + "SourceIdentity"
)

// Bounds of them.
const (
	minSAMLDuration = 900
	maxSAMLDuration = 43200
	maxSAMLTags     = 50
)

// shape reads the attributes that shape the session. The words for those that are not well formed, but for
// the session name's, are not AWS's recorded ones.
func (x *samlExamination) shape(a *saml.Assertion) {
	x.sessionName(a)
	x.duration(a)
	x.tags(a)
	if at, ok := a.Attribute(attributeSource); ok {
		name, one := single(at)
		good := one && sessionNameForm.MatchString(name) && !reserved(name) // sourceIdentityType has the form of session names
		x.say(evidence.Check{
			Name: "source identity", Claim: attributeSource, Operator: "matches", Want: []string{sessionNameForm.String()}, Got: at.Values, OK: good,
		}, invalidToken("SourceIdentity in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"))
		x.id.source = name
	}
}

// single is the value of an attribute that has exactly one.
func single(at saml.Attribute) (string, bool) {
	if len(at.Values) != 1 {
		return "", false
	}
	return at.Values[0], true
}

func (x *samlExamination) sessionName(a *saml.Assertion) {
	at, _ := a.Attribute(attributeSessionName)
	x.say(evidence.Check{Name: "role session name", Claim: attributeSessionName, Operator: "present", OK: len(at.Values) > 0 && at.Values[0] != ""},
		invalidToken("RoleSessionName is required in AuthnResponse"))
	if len(at.Values) == 0 {
		return
	}
	name, one := single(at)
	x.say(evidence.Check{
		Name: "role session name", Claim: attributeSessionName, Operator: "matches", Want: []string{sessionNameForm.String()}, Got: at.Values, OK: one && sessionNameForm.MatchString(name),
	}, invalidToken("RoleSessionName in AuthnResponse must match [a-zA-Z_0-9+=,.@-]{2,64}"))
	x.id.sessionName = name
}

// duration reads SessionDuration, which is meant for the console. Of the API it can only shorten a session
// (recorded): 900 is kept to, 7200 does not lengthen the default hour.
func (x *samlExamination) duration(a *saml.Assertion) {
	at, ok := a.Attribute(attributeDuration)
	if !ok {
		return
	}
	text, one := single(at)
	seconds, err := strconv.Atoi(text)
	good := one && err == nil && seconds >= minSAMLDuration && seconds <= maxSAMLDuration
	x.say(evidence.Check{
		Name: "session duration", Claim: attributeDuration, Operator: "between", Want: []string{strconv.Itoa(minSAMLDuration), strconv.Itoa(maxSAMLDuration)}, Got: at.Values, OK: good,
	}, invalidToken("SessionDuration in AuthnResponse must be an integer between 900 and 43200"))
	if good {
		x.bound(attributeDuration, x.now.Truncate(time.Second).Add(time.Duration(seconds)*time.Second))
	}
}

// tags reads the session tags, and which of them go on along a chain.
func (x *samlExamination) tags(a *saml.Assertion) {
	for _, at := range a.Attributes {
		key, is := strings.CutPrefix(at.Name, attributeTag)
		if !is {
			continue
		}
		value, one := single(at)
		x.say(evidence.Check{
			Name: "session tag", Claim: at.Name, Operator: "is", Want: []string{"one value"}, Got: at.Values, OK: one && directory.ValidTagKey(key) && directory.ValidTagValue(value) && !reserved(key),
		}, invalidToken("PrincipalTag in AuthnResponse is not in correct format."))
		x.id.tags = append(x.id.tags, directory.Tag{Key: key, Value: value})
	}
	at, _ := a.Attribute(attributeTransitive)
	seen, good := map[string]bool{}, true
	for _, key := range at.Values {
		good = good && directory.ValidTagKey(key)
		if !seen[key] {
			x.id.transitive = append(x.id.transitive, key)
		}
		seen[key] = true
	}
	if len(at.Values) > 0 {
		x.say(evidence.Check{Name: "transitive tags", Claim: attributeTransitive, Operator: "are", Want: []string{"keys of tags"}, Got: at.Values, OK: good},
			invalidToken("TransitiveTagKeys in AuthnResponse is not in correct format."))
	}
	n := max(len(x.id.tags), len(x.id.transitive))
	if n > 0 {
		x.say(evidence.Check{Name: "number of tags", Operator: "at most", Want: []string{strconv.Itoa(maxSAMLTags)}, Got: []string{strconv.Itoa(n)}, OK: n <= maxSAMLTags},
			invalidToken("PrincipalTag in AuthnResponse is not in correct format."))
	}
}

// keys sets the condition keys that a trust policy may ask of an assertion (IAM user guide, "Available keys
// for SAML-based AWS STS federation"). Those of attributes are multivalued.
func (id samlIdentity) keys(k policy.Context) {
	for name, value := range map[string]string{
		"saml:aud": id.recipient, "saml:iss": id.issuer, "saml:sub": id.subject, "saml:sub_type": id.subjectType,
		"saml:doc": id.provider.AccountID + "/" + id.provider.Name, "saml:namequalifier": id.qualifier,
	} {
		k.Set(name, value)
	}
	values := map[string][]string{}
	for _, at := range id.attributes {
		for _, m := range attributeKeys {
			if m.attribute == at.Name {
				values[m.key] = append(values[m.key], at.Values...)
			}
		}
	}
	for key, list := range values {
		k.SetMany(key, list...)
	}
}

// kept are the keys that stay with the session, as credential.Session keeps them.
func (id samlIdentity) kept() map[string][]string {
	return map[string][]string{"saml:namequalifier": {id.qualifier}, "saml:sub": {id.subject}, "saml:sub_type": {id.subjectType}}
}

const (
	eduPerson = "urn:oid:1.3.6.1.4.1.5923.1.1.1."
	eduOrg    = "urn:oid:1.3.6.1.4.1.5923.1.2.1."
	xmlsoap   = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
)

// attributeKeys says which attributes are condition keys, as AWS's tables print them, slips included (IAM
// user guide, "Mapping SAML attributes to AWS trust policy context keys").
var attributeKeys = []struct{ attribute, key string }{
	{eduPerson + "1", "saml:edupersonaffiliation"},
	{eduPerson + "2", "saml:edupersonnickname"},
	{eduPerson + "3", "saml:edupersonorgdn"},
	{eduPerson + "4", "saml:edupersonorgunitdn"},
	{eduPerson + "5", "saml:edupersonprimaryaffiliation"},
	{eduPerson + "6", "saml:edupersonprincipalname"},
	{eduPerson + "7", "saml:edupersonentitlement"},
	{eduPerson + "8", "saml:edupersonprimaryorgunitdn"},
	{eduPerson + "9", "saml:edupersonscopedaffiliation"},
	{eduPerson + "10", "saml:edupersontargetedid"},
	{eduPerson + "11", "saml:edupersonassurance"},
	{eduOrg + "2", "saml:eduorghomepageuri"},
	{eduOrg + "3", "saml:eduorgidentityauthnpolicyuri"},
	{eduOrg + "4", "saml:eduorglegalname"},
	{eduOrg + "5", "saml:eduorgsuperioruri"},
	{eduOrg + "6", "saml:eduorgwhitepagesuri"},

	{"urn:oid:2.5.4.3", "saml:cn"},
	{xmlsoap + "name", "saml:name"},
	{xmlsoap + "givenname", "saml:givenName"},
	{xmlsoap + "surname", "saml:surname"},
	{xmlsoap + "emailaddress", "saml:mail"},
	{"http://schemas.xmlsoap.org/claims/CommonName", "saml:commonName"},
	{"http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid", "saml:uid"},
	{"http://schemas.microsoft.com/ws/2008/06/identity/claims/primarygroupsid", "saml:primaryGroupSID"}, // which has no line of its own there

	{"2.5.4.3", "saml:commonName"},
	{"2.5.4.4", "saml:surname"},
	{"2.4.5.42", "saml:givenName"},
	{"2.5.4.45", "saml:x500UniqueIdentifier"},
	{"0.9.2342.19200300100.1.1", "saml:uid"},
	{"0.9.2342.19200300100.1.3", "saml:mail"},
	{"0.9.2342.19200300.100.1.45", "saml:organizationStatus"},
}
