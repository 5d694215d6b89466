package policy

import (
	"bytes"
	"encoding/base64"
	"math/big"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
)

var (
	anAccount  = regexp.MustCompile(`^\d{12}$`)
	aVariable  = regexp.MustCompile(`^\$\{([^},]*)(?:,\s*'([^']*)')?\}`)
	anOperator = regexp.MustCompile(`^(?i:(ForAnyValue:|ForAllValues:)?(.*?)(IfExists)?)$`)
	aNumber    = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?$`)
	aDate      = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?)?$`)
	anIPv4     = regexp.MustCompile(`^0*(\d{1,3})\.0*(\d{1,3})\.0*(\d{1,3})\.0*(\d{1,3})$`)
)

// slow is a second evaluator, written from the rules and for clearness alone; it shares nothing with the
// first but the types of requests and documents.
type slow struct {
	r  Request
	ps []Source
}

// decide gives the result and what a refusal ends with.
func (w slow) decide() (Result, string) {
	given, denied, granted := map[Type]bool{}, map[Type]bool{}, map[Type]string{}
	for _, p := range w.ps {
		given[p.Type] = true
		if p.Document == nil {
			continue
		}
		for _, s := range p.Document.Statements {
			how := w.applies(p, s)
			switch {
			case how == "":
			case s.Effect == "Deny":
				denied[p.Type] = true
			case rank(how) > rank(granted[p.Type]):
				granted[p.Type] = how
			}
		}
	}
	for t := IdentityBased; t <= RoleTrust; t++ {
		if denied[t] {
			return ExplicitDeny, "with an explicit deny in " + map[bool]string{true: "an ", false: "a "}[t == IdentityBased] + words(t)
		}
	}
	who := w.r.Principal
	if who.Type == "Account" || who.Type == "FederatedUser" && strings.HasSuffix(who.Issuer, ":root") {
		granted[IdentityBased] = "self"
	}
	for _, t := range w.mustAllow(given, granted) {
		if granted[t] == "" {
			return ImplicitDeny, "because no " + words(t) + " allows the " + w.r.Action + " action"
		}
	}
	return Allowed, ""
}

func words(t Type) string {
	return []string{"", "identity-based policy", "permissions boundary", "session policy", "resource-based policy", "role trust policy"}[t]
}

func rank(how string) int { return strings.Index("....account.session.self", how) }

// mustAllow lists the layers that must allow, in the order in which a refusal names them.
func (w slow) mustAllow(given map[Type]bool, granted map[Type]string) (out []Type) {
	side := ResourceBased
	if given[RoleTrust] {
		side = RoleTrust
	}
	if !w.credentialed() {
		return []Type{side}
	}
	limits := []Type{}
	for _, t := range []Type{Boundary, SessionPolicy} {
		if given[t] {
			limits = append(limits, t)
		}
	}
	if w.owner() != w.r.Principal.Account {
		return append(append([]Type{IdentityBased}, limits...), side)
	}
	switch how := granted[side]; {
	case how == "self":
		return nil
	case how == "session":
		return limits
	case side == RoleTrust && how == "":
		return []Type{RoleTrust}
	}
	return append([]Type{IdentityBased}, limits...)
}

func (w slow) owner() string {
	if w.r.Owner != "" {
		return w.r.Owner
	}
	if parts := strings.SplitN(w.r.Resource, ":", 6); len(parts) == 6 && parts[0] == "arn" && anAccount.MatchString(parts[4]) {
		return parts[4]
	}
	return w.r.Principal.Account
}

func (w slow) credentialed() bool {
	switch w.r.Principal.Type {
	case "Account", "User", "AssumedRole", "FederatedUser":
		return true
	}
	return false
}

// applies says how a statement that applies names the caller: "account", "session" (the role or user behind
// one), "self"; "" when it does not apply.
func (w slow) applies(p Source, s Statement) string {
	attached := p.Type == ResourceBased || p.Type == RoleTrust
	how := "self"
	if attached {
		how = w.named(s, p.Type == RoleTrust)
	}
	fresh := p.Document.Version == "2012-10-17"
	if !w.action(s) || !w.resource(s, attached, fresh) {
		return ""
	}
	for _, c := range s.Conditions {
		ok, broken := w.condition(c, fresh)
		if broken {
			ok = s.Effect == "Deny"
		}
		if !ok {
			return ""
		}
	}
	return how
}

