package odata

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var application = Type{
	Name: "application",
	Properties: []string{"id", "appId", "displayName", "identifierUris", "createdDateTime", "isFallbackPublicClient",
		"web", "keyCredentials", "tags", "uniqueName", "api"},
	Navigation: []string{"owners", "federatedIdentityCredentials"},
	Searchable: []string{"displayName", "description"},
}

func resource(t *testing.T, s string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(s), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

const sample = `{"id":"8fce32da-1246-437b-99cd-76d1d4677bd5","appId":"A1","displayName":"O'Hara App","identifierUris":["api://a1","https://x/y"],
 "createdDateTime":"2026-11-21T10:00:00Z","isFallbackPublicClient":null,"web":{"redirectUris":["https://r"],"homePageUrl":"https://h"},
 "keyCredentials":[{"keyId":"8fce32da-1246-437b-99cd-76d1d4677bd5","usage":"Verify"}],"tags":[],"uniqueName":null,
 "api":{"requestedAccessTokenVersion":2},"extension_1_rank":7}`

func TestFilterMatches(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		filter string
		want   bool
	}{
		{"appId eq 'A1'", true},
		{"appId eq 'a1'", true}, // directory strings compare in any case
		{"APPID EQ 'A1'", true},
		{"appId eq 'A2'", false},
		{"displayName eq 'O''Hara App'", true},
		{"startswith(displayName,'o''h')", true},
		{"startsWith( displayName , 'Hara')", false},
		{"startswith(displayName,'o') eq true", true},
		{"startswith(displayName,'o') eq false", false},
		{"endswith(displayName,'APP')", true},
		{"identifierUris/any(s:s eq 'https://x/y')", true},
		{"identifierUris/any(s:s eq 'https://x')", false},
		{"identifierUris/any(s:startswith(s,'api://'))", true},
		{"keyCredentials/any(k:k/keyId eq 8fce32da-1246-437b-99cd-76d1d4677bd5)", true},
		{"keyCredentials/any(k:k/keyId eq 8fce32da-1246-437b-99cd-76d1d4677bd5 and k/usage eq 'Sign')", false},
		{"tags/any(t:t eq 'x')", false},
		{"web/redirectUris/any(u:u eq 'https://r')", true},
		{"web/homePageUrl eq 'https://h'", true},
		{"uniqueName eq null", true},
		{"displayName eq null", false},
		{"displayName ne null", true},
		{"isFallbackPublicClient eq true", false},
		{"not(isFallbackPublicClient eq true)", true},
		{"not startswith(displayName,'o')", false},
		{"createdDateTime ge 2026-11-21T10:00:00Z", true},
		{"createdDateTime gt 2026-11-21T10:00:00Z", false},
		{"createdDateTime le 2026-11-21T12:00:00.000+02:00", true},
		{"createdDateTime lt 2026-11-21", false},
		{"createdDateTime ge 2026-11-21", true},
		{"appId in ('x', 'A1')", true},
		{"appId in ('x')", false},
		{"id eq 8FCE32DA-1246-437b-99cd-76d1d4677bd5", true},
		{"api/requestedAccessTokenVersion eq 2", true},
		{"api/requestedAccessTokenVersion ge 3", false},
		{"extension_1_rank eq 7", true},
		{"appId eq 'x' or appId eq 'A1' and displayName eq 'none'", false},
		{"(appId eq 'A1' or appId eq 'x') and startswith(displayName,'O')", true},
		{"uniqueName gt 'a'", false},
		{"displayName eq 5", false},
	} {
		f, err := ParseFilter(application, c.filter)
		if err != nil {
			t.Errorf("%s: %v", c.filter, err)
			continue
		}
		if got := f.Match(resource(t, sample)); got != c.want {
			t.Errorf("%s is %v, want %v", c.filter, got, c.want)
		}
	}
}

