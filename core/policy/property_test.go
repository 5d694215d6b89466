package policy

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// each runs a property on many requests.
func each(t *testing.T, n uint64, property func(t *testing.T, g generator, r Request, ps []Source)) {
	t.Helper()
	t.Parallel()
	for seed := range n {
		g := generator{rand.New(rand.NewPCG(seed, 2))}
		property(t, g, g.request(), g.sources())
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestAddingADenyNeverAllows(t *testing.T) {
	each(t, 5000, func(t *testing.T, g generator, r Request, ps []Source) {
		before := Evaluate(r, ps...)
		layer := Type(1 + g.IntN(5))
		s := g.statement(layer)
		s.Effect = Deny
		s.compile(variables)
		more := append(slices.Clone(ps), Source{Type: layer, Document: &Document{Version: variables, Statements: []Statement{s}}})
		// A trust policy that appears changes what is asked; one that is there only says more.
		if layer == RoleTrust && !exists(ps, RoleTrust) {
			return
		}
		if after := Evaluate(r, more...); after.Allows() && !before.Allows() {
			t.Errorf("%s became %s", before.Result, after.Result)
		}
	})
}

func exists(ps []Source, layer Type) bool {
	return slices.ContainsFunc(ps, func(p Source) bool { return p.Type == layer })
}

func TestAddingALayerThatLimitsNeverAllows(t *testing.T) {
	each(t, 5000, func(t *testing.T, g generator, r Request, ps []Source) {
		for _, layer := range []Type{SessionPolicy, Boundary} {
			if exists(ps, layer) {
				continue
			}
			before, after := Evaluate(r, ps...), Evaluate(r, append(slices.Clone(ps), g.source(layer))...)
			if after.Allows() && !before.Allows() {
				t.Errorf("a %s allowed", layer)
			}
		}
	})
}

func TestAnEmptySessionPolicyLeavesOnlyWhatNamesTheCaller(t *testing.T) {
	each(t, 5000, func(t *testing.T, g generator, r Request, ps []Source) {
		d := Evaluate(r, append(ps, Source{Type: SessionPolicy})...)
		if !d.Allows() || exists(ps, SessionPolicy) || !r.Principal.signs() {
			return
		}
		for _, l := range d.Layers {
			if l.Needed && l.Type != ResourceBased && l.Type != RoleTrust {
				t.Errorf("allowed by %s", l.Type)
			}
		}
	})
}

func TestOrderDoesNotMatter(t *testing.T) {
	each(t, 5000, func(t *testing.T, g generator, r Request, ps []Source) {
		before := Evaluate(r, ps...)
		for i := range ps {
			if ps[i].Document == nil {
				continue
			}
			d := *ps[i].Document
			d.Statements = slices.Clone(d.Statements)
			g.Shuffle(len(d.Statements), func(i, j int) { d.Statements[i], d.Statements[j] = d.Statements[j], d.Statements[i] })
			ps[i].Document = &d
		}
		g.Shuffle(len(ps), func(i, j int) { ps[i], ps[j] = ps[j], ps[i] })
		after := Evaluate(r, ps...)
		if before.Result != after.Result || before.Because != after.Because || len(before.Statements) != len(after.Statements) || !slices.Equal(before.Missing, after.Missing) {
			t.Errorf("%s %q became %s %q", before.Result, before.Because, after.Result, after.Because)
		}
	})
}

func TestRemovingAStatementThatDoesNotApplyChangesNothing(t *testing.T) {
	each(t, 3000, func(t *testing.T, g generator, r Request, ps []Source) {
		before := Evaluate(r, ps...)
		for i := range ps {
			if ps[i].Document == nil {
				continue
			}
			d := *ps[i].Document
			d.Statements = slices.DeleteFunc(slices.Clone(d.Statements), func(s Statement) bool {
				one := Evaluate(r, Source{Type: ps[i].Type, Document: &Document{Version: d.Version, Statements: []Statement{s}}})
				return !slices.ContainsFunc(one.Statements, func(m Matched) bool { return m.Applies })
			})
			ps[i].Document = &d
		}
		if after := Evaluate(r, ps...); after.Result != before.Result || after.Because != before.Because {
			t.Errorf("%s %q became %s %q", before.Result, before.Because, after.Result, after.Because)
		}
	})
}

func TestDocumentsMayBeShared(t *testing.T) {
	t.Parallel()
	d := &Document{Version: variables, Statements: []Statement{{Effect: Allow, Actions: []string{"s3:*"}, Resources: []string{"*"}}, {Effect: Deny, NotActions: []string{"s3:Get*"}, Resources: []string{"*"}}}}
	d.Statements[0].compile(d.Version) // and the second not
	done := make(chan bool)
	for range 8 {
		go func() {
			ok := true
			for range 100 {
				ok = ok && Evaluate(Request{Principal: cast["user"], Action: "s3:GetObject", Resource: "arn:aws:s3:::b/o"}, Source{Type: IdentityBased, Document: d}).Allows()
			}
			done <- ok
		}()
	}
	for range 8 {
		if !<-done {
			t.Error("denied")
		}
	}
}