func (w slow) action(s Statement) bool {
	in := func(list []string) bool {
		for _, a := range list {
			if a == "*" {
				return true
			}
			p, v := strings.SplitN(strings.ToLower(a), ":", 2), strings.SplitN(strings.ToLower(w.r.Action), ":", 2)
			if len(p) == 2 && len(v) == 2 && (p[0] == "*" || p[0] == v[0]) && wild(spelled(p[1], true, false, nil), v[1]) {
				return true
			}
		}
		return false
	}
	if s.Actions != nil {
		return in(s.Actions)
	}
	return !in(s.NotActions)
}

func (w slow) resource(s Statement, attached, fresh bool) bool {
	in := func(list []string) bool {
		for _, r := range list {
			if r == "*" {
				return true
			}
			p, v := strings.SplitN(r, ":", 6), strings.SplitN(w.r.Resource, ":", 6)
			if len(p) != 6 || len(v) != 6 || p[0] != "arn" || v[0] != "arn" || p[1] != v[1] || p[2] != v[2] {
				continue
			}
			if wild(spelled(p[3], true, false, nil), v[3]) && wild(spelled(p[4], true, false, nil), v[4]) && wild(spelled(p[5], true, fresh, w.r.Context), v[5]) {
				return true
			}
		}
		return false
	}
	switch {
	case s.Resources != nil:
		return in(s.Resources)
	case s.NotResources != nil:
		return !in(s.NotResources)
	}
	return attached
}

// named compares principals by listing what the caller is called.
func (w slow) named(s Statement, trust bool) string {
	who := w.r.Principal
	account := "arn:aws:iam::" + who.Account + ":root"
	same := func(entry, name string) bool {
		return name != "" && (entry == name || name == account && entry == who.Account)
	}
	lists := func(p *Principals, name string) bool {
		for _, e := range p.AWS {
			if same(e, name) {
				return true
			}
		}
		return false
	}
	everyone := func(p *Principals) bool { return p.Any || strings.Contains(" "+strings.Join(p.AWS, " ")+" ", " * ") }
	direct := func(p *Principals) string {
		switch who.Type {
		case "WebIdentity", "SAML":
			return map[bool]string{true: "self"}[strings.Contains("|"+strings.Join(p.Federated, "|")+"|", "|"+who.Federated+"|")]
		case "Service":
			return map[bool]string{true: "self"}[strings.Contains("|"+strings.Join(p.Service, "|")+"|", "|"+who.Service+"|")]
		case "Anonymous":
			return ""
		}
		own := lists(p, who.ARN) || who.Type == "User" && lists(p, who.ID)
		switch {
		case own:
			return "self"
		case who.Type != "Account" && (lists(p, who.Issuer) && who.Issuer != account || strings.HasPrefix(who.ID, "A") && lists(p, who.ID)):
			return "session"
		case lists(p, account):
			return "account"
		}
		return ""
	}
	if p := s.Principals; p != nil {
		if everyone(p) && (s.Effect == "Deny" || !trust || w.credentialed()) {
			return "self"
		}
		return direct(p)
	}
	p := s.NotPrincipals
	if p == nil {
		return ""
	}
	if s.Effect == "Allow" {
		return map[bool]string{true: "self"}[!everyone(p) && direct(p) == "" && (!trust || w.credentialed())]
	}
	spared := direct(p) != ""
	if w.credentialed() {
		own := lists(p, who.ARN) || who.Type == "User" && lists(p, who.ID)
		role := lists(p, who.Issuer) || lists(p, who.ID)
		spared = lists(p, account) && own && (who.Type != "AssumedRole" || role)
	}
	return map[bool]string{true: "self"}[!spared && !everyone(p)]
}

// letter is a unit of a pattern; wildcards have joker set.
type letter struct {
	unit  uint16
	joker bool
}

