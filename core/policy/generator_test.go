package policy

import (
	"math/rand/v2"
	"slices"
	"strings"
)

// generator makes policies and requests of few names, so that they meet often.
type generator struct{ *rand.Rand }

func (g generator) pick(from ...string) string { return from[g.IntN(len(from))] }

func (g generator) picks(most int, from ...string) []string {
	out := make([]string, 1+g.IntN(most))
	for i := range out {
		out[i] = g.pick(from...)
	}
	return out
}

func (g generator) chance(percent int) bool { return g.IntN(100) < percent }

var (
	someNames     = []string{"user", "session", "federated", "rootfederated", "root", "stranger", "strangersession", "strangerroot", "anonymous", "token", "cognito", "assertion", "service"}
	someActions   = []string{"s3:GetObject", "S3:putobject", "sts:AssumeRole", "s3:Get*", "s3:*Object", "s3:?etObject", "s3:*", "*", "sts:*", "iam:*", "*:*", "*:Get*"}
	someResources = []string{
		"*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/alice/*", "arn:aws:s3:::b/${aws:username}/*", "arn:aws:s3:::b/${aws:username, 'guest'}/x", "arn:aws:s3:::b/${aws:TagKeys}/*",
		"arn:aws:s3:::b/?????/x", "arn:aws:s3:::b/a${*}/x", "arn:aws:s3:::b/*x", "arn:aws:iam::*:role/*", "arn:aws:iam::123456789012:role/target", "arn:aws:iam::12345678901?:role/t*", "arn:aws:iam::2*:role/*", "arn:aws:sqs:*:*:*",
	}
	someTargets = []string{"arn:aws:s3:::b/alice/x", "arn:aws:s3:::b/guest/x", "arn:aws:s3:::b/a*/x", "arn:aws:s3:::b/a:b/x", "arn:aws:iam::123456789012:role/target", "arn:aws:iam::210987654321:role/target", "*"}
	someEntries = []string{
		"*", "123456789012", "arn:aws:iam::123456789012:root", "210987654321", "arn:aws:iam::210987654321:root",
		"arn:aws:iam::123456789012:user/team/alice", "AIDAALICEALICEALICE00", "arn:aws:iam::123456789012:role/svc/app", "AROAAPPAPPAPPAPPAPP00", "arn:aws:sts::123456789012:assumed-role/app/s1",
		"arn:aws:sts::123456789012:federated-user/bob", "arn:aws:iam::210987654321:user/eve", "arn:aws:iam::210987654321:role/far", "arn:aws:sts::210987654321:assumed-role/far/s2", "arn:aws:iam::123456789012:user/nobody",
	}
	someProviders = []string{"arn:aws:iam::123456789012:oidc-provider/idp.example", "cognito-identity.amazonaws.com", "arn:aws:iam::123456789012:saml-provider/idp", "accounts.google.com"}
	someServices  = []string{"lambda.amazonaws.com", "sns.amazonaws.com"}
	someKeys      = []string{"aws:username", "aws:PrincipalTag/team", "aws:TagKeys", "aws:SourceIp", "aws:CurrentTime", "s3:max-keys", "aws:SecureTransport", "aws:SourceArn", "k:bin"}

	// someValues are values of requests by what they are; some are of policies alone.
	someValues = map[string][]string{
		"string":  {"alice", "Alice", "red", "", "a*", "ΟΣ", "ος", "οσ", "K", "k", "a𐐀", "A𐐨", "𐐀", "𐐨", "guest", "true"},
		"pattern": {"a*", "*", "?lice", "al??e", "${aws:username}", "${aws:username, 'guest'}", "${aws:TagKeys}", "a${*}", "${$}x", "a??", "x${aws:PrincipalTag/team}*", "r*d", "**e"},
		"number":  {"1", "01", "+1", "1.0", "10", "-3", "-3.5", "-12", "1e1", "9007199254740993", "9007199254740992", "x", "", "NaN", ".5", "5."},
		"date":    {"2030-01-01T00:00:00Z", "2030-01-01", "1893456000", "2030-01-01T00:00:00.0005Z", "2031-01-01T00:00:00+01:00", "2029-12-31T23:00:00", "soon", ""},
		"bool":    {"true", "false", "TRUE", "yes", "", "1"},
		"binary":  {"YQ==", "Yg==", "YR==", "YQ", ""},
		"ip":      {"192.0.2.1", "192.0.3.1", "192.000.002.1", "2001:db8::1", "2001:db8::5", "::ffff:192.0.2.1", "2001:db8:::1", "x", "", "192.0.513", "::192.0.2.1"},
		"block":   {"192.0.2.0/24", "192.0.2.5/24", "0.0.0.0/0", "2001:db8::/64", "2001:db8::5/64", "::/0", "192.0.2.1", "192.0.2.0/33", "x", "::ffff:192.0.2.0/120", "192.0.2.0/+24", "2001:db8::1"},
		"arn":     {"arn:aws:iam::123456789012:user/alice", "arn:aws:iam::123456789012:role/x:y", "arn:aws:s3:::b", "x", "", "arn:aws:iam"},
		"arns":    {"arn:aws:iam::*:user/*", "arn:aws:iam::123456789012:user/${aws:username}", "arn:*:iam::123456789012:role/x?y", "*", "x", "arn:aws:s3:::?", "${aws:SourceArn}", "${aws:username}"},
	}
	// operands are the lists of someValues from which an operator's operands come.
	operands  = map[string][]string{"string": {"string", "pattern"}, "num": {"number"}, "dat": {"date", "number"}, "boo": {"bool", "pattern"}, "bin": {"binary"}, "ip": {"block", "ip"}, "not": {"block", "ip"}, "arn": {"arns", "arn"}, "nul": {"bool"}}
	keyValues = map[string]string{
		"aws:username": "string", "aws:PrincipalTag/team": "string", "aws:TagKeys": "string", "aws:SourceIp": "ip", "aws:CurrentTime": "date",
		"s3:max-keys": "number", "aws:SecureTransport": "bool", "aws:SourceArn": "arn", "k:bin": "binary",
	}
)

