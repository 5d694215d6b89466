package policy

import "slices"

// Evaluate decides a request by the policies that apply to it. A layer exists when a Source of its type is
// given, and then must allow where it is needed, even when its document is empty or nil; identity-based
// policies are a layer of every caller with credentials of an account. Evaluate looks at every statement of
// every policy; neither their order nor that of the sources matters to the result.
func Evaluate(r Request, ps ...Source) Decision {
	e := evaluation{request: &r, target: newTarget(&r), sources: ps}
	var room [8]place
	e.aimed = room[:0]
	e.count()
	e.judge()
	d := Decision{Result: e.result, Action: r.Action, Resource: r.Resource, Caller: r.Principal.name(), Because: e.because, Layers: e.layers()}
	if d.Allows() {
		for _, at := range e.aimed {
			e.keep(&d, at, e.fits(at))
		}
	} else {
		e.explain(&d)
	}
	slices.Sort(d.Missing)
	d.Missing = slices.Compact(d.Missing)
	return d
}

// evaluation is the work on one request.
type evaluation struct {
	request *Request
	target  target
	sources []Source
	aimed   []place // statements that are about the request, whatever their conditions say
	tallies [len(typeNames)]tally

	needed  [len(typeNames)]bool
	result  Result
	because string
}

// place is a statement: its source's index and its own.
type place struct{ source, statement int }

// tally is what the policies of one type say together.
type tally struct {
	exists     bool
	statements int
	denies     bool
	grant      grant // the strongest of those that allow
}

// count tallies every statement.
func (e *evaluation) count() {
	for i := range e.sources {
		t := &e.tallies[e.sources[i].Type]
		t.exists = true
		if e.sources[i].Document == nil {
			continue
		}
		statements := e.sources[i].Document.Statements
		t.statements += len(statements)
		for j := range statements {
			f := e.quick(place{i, j})
			if !f.aims() {
				continue
			}
			e.aimed = append(e.aimed, place{i, j})
			switch {
			case !f.conditions:
			case statements[j].Effect == Deny:
				t.denies = true
			case statements[j].Effect == Allow:
				t.grant = max(t.grant, f.grant)
			}
		}
	}
	if e.request.Principal.signs() {
		e.tallies[IdentityBased].exists = true
	}
	if e.request.Principal.root() {
		e.tallies[IdentityBased].grant = direct
	}
}

// at gives a statement and what was compiled of it.
func (e *evaluation) at(p place) (*Source, *Statement, *compiled) {
	source := &e.sources[p.source]
	s := &source.Document.Statements[p.statement]
	if s.compiled.ready {
		return source, s, &s.compiled
	}
	own := *s // documents are shared
	own.compile(source.Document.Version)
	return source, s, &own.compiled
}

// quick looks at the elements of a statement, the cheapest and most telling first, until one does not fit.
func (e *evaluation) quick(p place) (f fit) {
	source, s, c := e.at(p)
	if f.action = c.fitsAction(&e.target); !f.action {
		return f
	}
	resources := source.Type == ResourceBased || source.Type == RoleTrust
	if f.resource = c.fitsResource(e.request.Context, &e.target, resources); !f.resource {
		return f
	}
	if f.grant = e.grant(source, s, c); f.grant == nobody {
		return f
	}
	f.principal = true
	f.conditions = c.fitsConditions(e.request.Context, s.Effect)
	return f
}

// fits looks at all elements.
func (e *evaluation) fits(p place) (f fit) {
	source, s, c := e.at(p)
	resources := source.Type == ResourceBased || source.Type == RoleTrust
	f.action = c.fitsAction(&e.target)
	f.resource = c.fitsResource(e.request.Context, &e.target, resources)
	f.grant = e.grant(source, s, c)
	f.principal = f.grant != nobody
	f.conditions = c.fitsConditions(e.request.Context, s.Effect)
	return f
}

// grant says how a statement names the caller. What is attached to the caller names it by that.
func (e *evaluation) grant(source *Source, s *Statement, c *compiled) grant {
	switch source.Type {
	case ResourceBased, RoleTrust:
		return c.principals.match(&e.request.Principal, source.Type == RoleTrust, s.Effect)
	case IdentityBased, Boundary, SessionPolicy:
	}
	return direct
}

// judge finds the layers whose allow is needed, and the result.
func (e *evaluation) judge() {
	e.need()
	for t := IdentityBased; t.known(); t++ {
		if e.tallies[t].denies {
			e.result, e.because = ExplicitDeny, "with an explicit deny in "+t.withArticle()
			return
		}
	}
	for t := IdentityBased; t.known(); t++ {
		if e.needed[t] && e.tallies[t].grant == nobody {
			e.result, e.because = ImplicitDeny, "because no "+t.String()+" allows the "+e.request.Action+" action"
			return
		}
	}
	e.result = Allowed
}

// need applies the rules of the IAM user guide, "Determining whether a request is allowed or denied within
// an account" and "Cross-account policy evaluation logic". A role's trust policy must always allow.
func (e *evaluation) need() {
	side := ResourceBased
	if e.tallies[RoleTrust].exists {
		side = RoleTrust
	}
	who := &e.request.Principal
	switch named := e.tallies[side].grant; {
	case !who.signs():
		e.needed[side] = true
	case e.target.account != who.Account:
		e.needed[side] = true
		e.needOwn(true)
	case named == direct:
		e.needed[side] = true
	case named == bounded:
		e.needed[side] = true
		e.needOwn(false)
	case side == RoleTrust && named == nobody:
		e.needed[side] = true
	default:
		e.needed[side] = side == RoleTrust
		e.needOwn(true)
	}
}

// needOwn needs what limits the caller, and what is granted to it.
func (e *evaluation) needOwn(identity bool) {
	e.needed[IdentityBased] = identity
	e.needed[Boundary] = e.tallies[Boundary].exists
	e.needed[SessionPolicy] = e.tallies[SessionPolicy].exists
}

// layers shows the tallies.
func (e *evaluation) layers() []Layer {
	out := make([]Layer, 0, len(typeNames)-1)
	for t := IdentityBased; t.known(); t++ {
		y := e.tallies[t]
		if !y.exists && !e.needed[t] {
			continue
		}
		l := Layer{Type: t, Result: ImplicitDeny, Needed: e.needed[t], Statements: y.statements, Note: e.note(t)}
		if y.denies {
			l.Result = ExplicitDeny
		} else if y.grant != nobody {
			l.Result = Allowed
		}
		out = append(out, l)
	}
	return out
}

func (e *evaluation) note(t Type) string {
	y := e.tallies[t]
	switch {
	case t == IdentityBased && e.request.Principal.root():
		return "the root of an account needs no policy"
	case !y.exists:
		return "there is none"
	case y.statements == 0 && t != IdentityBased:
		return "it has no statements, so it allows nothing"
	case t != ResourceBased && t != RoleTrust || !e.request.Principal.signs():
		return ""
	case y.grant == delegated:
		return "it names the caller's account, which leaves it to the account's identity-based policies"
	case y.grant == bounded:
		return "it names the role or user behind the session, which boundary and session policies still limit"
	case y.grant == direct && e.target.account == e.request.Principal.Account:
		return "it names the caller itself, or everyone: no other policy's silence matters"
	}
	return ""
}