// spelled spells a pattern out, with variables if there are any; nil when one has no value.
func spelled(text string, jokers, variables bool, c Context) []letter {
	out := []letter{}
	add := func(s string, jokers bool) {
		for _, u := range utf16.Encode([]rune(s)) {
			out = append(out, letter{u, jokers && (u == '*' || u == '?')})
		}
	}
	for text != "" {
		m := aVariable.FindStringSubmatch(text)
		if !variables || m == nil {
			r := []rune(text)
			add(string(r[:1]), jokers)
			text = string(r[1:])
			continue
		}
		text = text[len(m[0]):]
		if m[1] == "*" || m[1] == "?" || m[1] == "$" {
			add(m[1], false)
			continue
		}
		v := c[strings.ToLower(m[1])]
		switch {
		case len(v.Values) == 1 && !v.Many:
			add(v.Values[0], false)
		case len(v.Values) == 0 && strings.Contains(m[0], ","):
			add(m[2], false)
		default:
			return nil
		}
	}
	return out
}

func wild(p []letter, value string) bool { return p != nil && recurse(p, utf16.Encode([]rune(value))) }

func recurse(p []letter, v []uint16) bool {
	if len(p) == 0 {
		return len(v) == 0
	}
	if p[0].joker && p[0].unit == '*' {
		return recurse(p[1:], v) || len(v) > 0 && recurse(p, v[1:])
	}
	return len(v) > 0 && (p[0].joker || p[0].unit == v[0]) && recurse(p[1:], v[1:])
}

func plain(p []letter) string {
	units := make([]uint16, len(p))
	for i := range p {
		units[i] = p[i].unit
	}
	return string(utf16.Decode(units))
}

// condition gives the truth of a condition, or that it is broken.
func (w slow) condition(c Condition, fresh bool) (ok, broken bool) {
	m := anOperator.FindStringSubmatch(c.Operator)
	set, base, ifExists := strings.ToLower(m[1]), strings.ToLower(m[2]), m[3] != ""
	v := w.r.Context[strings.ToLower(c.Key)]
	if base == "null" {
		for _, want := range c.Values {
			if (strings.ToLower(want) == "true") == (len(v.Values) == 0) {
				return true, false
			}
		}
		return false, false
	}
	negated := strings.Contains(base, "not")
	base = strings.Replace(base, "not", "", 1)
	if len(v.Values) == 0 {
		return ifExists || set == "forallvalues:" || set == "" && negated, false
	}
	if set == "" && v.Many {
		return false, false
	}
	trues := 0
	for _, value := range v.Values {
		hit, readable, broken := w.compare(base, c.Values, value, fresh)
		if broken {
			return false, true
		}
		if readable && hit != negated {
			trues++
			if set == "foranyvalue:" {
				return true, false
			}
		} else if set == "forallvalues:" {
			return false, false
		}
	}
	return trues == len(v.Values), false
}

// compare looks for a value of the policy that matches.
func (w slow) compare(base string, wants []string, value string, fresh bool) (hit, readable, broken bool) {
	segments := strings.SplitN(value, ":", 6)
	switch {
	case strings.HasPrefix(base, "arn") && (len(segments) < 6 || segments[0] != "arn"):
		return false, false, false
	case strings.HasSuffix(base, "ipaddress") && readIP(value) == nil:
		return false, false, false
	}
	for _, want := range wants {
		jokers := base == "stringlike" || strings.HasPrefix(base, "arn")
		p := spelled(want, jokers, fresh, w.r.Context)
		switch {
		case strings.HasPrefix(base, "string") || base == "bool":
			hit = p != nil && textual(base, p, value)
		case strings.HasPrefix(base, "numeric"):
			hit = ordered(strings.TrimPrefix(base, "numeric"), readNumber(value), readNumber(want))
		case strings.HasPrefix(base, "date"):
			hit = ordered(strings.TrimPrefix(base, "date"), readTime(value), readTime(want))
		case base == "binaryequals":
			a, bad := base64.StdEncoding.Strict().DecodeString(want)
			b, worse := base64.StdEncoding.Strict().DecodeString(value)
			hit = bad == nil && worse == nil && bytes.Equal(a, b)
		case base == "ipaddress":
			hit = inBlock(readIP(value), want)
		case strings.HasPrefix(base, "arn") && p != nil:
			var fits bool
			if fits, hit = arnFits(p, segments); !fits {
				return false, true, true
			}
		}
		if hit {
			return true, true, false
		}
	}
	return false, true, false
}