// operatorNames are those of the user guide.
var operatorNames = strings.Fields(`StringEquals StringNotEquals StringEqualsIgnoreCase StringNotEqualsIgnoreCase StringLike StringNotLike
	NumericEquals NumericNotEquals NumericLessThan NumericLessThanEquals NumericGreaterThan NumericGreaterThanEquals
	DateEquals DateNotEquals DateLessThan DateLessThanEquals DateGreaterThan DateGreaterThanEquals
	Bool BinaryEquals IpAddress NotIpAddress ArnEquals ArnLike ArnNotEquals ArnNotLike Null`)

func (g generator) condition() Condition {
	base := g.pick(operatorNames...)
	family := strings.ToLower(base[:3])
	if strings.HasPrefix(base, "Ip") {
		family = "ip"
	} else if family == "str" {
		family = "string"
	}
	c := Condition{Operator: base, Key: g.pick(someKeys...)}
	if g.chance(85) { // mostly a key that holds such values
		for !slices.Contains(operands[family], keyValues[c.Key]) {
			c.Key = g.pick(someKeys...)
		}
	}
	for range 1 + g.IntN(3) {
		list := operands[family]
		c.Values = append(c.Values, g.pick(someValues[list[g.IntN(len(list))]]...))
	}
	if base == "Null" {
		return c
	}
	if g.chance(30) || c.Key == "aws:TagKeys" && g.chance(70) {
		c.Operator = g.pick("ForAnyValue:", "ForAllValues:") + base
	}
	if g.chance(20) {
		c.Operator += "IfExists"
	}
	return c
}

func (g generator) principals() *Principals {
	p := &Principals{}
	switch g.IntN(6) {
	case 0:
		p.Federated = g.picks(2, someProviders...)
	case 1:
		p.Service = g.picks(2, someServices...)
	case 2:
		p.Any = g.chance(50)
		p.AWS = g.picks(3, someEntries...)
	default:
		p.AWS = g.picks(4, someEntries...)
	}
	return p
}

func (g generator) statement(layer Type) Statement {
	s := Statement{Effect: Allow}
	if g.chance(20) {
		s.Effect = Deny
	}
	if g.chance(85) {
		s.Actions = g.picks(2, someActions...)
	} else {
		s.NotActions = g.picks(2, someActions...)
	}
	if layer != RoleTrust {
		if g.chance(85) {
			s.Resources = g.picks(2, someResources...)
		} else {
			s.NotResources = g.picks(2, someResources...)
		}
	}
	if layer == ResourceBased || layer == RoleTrust {
		if g.chance(85) {
			s.Principals = g.principals()
		} else {
			s.NotPrincipals = g.principals()
		}
	}
	if g.chance(40) { // only principal and conditions decide
		s.Actions, s.NotActions = []string{"*"}, nil
		if layer != RoleTrust {
			s.Resources, s.NotResources = []string{"*"}, nil
		}
	}
	if g.chance(60) {
		for range 1 + g.IntN(2) {
			s.Conditions = append(s.Conditions, g.condition())
		}
	}
	return s
}

// source makes a policy, compiled or not.
func (g generator) source(layer Type) Source {
	if g.chance(4) {
		return Source{Type: layer, Name: "none"}
	}
	d := &Document{Version: g.pick("2012-10-17", "2012-10-17", "2012-10-17", "2008-10-17", "")}
	compile := g.chance(80)
	for range g.IntN(4) {
		s := g.statement(layer)
		if compile {
			s.compile(d.Version)
		}
		d.Statements = append(d.Statements, s)
	}
	return Source{Type: layer, Name: layer.String(), Document: d}
}

func (g generator) sources() (out []Source) {
	for range g.IntN(3) {
		out = append(out, g.source(IdentityBased))
	}
	for layer, percent := range [...]int{Boundary: 25, SessionPolicy: 25, ResourceBased: 50, RoleTrust: 30} {
		if g.chance(percent) {
			out = append(out, g.source(Type(layer)))
		}
	}
	g.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

func (g generator) request() Request {
	r := Request{Principal: cast[g.pick(someNames...)], Action: g.pick("s3:GetObject", "s3:PutObject", "sts:AssumeRole"), Resource: g.pick(someTargets...), Context: Context{}}
	if g.chance(50) {
		r.Owner = g.pick("123456789012", "210987654321")
	}
	for _, key := range someKeys {
		list := keyValues[key]
		switch {
		case g.chance(25):
		case key == "aws:TagKeys":
			r.Context.SetMany(key, g.picks(3, someValues[list]...)[g.IntN(2):]...)
		default:
			r.Context.Set(key, g.pick(someValues[list]...))
		}
	}
	return r
}