func TestFilterComparesByteByByteForCaseSensitiveTypes(t *testing.T) {
	t.Parallel()
	f, err := ParseFilter(Type{Name: "federatedIdentityCredential", Properties: []string{"subject"}, CaseSensitive: true}, "subject eq 'A'")
	if err != nil {
		t.Fatal(err)
	}
	if f.Match(map[string]any{"subject": "a"}) || !f.Match(map[string]any{"subject": "A"}) {
		t.Error("subject was compared in any case")
	}
}

func TestFilterRefuses(t *testing.T) {
	t.Parallel()
	alternatives := func(n int) string { return strings.TrimSuffix(strings.Repeat("appId eq 'x' or ", n), " or ") }
	for _, c := range []struct{ filter, code, text string }{
		{"", "BadRequest", "Syntax error at position 0"},
		{"appId", "BadRequest", "Syntax error at position 5 in 'appId'."},
		{"appId eq", "BadRequest", "Syntax error at position 8"},
		{"appId eq 'x", "BadRequest", "Syntax error at position 9"},
		{"appId eq x", "BadRequest", "Syntax error at position 9"},
		{"appId like 'x'", "BadRequest", "Syntax error"},
		{"appId eq 'x') ", "BadRequest", "Syntax error at position 12"},
		{"(appId eq 'x'", "BadRequest", "Syntax error"},
		{"appId eq 'x' and", "BadRequest", "Syntax error"},
		{"appId eq \"x\"", "BadRequest", "Syntax error"},
		{"nothing eq 'x'", "BadRequest", "Could not find a property named 'nothing' on type 'microsoft.graph.application'."},
		{"identifierUris/any(s:t eq 'x')", "BadRequest", "Could not find a property named 't'"},
		{"identifierUris/any(s eq 'x')", "BadRequest", "Syntax error"},
		{"identifierUris/any()", "BadRequest", "Syntax error"},
		{"contains(displayName,'x')", "Request_UnsupportedQuery", "Filter operator 'Contains' is not supported."},
		{alternatives(16), "Request_UnsupportedQuery", "'OR' operators: 16. Max allowed: 15."},
		{"appId in (" + strings.TrimSuffix(strings.Repeat("'x',", 16), ",") + ")", "Request_UnsupportedQuery", "16. Max allowed: 15."},
		{strings.Repeat("(", 30) + "appId eq 'x'" + strings.Repeat(")", 30), "BadRequest", "Recursion depth"},
		{strings.Repeat("not ", 30) + "appId eq 'x'", "BadRequest", "Recursion depth"},
		{"appId eq '" + strings.Repeat("x", maxFilter) + "'", "BadRequest", "longer than"},
	} {
		_, err := ParseFilter(application, c.filter)
		var e *Error
		if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.Message, c.text) {
			t.Errorf("%.60s: %v, want %s %q", c.filter, err, c.code, c.text)
		}
	}
	if _, err := ParseFilter(application, alternatives(15)); err != nil {
		t.Errorf("15 alternatives: %v", err)
	}
}

func TestFilterEqualsIsFoundOnlyWhereItIsDemanded(t *testing.T) {
	t.Parallel()
	for filter, want := range map[string]string{
		"appId eq 'A1'": "A1",
		"startswith(displayName,'x') and appId eq 'A1'": "A1",
		"appId eq 'A1' or displayName eq 'x'":           "",
		"not(appId eq 'A1')":                            "",
		"appId ne 'A1'":                                 "",
		"web/appId eq 'A1'":                             "",
	} {
		f, err := ParseFilter(application, filter)
		if err != nil {
			t.Fatal(filter, err)
		}
		if got, ok := f.Equals("appId"); got != want || ok != (want != "") {
			t.Errorf("%s: %q %v, want %q", filter, got, ok, want)
		}
	}
	var none *Filter
	if _, ok := none.Equals("appId"); ok {
		t.Error("no filter demands nothing")
	}
}