func textual(base string, p []letter, value string) bool {
	switch base {
	case "stringequals":
		return plain(p) == value
	case "stringequalsignorecase":
		return lowered(plain(p)) == lowered(value)
	case "bool":
		return (strings.ToLower(plain(p)) == "true") == (strings.ToLower(value) == "true")
	}
	return wild(p, value)
}

// lowered is right for letters and spaces.
func lowered(s string) string {
	r := []rune(s)
	out := ""
	for i, c := range r {
		final := i > 0 && unicode.IsLetter(r[i-1]) && (i+1 == len(r) || !unicode.IsLetter(r[i+1]))
		switch {
		case c == 'Σ' && final:
			out += "ς"
		case c == 'İ':
			out += "i̇"
		case c > 0xFFFF:
			out += string(c)
		default:
			out += strings.ToLower(string(c))
		}
	}
	return out
}

func readNumber(s string) *big.Rat {
	if !aNumber.MatchString(s) {
		return nil
	}
	n, ok := new(big.Rat).SetString(strings.TrimPrefix(s, "+"))
	if !ok {
		return nil
	}
	return n
}

func readTime(s string) *big.Rat {
	if n := readNumber(s); n != nil && !strings.ContainsAny(s, ".eE") && len(strings.TrimLeft(s, "+-")) <= 15 {
		return n.Mul(n, big.NewRat(1000, 1))
	}
	m := aDate.FindStringSubmatch(s)
	if m == nil {
		return nil
	}
	clock, zone, milli := m[2], m[4], 0
	if clock == "" {
		clock = "00:00:00"
	}
	if zone == "" {
		zone = "Z"
	}
	if m[3] != "" {
		milli, _ = strconv.Atoi((m[3] + "000")[:3])
	}
	t, err := time.Parse("2006-01-02 15:04:05 Z07:00", m[1]+" "+clock+" "+zone)
	if err != nil {
		return nil
	}
	return big.NewRat(t.Unix()*1000+int64(milli), 1)
}

func ordered(how string, a, b *big.Rat) bool {
	if a == nil || b == nil {
		return false
	}
	c := a.Cmp(b)
	return map[string]bool{"equals": c == 0, "lessthan": c < 0, "lessthanequals": c <= 0, "greaterthan": c > 0, "greaterthanequals": c >= 0}[how]
}

// readIP gives four or sixteen bytes.
func readIP(s string) []byte {
	if m := anIPv4.FindStringSubmatch(s); m != nil {
		s = strings.Join(m[1:], ".")
	} else if strings.Contains(s, ".") && !strings.HasPrefix(s, "::ffff:") {
		return nil
	}
	ip := net.ParseIP(strings.Replace(s, ":::", "::", 1))
	if four := ip.To4(); four != nil {
		return four
	}
	return ip
}

func inBlock(ip []byte, block string) bool {
	text, length, has := strings.Cut(block, "/")
	net := readIP(text)
	if net == nil || strings.Contains(text, ":") != (len(net) == 16) || len(net) != len(ip) {
		return false
	}
	bits := 8 * len(net)
	if has {
		n, err := strconv.Atoi(length)
		if err != nil || n < 0 || n > bits {
			return false
		}
		bits = n
	}
	shift := uint(8*len(net) - bits)
	a, b := new(big.Int).SetBytes(ip), new(big.Int).SetBytes(net)
	a.Lsh(a.Rsh(a, shift), shift)
	if len(net) == 4 {
		b.Lsh(b.Rsh(b, shift), shift)
	}
	return a.Cmp(b) == 0
}

// arnFits reports whether the pattern is one of an ARN, and whether it matches.
func arnFits(p []letter, value []string) (fits, hit bool) {
	if len(p) == 1 && p[0].joker && p[0].unit == '*' {
		return true, true
	}
	cuts := [][]letter{{}}
	for _, l := range p {
		if l.unit == ':' && len(cuts) < 6 {
			cuts = append(cuts, []letter{})
			continue
		}
		cuts[len(cuts)-1] = append(cuts[len(cuts)-1], l)
	}
	if len(cuts) < 6 {
		return false, false
	}
	for i := range cuts {
		if !wild(cuts[i], value[i]) {
			return true, false
		}
	}
	return true, true
}
