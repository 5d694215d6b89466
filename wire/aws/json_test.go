package aws

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// thing has a member of every kind that the SDKs' structs have.
type thing struct {
	Name     *string
	Kind     kind
	On       bool
	Off      *bool
	Count    *int32
	Long     *int64
	Plain    int32
	Ratio    *float64
	When     *time.Time
	Data     []byte
	Names    []string
	Kinds    []kind
	Labels   map[string]string
	Parts    []part
	ByName   map[string]part
	Child    *thing
	Metadata metadata
	// ResultMetadata is the SDK's own and never on the wire.
	ResultMetadata struct{ X int }
}

type kind string

type part struct {
	Arn *string
	On  bool
}

type metadata struct{}

func decodeJSON(t testing.TB, body string) (thing, *Presence, error) {
	t.Helper()
	var c Codec
	var v thing
	p, err := c.DecodeJSON([]byte(body), &v)
	return v, p, err
}

func TestJSONIsDecoded(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		want       thing
	}{
		{"nothing", `{}`, thing{}},
		{"nulls", `{"Name":null,"Names":null,"Child":null,"Labels":null,"On":null}`, thing{}},
		{"unknown members", `{"New":{"a":[{"b":1}]},"Other":[1,[2]],"Third":"x","Name":"n"}`, thing{Name: new("n")}},
		{"a lower first letter", `{"name":"n","parts":[{"arn":"a"}]}`, thing{Name: new("n"), Parts: []part{{Arn: new("a")}}}},
		{"plain values", `{"Kind":"A","On":true,"Plain":7,"Off":false,"Count":-1,"Long":9007199254740993}`, thing{Kind: "A", On: true, Plain: 7, Off: new(false), Count: new(int32(-1)), Long: new(int64(9007199254740993))}},
		{"an empty string is one", `{"Name":""}`, thing{Name: new("")}},
		{"empty lists and maps", `{"Names":[],"Labels":{},"Parts":[]}`, thing{Names: []string{}, Labels: map[string]string{}, Parts: []part{}}},
		{"lists and maps", `{"Names":["a","b"],"Kinds":["A"],"Labels":{"k":"v"},"ByName":{"x":{"On":true}}}`,
			thing{Names: []string{"a", "b"}, Kinds: []kind{"A"}, Labels: map[string]string{"k": "v"}, ByName: map[string]part{"x": {On: true}}}},
		{"numbers with a fraction are cut", `{"Count":120.9,"Long":1.2e2,"Ratio":1}`, thing{Count: new(int32(120)), Long: new(int64(120)), Ratio: new(1.0)}},
		{"timestamps in seconds", `{"When":1445880733}`, thing{When: new(time.Unix(1445880733, 0).UTC())}},
		{"timestamps as AWS prints them", `{"When":1.445880733E9}`, thing{When: new(time.Unix(1445880733, 0).UTC())}},
		{"timestamps with a fraction", `{"When":1445880733.125}`, thing{When: new(time.UnixMilli(1445880733125).UTC())}},
		{"blobs", `{"Data":"AP8="}`, thing{Data: []byte{0, 255}}},
		{"escapes and Unicode", `{"Name":"\u00e9\n\ud83d\ude00"}`, thing{Name: new("é\n😀")}},
		{"nested", `{"Child":{"Child":{"Name":"deep"}}}`, thing{Child: &thing{Child: &thing{Name: new("deep")}}}},
		{"white space", " \n{ \"Name\" : \"n\" }\t\n", thing{Name: new("n")}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, _, err := decodeJSON(t, tt.body)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestJSONThatDoesNotFitIsRefusedWithItsPath(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"Child":`, maxDepth) + `{}` + strings.Repeat(`}`, maxDepth)
	for _, tt := range []struct{ name, body, path, message string }{
		{"nothing at all", ``, "", ""},
		{"no JSON", `{"Name":`, "", ""},
		{"no JSON within", `{"Name":"a"]`, "", ""},
		{"a trailing value", `{} {}`, "", ""},
		{"trailing text", `{}x`, "", ""},
		{"invalid UTF-8", "{\"Name\":\"\xff\"}", "", ""},
		{"a list", `[]`, "", "Start of list found where not expected"},
		{"a string", `"x"`, "", "Expected null"},
		{"a member twice", `{"Name":"a","Name":"b"}`, "name", "Duplicate member"},
		{"a member twice in two cases", `{"Name":"a","name":"b"}`, "name", "Duplicate member"},
		{"a map key twice", `{"Labels":{"k":"a","k":"b"}}`, "labels.k", "Duplicate member"},
		{"a map key twice, null first", `{"Labels":{"k":null,"k":"b"}}`, "labels.k", "Duplicate member"},
		{"a number for a string", `{"Name":1}`, "name", "NUMBER_VALUE can not be converted to a String"},
		{"a boolean for a string", `{"Parts":[{},{"Arn":true}]}`, "parts.2.member.arn", "TRUE_VALUE can not be converted to a String"},
		{"a string for a number", `{"Count":"1"}`, "count", "STRING_VALUE can not be converted to Integer"},
		{"a number too large", `{"Count":2147483648}`, "count", "NUMBER_VALUE can not be converted to Integer"},
		{"a number far too large", `{"Long":1e400}`, "long", "NUMBER_VALUE can not be converted to Long"},
		{"a string for a boolean", `{"On":"true"}`, "on", "STRING_VALUE can not be converted to Boolean"},
		{"a list for a string", `{"Name":["a"]}`, "name", "Start of list found where not expected"},
		{"a structure for a string", `{"Name":{}}`, "name", "Start of structure or map found where not expected"},
		{"a string for a list", `{"Names":"a"}`, "names", "Expected list or null"},
		{"a structure for a list", `{"Names":{}}`, "names", "Start of structure or map found where not expected"},
		{"a string for a map", `{"Labels":"a"}`, "labels", "Expected map or null"},
		{"a list for a map", `{"Labels":[]}`, "labels", "Start of list found where not expected"},
		{"a string for a structure", `{"Child":"a"}`, "child", "Expected null"},
		{"a string for a timestamp", `{"When":"2015-08-30T12:36:00Z"}`, "when", "STRING_VALUE can not be converted to a Timestamp"},
		{"a timestamp beyond all calendars", `{"When":1e30}`, "when", "NUMBER_VALUE can not be converted to a Timestamp"},
		{"no base64", `{"Data":"%"}`, "data", "STRING_VALUE can not be converted to a Blob"},
		{"too deep", deep, strings.TrimSuffix(strings.Repeat("child.", maxDepth-1), ".") + ".child", "Input is nested too deeply"},
		{"too deep where nobody looks", `{"x":` + strings.Repeat(`[`, 100) + strings.Repeat(`]`, 100) + `}`, "x", "Input is nested too deeply"},
		{"a wrong member of a map", `{"ByName":{"k":{"Arn":1}}}`, "byName.k.member.arn", "NUMBER_VALUE can not be converted to a String"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, _, err := decodeJSON(t, tt.body)
			var bad *DecodeError
			if !errors.As(err, &bad) {
				t.Fatalf("got %v, want a DecodeError", err)
			}
			if bad.Message != tt.message || tt.name != "too deep" && bad.Path != tt.path {
				t.Errorf("got %q at %q, want %q at %q", bad.Message, bad.Path, tt.message, tt.path)
			}
		})
	}
}

func TestJSONIsEncoded(t *testing.T) {
	t.Parallel()
	when := time.Date(2015, 10, 26, 17, 32, 13, 0, time.FixedZone("", 3600))
	for _, tt := range []struct {
		name string
		in   any
		want string
	}{
		{"nil is left out, false and 0 stay", &thing{}, `{"On":false,"Plain":0,"Metadata":{}}`},
		{"pointers to zero stay", &thing{Off: new(false), Count: new(int32(0)), Name: new("")}, `{"Name":"","On":false,"Off":false,"Count":0,"Plain":0,"Metadata":{}}`},
		{"empty lists and maps stay", &struct {
			L []string
			M map[string]string
		}{[]string{}, map[string]string{}}, `{"L":[],"M":{}}`},
		{"map keys are sorted", map[string]string{"b": "2", "a": "1"}, `{"a":"1","b":"2"}`},
		{"whole seconds", &struct{ T *time.Time }{&when}, `{"T":1445877133}`},
		{"milliseconds", &struct{ T time.Time }{time.UnixMilli(1445880733125)}, `{"T":1445880733.125}`},
		{"no time at all", &struct{ T time.Time }{}, `{}`},
		{"text", &struct{ S string }{"a\"\\\n\t\x00\x7f<&é😀\u2028"}, "{\"S\":\"a\\\"\\\\\\n\\u0009\\u0000\\u007f<&é😀\u2028\"}"},
		{"invalid UTF-8", &struct{ S string }{"\xff"}, "{\"S\":\"\ufffd\"}"},
		{"blobs and numbers", &struct {
			B []byte
			F float64
			P []part
		}{[]byte{0, 255}, 0.5, []part{{On: true}}}, `{"B":"AP8=","F":0.5,"P":[{"On":true}]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var c Codec
			got := string(c.AppendJSON(nil, tt.in))
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if !json.Valid([]byte(got)) {
				t.Errorf("%s is not JSON", got)
			}
		})
	}
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"Name":"a","Kind":"A","On":true,"Count":1,"When":1.5,"Data":"AA==","Names":["a"],"Labels":{"k":"v"},"Parts":[{"Arn":"x"}],"Child":{}}`))
	f.Add([]byte(`{"X":[[[{"y":null}]]],"Name":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		var c Codec
		var v, again thing
		if _, err := c.DecodeJSON(body, &v); err != nil {
			return
		}
		out := c.AppendJSON(nil, &v)
		if !json.Valid(out) {
			t.Fatalf("%q decodes, but gives %s", body, out)
		}
		if _, err := c.DecodeJSON(out, &again); err != nil {
			t.Fatalf("%s, made of %q, does not decode: %v", out, body, err)
		}
		if !reflect.DeepEqual(v, again) {
			t.Fatalf("%q gives %s, which gives another value", body, out)
		}
	})
}
