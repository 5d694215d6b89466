package aws

import (
	"encoding/xml"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func decodeQuery(t testing.TB, form string) (thing, error) {
	t.Helper()
	values, err := url.ParseQuery(form)
	if err != nil {
		t.Fatal(err)
	}
	var c Codec
	var v thing
	_, err = c.DecodeQuery(values, &v)
	return v, err
}

func TestFormsAreDecoded(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, form string
		want       thing
	}{
		{"nothing", "Action=X&Version=1&Unknown.member.1=a", thing{}},
		{"plain values", "Name=a%20b%2B&Kind=A&On=true&Off=0&Count=7&Ratio=0.5&Data=AP8%3D", thing{Name: new("a b+"), Kind: "A", On: true, Off: new(false), Count: new(int32(7)), Ratio: new(0.5), Data: []byte{0, 255}}},
		{"an empty string is one", "Name=", thing{Name: new("")}},
		{"the first of two", "Name=a&Name=b", thing{Name: new("a")}},
		{"integers with leading zeros", "Count=0900", thing{Count: new(int32(900))}},
		{"integers with a plus", "Count=%2B900", thing{Count: new(int32(900))}},
		{"timestamps", "When=2015-08-30T12:36:00.5Z", thing{When: new(time.Date(2015, 8, 30, 12, 36, 0, 5e8, time.UTC))}},
		{"lists", "Names.member.2=b&Names.member.1=a", thing{Names: []string{"a", "b"}}},
		{"list indexes with leading zeros", "Names.member.01=a&Names.member.002=b", thing{Names: []string{"a", "b"}}},
		{"lists with gaps up to ten", "Names.member.11=b", thing{Names: []string{"b"}}},
		{"a bare empty list", "Names=", thing{Names: []string{}}},
		{"a bare empty map", "Labels=", thing{Labels: map[string]string{}}},
		{"a bare empty structure", "Child=", thing{}},
		{"a list without member is unknown", "Names.1=a", thing{}},
		{"structures", "Child.Name=n&Child.Child.Count=1", thing{Child: &thing{Name: new("n"), Child: &thing{Count: new(int32(1))}}}},
		{"lists of structures with a lower-case member", "Parts.member.1.arn=x&Parts.member.1.On=1", thing{Parts: []part{{Arn: new("x"), On: true}}}},
		{"maps", "Labels.entry.1.key=k&Labels.entry.1.value=v&ByName.entry.1.key=p&ByName.entry.1.value.Arn=a", thing{Labels: map[string]string{"k": "v"}, ByName: map[string]part{"p": {Arn: new("a")}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := decodeQuery(t, tt.form)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFormsThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	var many strings.Builder
	for i := range maxParameters + 1 {
		many.WriteString("&p" + strconv.Itoa(i))
	}
	for _, tt := range []struct{ form, message string }{
		{"Count=+900+", "' 900 ' can not be converted to Integer"},
		{"Count=900.0", "'900.0' can not be converted to Integer"},
		{"Count=9e2", "'9e2' can not be converted to Integer"},
		{"Count=2147483648", "'2147483648' can not be converted to Integer"},
		{"Count=", "'' can not be converted to Integer"},
		{"Count=0x10", "'0x10' can not be converted to Integer"},
		{"Count=1_000", "'1_000' can not be converted to Integer"},
		{"On=True", "'True' can not be converted to Boolean"},
		{"On=", "'' can not be converted to Boolean"},
		{"On=+true", "' true' can not be converted to Boolean"},
		{"Ratio=x", "'x' can not be converted to Double"},
		{"When=yesterday", "'yesterday' can not be converted to a Timestamp"},
		{"Data=%25", "the value can not be converted to a Blob"},
		{"Names.member.%2B1=a", "Start of list found where not expected"},
		{"Names.member.one=a", "Start of list found where not expected"},
		{"Names.member.0=a", "0 is not a valid index"},
		{"Names.member.-1=a", "Key -1 may not have a leading '-'"},
		{"Names.member.12=a", "Excessively sparse input would skip 11 list elements"},
		{"Names.member.1=a&Names.member.20=b", "Excessively sparse input would skip 18 list elements"},
		{"Names.member.1=a&Names.member.01=b", "Duplicate list index 1"},
		{"Names.member.99999999999=a", "Start of list found where not expected"},
		{"Names=a", "Unexpected value where a list, map or structure is expected"},
		{"Child=a", "Unexpected value where a list, map or structure is expected"},
		{"Name.x=a", "Start of structure or map found where not expected"},
		{"Labels.entry.1.key=k", "Map entry without key or value"},
		{"Labels.entry.1.key=k&Labels.entry.1.value=v&Labels.entry.2.key=k&Labels.entry.2.value=w", "Duplicate map key"},
		{strings.Repeat("Child.", maxDepth) + "Name=a", "Input is nested too deeply"},
		{many.String(), "Too many parameters"},
	} {
		_, err := decodeQuery(t, tt.form)
		var bad *DecodeError
		if !errors.As(err, &bad) || bad.Message != tt.message {
			t.Errorf("%.60s: got %v, want %s", tt.form, err, tt.message)
		}
	}
}

func TestResultsAreEncodedAsXML(t *testing.T) {
	t.Parallel()
	when := time.Date(2026, 9, 11, 21, 36, 46, 999, time.FixedZone("", 7200))
	var c Codec
	got := string(c.AppendResult(nil, "https://sts.amazonaws.com/doc/2011-06-15/", "Do", "1-2", &thing{
		Name: new("<a>&\x00\"é"), When: &when, Names: []string{}, Kinds: []kind{"A", "B"}, Labels: map[string]string{"z": "1", "k": "v"},
		Parts: []part{{Arn: new("x")}}, Data: []byte("hi"), Ratio: new(0.5), Count: new(int32(0)),
	}))
	want := `<DoResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <DoResult><Name>&lt;a&gt;&amp;` + "\ufffd" + `&#34;é</Name><On>false</On><Count>0</Count><Plain>0</Plain><Ratio>0.5</Ratio><When>2026-09-11T19:36:46Z</When><Data>aGk=</Data><Names/><Kinds><member>A</member><member>B</member></Kinds><Labels><entry><key>k</key><value>v</value></entry><entry><key>z</key><value>1</value></entry></Labels><Parts><member><Arn>x</Arn><On>false</On></member></Parts><Metadata></Metadata></DoResult>
  <ResponseMetadata>
    <RequestId>1-2</RequestId>
  </ResponseMetadata>
</DoResponse>
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var any struct {
		XMLName xml.Name
		ID      string `xml:"ResponseMetadata>RequestId"`
	}
	if err := xml.Unmarshal([]byte(got), &any); err != nil || any.ID != "1-2" || any.XMLName.Local != "DoResponse" {
		t.Errorf("decoded %+v, %v", any, err)
	}
}

func TestAnOutputWithoutMembersHasNoResultElement(t *testing.T) {
	t.Parallel()
	var c Codec
	got := string(c.AppendResult(nil, "ns", "Do", "id", &struct{ ResultMetadata int }{}))
	if strings.Contains(got, "DoResult>") || !strings.Contains(got, "<RequestId>id</RequestId>") {
		t.Errorf("got %s", got)
	}
}

func FuzzQuery(f *testing.F) {
	f.Add("Name=a&Names.member.1=b&Labels.entry.1.key=k&Labels.entry.1.value=v&Parts.member.3.arn=x&Child.On=1")
	f.Add("Names=&When=2015-08-30T12:36:00Z&Count=%2B01")
	f.Fuzz(func(t *testing.T, form string) {
		values, err := url.ParseQuery(form)
		if err != nil {
			return
		}
		var c Codec
		var v thing
		if _, err := c.DecodeQuery(values, &v); err != nil {
			return
		}
		out := c.AppendResult(nil, "ns", "Do", "id", &v)
		var any struct{ XMLName xml.Name }
		if err := xml.Unmarshal(out, &any); err != nil {
			t.Fatalf("%q gives %s: %v", form, out, err)
		}
	})
}
