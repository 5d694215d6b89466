package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// table reads the blocks of the files that match: "== name", then lines "field: value"; lines that begin
// with "#" say where the rows come from.
func table(t *testing.T, pattern string, row func(t *testing.T, fields map[string][]string)) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: no files, %v", pattern, err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for block := range strings.SplitSeq(string(b), "\n== ") {
			title, rest, _ := strings.Cut(block, "\n")
			if strings.HasPrefix(title, "#") || strings.TrimSpace(title) == "" {
				continue
			}
			fields := map[string][]string{}
			for line := range strings.Lines(rest) {
				field, value, ok := strings.Cut(line, ":")
				if ok && !strings.HasPrefix(line, "#") {
					fields[field] = append(fields[field], strings.TrimSpace(value))
				}
			}
			t.Run(filepath.Base(name)+"/"+title, func(t *testing.T) { t.Parallel(); row(t, fields) })
		}
	}
}

func first(fields map[string][]string, name, otherwise string) string {
	if v := fields[name]; len(v) > 0 {
		return v[0]
	}
	return otherwise
}

// rowDocument parses a policy. One that may be refused when it is stored is evaluated all the same: session
// policies and variables can bring such values, and older versions may have let them in.
func rowDocument(t *testing.T, text string, k Kind, fields map[string][]string) *Document {
	t.Helper()
	text = strings.Replace(wrap(text), `"Version": "", `, "", 1)
	if fields["refused"] != nil {
		return read(t, text)
	}
	d, err := Parse(text, k)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return d
}

// kinds are those of the layers' documents.
var kinds = map[Type]Kind{IdentityBased: Identity, Boundary: Identity, SessionPolicy: Session, ResourceBased: Resource, RoleTrust: Trust}

// layerNames are the fields of a row that hold policies.
var layerNames = map[string]Type{"identity": IdentityBased, "boundary": Boundary, "session": SessionPolicy, "resource-based": ResourceBased, "trust": RoleTrust}

// TestDecisions runs rows of "who", "action", "resource", "owner", "context", policies by layer ("none" is a
// source without document), "refused" when Parse may refuse them, and "is": "allowed", or what a refusal ends with.
func TestDecisions(t *testing.T) {
	t.Parallel()
	table(t, "decisions*.txt", func(t *testing.T, fields map[string][]string) {
		who, known := cast[first(fields, "who", "user")]
		if !known {
			t.Fatalf("nobody is called %q", fields["who"])
		}
		r := Request{
			Principal: who, Action: first(fields, "action", "s3:GetObject"), Resource: first(fields, "resource", "arn:aws:s3:::b/o"),
			Owner: first(fields, "owner", "123456789012"), Context: readContext(t, first(fields, "context", "")),
		}
		var sources []Source
		for name, layer := range layerNames {
			for _, text := range fields[name] {
				s := Source{Type: layer, Name: name}
				if text != "none" {
					s.Document = rowDocument(t, text, kinds[layer], fields)
				}
				sources = append(sources, s)
			}
		}
		got := Evaluate(r, sources...)
		want := first(fields, "is", "")
		if got.Allows() != (want == "allowed") || !got.Allows() && got.Because != want {
			t.Errorf("%s, %q; want %q\n%+v", got.Result, got.Because, want, got.Layers)
		}
		if (got.Result == ExplicitDeny) != strings.HasPrefix(got.Because, "with an explicit deny") {
			t.Errorf("%s, %q", got.Result, got.Because)
		}
	})
}

// TestConditions runs rows of "if" (a Condition), "with" (the request's keys) and "is": true, false, or
// "broken", which makes a statement that denies apply and one that allows not.
func TestConditions(t *testing.T) {
	t.Parallel()
	table(t, "conditions*.txt", func(t *testing.T, fields map[string][]string) {
		want, version := first(fields, "is", ""), first(fields, "version", "2012-10-17")
		r := Request{Principal: cast["user"], Action: "s3:GetObject", Resource: "arn:aws:s3:::b/o", Context: readContext(t, first(fields, "with", ""))}
		statement := `"Action": "s3:GetObject", "Resource": "*", "Condition": ` + first(fields, "if", "{}") + `}`
		allow := rowDocument(t, `{"Version": "`+version+`", "Statement": {"Effect": "Allow", `+statement+`}`, Session, fields)
		deny := rowDocument(t, `{"Version": "`+version+`", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", `+statement+`]}`, Session, fields)

		d := Evaluate(r, Source{Type: IdentityBased, Document: allow})
		if d.Allows() != (want == "true") || !d.Allows() && d.Because != "because no identity-based policy allows the s3:GetObject action" {
			t.Errorf("in Allow: %s, %q; want %s", d.Result, d.Because, want)
		}
		d = Evaluate(r, Source{Type: IdentityBased, Document: deny})
		if d.Allows() != (want == "false") || !d.Allows() && d.Because != "with an explicit deny in an identity-based policy" {
			t.Errorf("in Deny: %s, %q; want %s", d.Result, d.Because, want)
		}
	})
}