func TestSearch(t *testing.T) {
	t.Parallel()
	res := map[string]any{"displayName": "Contoso BillingApp2 Prod", "description": "pays, bills"}
	for search, want := range map[string]bool{
		`"displayName:contoso"`:                                         true,
		`"displayName:billing"`:                                         true,
		`"displayName:app"`:                                             true,
		`"displayName:billingapp"`:                                      false,
		`"displayName:prod con"`:                                        true,
		`"displayName:illing"`:                                          false,
		`"displayName:x" OR "description:bills"`:                        true,
		`"displayName:x" AND "description:bills"`:                       false,
		`"displayName:con" AND ("description:x" OR "description:pays")`: true,
		`"displayname:Contoso BillingApp2"`:                             true,
		`"displayName:2"`:                                               true,
	} {
		s, err := ParseSearch(application, search)
		if err != nil {
			t.Errorf("%s: %v", search, err)
			continue
		}
		if got := s.Match(res); got != want {
			t.Errorf("%s is %v, want %v", search, got, want)
		}
	}
	for search, text := range map[string]string{
		`displayName:x`:           "Syntax error: character 'd' is not valid at position 0",
		`"displayName:x`:          "Syntax error",
		`"displayName:x" "a:b"`:   "Syntax error",
		`"displayName:x" AND`:     "Syntax error",
		`("displayName:x"`:        "Syntax error",
		`"x"`:                     "search clause 'x'",
		`"appId:x"`:               "search clause 'appId:x' for resource 'Application'",
		``:                        "Syntax error",
		strings.Repeat("x", 3000): "longer than",
		strings.Repeat("(", 40):   "Too many child clauses",
	} {
		if _, err := ParseSearch(application, search); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%.40s: %v, want %q", search, err, text)
		}
	}
}

