package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheCommittedTablesAreThoseOfTheCommittedModels(t *testing.T) {
	t.Parallel()
	models, err := filepath.Glob("testdata/*.json")
	if err != nil || len(models) == 0 {
		t.Fatalf("no models: %v", err)
	}
	for _, name := range models {
		service := strings.TrimSuffix(filepath.Base(name), ".json")
		want, err := os.ReadFile(filepath.Join("..", service+".txt"))
		if err != nil {
			t.Errorf("%s has no table: %v", service, err)
			continue
		}
		var got bytes.Buffer
		if err := run([]string{"table", name}, &got); err != nil {
			t.Errorf("%s: %v", service, err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s.txt is not what modelgen makes (-committed +made):\n%s", service, diff)
		}
	}
	tables, _ := filepath.Glob("../*.txt")
	if len(tables) != len(models) {
		t.Errorf("%d tables for %d models", len(tables), len(models))
	}
}

func TestTrimmingATrimmedModelChangesNothing(t *testing.T) {
	t.Parallel()
	const name = "testdata/sts.json"
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	m, err := read(name)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := run([]string{"trim", name, m.Edition}, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-committed +trimmed):\n%s", diff)
	}
}

func TestEveryKindOfConstraintHasItsLine(t *testing.T) {
	t.Parallel()
	one, ten := int64(1), int64(10)
	m := &model{
		Edition:    "test",
		Metadata:   metadata{UID: "toy-1"},
		Operations: map[string]*operation{"Do": {Input: &ref{"DoRequest"}}, "Nothing": {}},
		Shapes: map[string]*shape{
			"DoRequest": {Type: "structure", Required: []string{"Name"}, Members: map[string]*ref{
				"Name": {"Name"}, "Names": {"Names"}, "Tags": {"Tags"}, "Things": {"Things"}, "Free": {"Free"}, "Map": {"Map"},
			}},
			"Name":   {Type: "string", Min: &one, Max: &ten, Pattern: `[\w]+`},
			"Names":  {Type: "list", Max: &ten, Member: &ref{"Name"}},
			"Tags":   {Type: "map", Key: &ref{"Name"}, Value: &ref{"Secret"}},
			"Map":    {Type: "map", Key: &ref{"Free"}, Value: &ref{"Thing"}},
			"Secret": {Type: "string", Sensitive: true, Max: &ten},
			"Things": {Type: "list", Member: &ref{"Thing"}},
			"Thing":  {Type: "structure", Members: map[string]*ref{"Kind": {"Kind"}, "Self": {"Thing"}}},
			"Kind":   {Type: "string", Enum: []string{"A", "B"}},
			"Free":   {Type: "string"},
			"Unused": {Type: "string", Max: &ten},
		},
	}
	want := `# Made by wire/aws/constraints/modelgen from the model toy-1 of test. Do not edit.
DoInput.Name req 1..10 ~[\w]+
DoInput.Names ..10
DoInput.Names[] 1..10 ~[\w]+
DoInput.Tags{key} 1..10 ~[\w]+
DoInput.Tags{value} ..10 secret
Thing.Kind enum=A,B
`
	got, err := m.trim().table()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if m.trim().Shapes["Unused"] != nil {
		t.Error("trim kept a shape that no input reaches")
	}
	m.Shapes["Names"].Member = &ref{"Tags"}
	if _, err := m.table(); err == nil || !strings.Contains(err.Error(), "DoInput.Names[]") {
		t.Errorf("a list of maps: got %v, want an error that names it", err)
	}
}

func TestWrongUseIsAnError(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"table"}, {"table", "testdata/none.json"}, {"trim", "testdata/sts.json"}, {"grow", "testdata/sts.json"}} {
		if err := run(args, &bytes.Buffer{}); err == nil {
			t.Errorf("run(%q) succeeded", args)
		}
	}
}
