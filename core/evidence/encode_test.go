package evidence

import (
	"encoding/json"
	"testing"
)

func FuzzChecksAreWrittenAsEncodingJSONDoes(f *testing.F) {
	f.Add("name", "a claim", "want", "got", "note\n", "fix \"<&>\" \u2028 \xff", true)
	f.Add("", "", "", "", "", "", false)
	f.Fuzz(func(t *testing.T, name, claim, want, got, note, fix string, ok bool) {
		for _, cs := range []Checks{
			nil, {}, {{Name: name, Claim: claim, Operator: fix, Want: []string{want, got}, Got: []string{got}, OK: ok, Skipped: !ok, Note: note, Fix: fix}, {Name: note, Want: []string{}, OK: ok}},
		} {
			std, err := json.Marshal(cs)
			if err != nil {
				t.Fatal(err)
			}
			if ours := string(cs.AppendJSON(nil)); ours != string(std) {
				t.Fatalf("got  %s\nwant %s", ours, std)
			}
		}
	})
}