func TestQueryOptions(t *testing.T) {
	t.Parallel()
	eventual := http.Header{"Consistencylevel": {"eventual"}}
	for _, c := range []struct {
		name   string
		params url.Values
		header http.Header
		want   string // the error, "" for none
	}{
		{"top may be 1", url.Values{"$top": {"1"}}, nil, ""},
		{"top may be 999 without its dollar", url.Values{"top": {"999"}}, nil, ""},
		{"top may not be 0", url.Values{"$top": {"0"}}, nil, "Request_UnsupportedQuery: Invalid page size specified: '0'. Must be between 1 and 999 inclusive."},
		{"top may not be 1000", url.Values{"$top": {"1000"}}, nil, "Invalid page size specified: '1000'."},
		{"top is a number", url.Values{"$top": {"x"}}, nil, "BadRequest: Invalid value 'x' for $top"},
		{"an option comes once", url.Values{"$top": {"1", "2"}}, nil, "more than once"},
		{"an option comes once in either spelling", url.Values{"$top": {"1"}, "top": {"1"}}, nil, "more than once"},
		{"count is a boolean", url.Values{"$count": {"maybe"}}, nil, "$count"},
		{"ne needs the advanced parameters", url.Values{"$filter": {"appId ne 'x'"}}, nil, "Unsupported or invalid query filter clause specified for property 'appId' of resource 'Application'."},
		{"ne needs count too", url.Values{"$filter": {"appId ne 'x'"}}, eventual, "Unsupported or invalid query filter clause"},
		{"ne with both", url.Values{"$filter": {"appId ne 'x'"}, "$count": {"true"}}, eventual, ""},
		{"ge needs them", url.Values{"$filter": {"createdDateTime ge 2026-01-01"}}, nil, "property 'createdDateTime'"},
		{"not needs them", url.Values{"$filter": {"not(appId eq 'x')"}}, nil, "Operator 'not' is not supported because the required parameters might be missing."},
		{"endsWith needs the header", url.Values{"$filter": {"endswith(displayName,'x')"}}, nil, "Operator 'endsWith' is not supported because the 'ConsistencyLevel:eventual' header is missing."},
		{"endsWith needs count", url.Values{"$filter": {"endswith(displayName,'x')"}}, eventual, "Operator 'endsWith' is not supported because the required parameters might be missing."},
		{"sorting beside a filter needs them", url.Values{"$filter": {"appId eq 'x'"}, "$orderby": {"displayName"}}, nil, "Sorting not supported for current query."},
		{"sorting alone", url.Values{"$orderby": {"displayName desc,createdDateTime"}}, nil, ""},
		{"sorting by an unknown property", url.Values{"$orderby": {"foo"}}, nil, "Could not find a property named 'foo'"},
		{"sorting in no known direction", url.Values{"$orderby": {"displayName up"}}, nil, "Syntax error"},
		{"search needs the header", url.Values{"$search": {`"displayName:x"`}}, nil, "special request header: 'ConsistencyLevel: eventual'"},
		{"search needs no count", url.Values{"$search": {`"displayName:x"`}}, eventual, ""},
		{"select of an unknown property", url.Values{"$select": {"id,foo"}}, nil, "Parsing OData Select and Expand failed: Could not find a property named 'foo' on type 'microsoft.graph.application'."},
		{"expand of no navigation", url.Values{"$expand": {"displayName"}}, nil, "Could not find a property named 'displayName'"},
		{"expand of two", url.Values{"$expand": {"owners,federatedIdentityCredentials"}}, nil, "Only one property can be expanded"},
		{"expand with an open parenthesis", url.Values{"$expand": {"owners($select=id"}}, nil, "missing ')'"},
		{"an empty skiptoken", url.Values{"$skiptoken": {""}}, nil, "Directory_ExpiredPageToken"},
		{"options of others are ignored", url.Values{"$skip": {"3"}, "api-version": {"x"}}, nil, ""},
	} {
		_, err := Parse(application, c.params, c.header)
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestQuerySelectsExpandsAndOrders(t *testing.T) {
	t.Parallel()
	q, err := Parse(application, url.Values{
		"$select": {"ID, displayname,id"}, "$expand": {"Owners($select=id,displayName;$top=2)"},
		"$orderby": {"displayName desc"}, "$top": {"5"}, "$count": {"TRUE"}, "$skiptoken": {"abc"},
	}, http.Header{"Consistencylevel": {"Eventual"}})
	if err != nil {
		t.Fatal(err)
	}
	want := Query{Select: []string{"id", "displayName"}, Expand: []Expansion{{"owners", []string{"id", "displayName"}}},
		OrderBy: []Order{{"displayName", true}}, Top: 5, Count: true, SkipToken: "abc", Eventual: true}
	if diff := cmp.Diff(want, q); diff != "" {
		t.Error(diff)
	}
	got := q.Project(map[string]any{"id": "1", "displayName": "a", "appId": "x", "@odata.type": "#t"})
	if diff := cmp.Diff(map[string]any{"id": "1", "displayName": "a", "@odata.type": "#t"}, got); diff != "" {
		t.Error(diff)
	}
	a, b, none := map[string]any{"displayName": "Alpha"}, map[string]any{"displayName": "beta"}, map[string]any{"displayName": nil}
	if q.Compare(a, b) <= 0 || q.Compare(b, a) >= 0 || q.Compare(a, a) != 0 || q.Compare(none, a) <= 0 {
		t.Error("not in descending order")
	}
	all, err := Parse(application, url.Values{"$select": {"id,*"}}, nil)
	if err != nil || all.Select != nil {
		t.Errorf("* selects %v, %v", all.Select, err)
	}
}

func FuzzFilter(f *testing.F) {
	for _, s := range []string{"appId eq 'x'", "not(startswith(displayName,'a''b')) and identifierUris/any(s:s eq 'q')",
		"createdDateTime ge 2026-11-21T10:00:00Z or appId in ('a',null)", "web/homePageUrl ne null", "((((", "x:/'"} {
		f.Add(s)
	}
	var res map[string]any
	if err := json.Unmarshal([]byte(sample), &res); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		filter, err := ParseFilter(application, s)
		if err == nil {
			negated, err := ParseFilter(application, "not("+s+")")
			if err == nil && negated.Match(res) == filter.Match(res) {
				t.Errorf("%q and its negation agree", s)
			}
		}
		if search, err := ParseSearch(application, s); err == nil {
			search.Match(res)
		}
	})
}
