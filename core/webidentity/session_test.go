package webidentity_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/core/webidentity"
)

const (
	tags       = "https://aws.amazon.com/tags"
	roleClaim  = "https://aws.amazon.com/roles"
	sourceName = "https://aws.amazon.com/source_identity"
	role       = "arn:aws:iam::123456789012:role/app/Reader"
)

func TestSessionTagsComeInTwoForms(t *testing.T) {
	t.Parallel()
	many := claims{}
	for i := range 51 {
		many[fmt.Sprint("k", i)] = []string{"v"}
	}
	tag := func(pairs ...string) (out []directory.Tag) {
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, directory.Tag{Key: pairs[i], Value: pairs[i+1]})
		}
		return out
	}
	for name, c := range map[string]struct {
		claims     claims
		tags       []directory.Tag
		transitive []string
		reason     webidentity.Reason
	}{
		"nested":                                 {claims{tags: claims{"principal_tags": claims{"Team": []string{"engineering"}, "a": []string{""}}, "transitive_tag_keys": []string{"Team"}}}, tag("Team", "engineering", "a", ""), []string{"Team"}, ""},
		"flat":                                   {claims{tags + "/principal_tags/Team": "engineering", tags + "/transitive_tag_keys": []string{"Team"}}, tag("Team", "engineering"), []string{"Team"}, ""},
		"both, which STS then finds to be twice": {claims{tags: claims{"principal_tags": claims{"Team": []string{"a"}}}, tags + "/principal_tags/team": "b"}, tag("Team", "a", "team", "b"), nil, ""},
		"a key with a slash":                     {claims{tags + "/principal_tags/a/b": "c"}, tag("a/b", "c"), nil, ""},
		"no tags in it":                          {claims{tags: claims{}}, nil, nil, ""},
		"null":                                   {claims{tags: null}, nil, nil, ""},
		"members that mean nothing":              {claims{tags: claims{"other": 1}}, nil, nil, ""},
		"nested values as strings":               {claims{tags: claims{"principal_tags": claims{"Team": "engineering"}}}, nil, nil, webidentity.BadTags},
		"nested values of two":                   {claims{tags: claims{"principal_tags": claims{"Team": []string{"a", "b"}}}}, nil, nil, webidentity.BadTags},
		"nested values of none":                  {claims{tags: claims{"principal_tags": claims{"Team": []string{}}}}, nil, nil, webidentity.BadTags},
		"nested values of numbers":               {claims{tags: claims{"principal_tags": claims{"Team": []int{1}}}}, nil, nil, webidentity.BadTags},
		"nested as a list":                       {claims{tags: claims{"principal_tags": []string{"Team"}}}, nil, nil, webidentity.BadTags},
		"the claim as text":                      {claims{tags: `{"principal_tags":{"Team":["a"]}}`}, nil, nil, webidentity.BadTags},
		"flat values as lists":                   {claims{tags + "/principal_tags/Team": []string{"a"}}, nil, nil, webidentity.BadTags},
		"a flat tag without a key":               {claims{tags + "/principal_tags/": "a"}, nil, nil, webidentity.BadTags},
		"a key of AWS's own":                     {claims{tags + "/principal_tags/aws:userid": "a"}, nil, nil, webidentity.BadTags},
		"a key of AWS's own, shouted":            {claims{tags: claims{"principal_tags": claims{"AWS:PrincipalOrgID": []string{"o-1"}}}}, nil, nil, webidentity.BadTags},
		"a key with a line break":                {claims{tags + "/principal_tags/a\nb": "c"}, nil, nil, webidentity.BadTags},
		"a key that is too long":                 {claims{tags + "/principal_tags/" + strings.Repeat("k", 129): "c"}, nil, nil, webidentity.BadTags},
		"a value that is too long":               {claims{tags + "/principal_tags/k": strings.Repeat("v", 257)}, nil, nil, webidentity.BadTags},
		"a value with a wildcard":                {claims{tags + "/principal_tags/k": "*"}, nil, nil, webidentity.BadTags},
		"too many tags":                          {claims{tags: claims{"principal_tags": many}}, nil, nil, webidentity.BadTags},
		"transitive keys as text":                {claims{tags + "/transitive_tag_keys": "Team"}, nil, nil, webidentity.BadTransitive},
		"transitive keys of numbers":             {claims{tags: claims{"transitive_tag_keys": []int{1}}}, nil, nil, webidentity.BadTransitive},
		"a transitive key of no tag":             {claims{tags + "/transitive_tag_keys": []string{"Team"}}, nil, []string{"Team"}, ""},
		"a transitive key twice":                 {claims{tags + "/principal_tags/Team": "a", tags + "/transitive_tag_keys": []string{"Team", "Team"}}, tag("Team", "a"), []string{"Team"}, ""},
	} {
		id, report, err := newWorld(t).Verify(t.Context(), account, good(t, c.claims))
		if err != nil || report.Reason != c.reason || !cmp.Equal(id.Tags, c.tags) || !cmp.Equal(id.Transitive, c.transitive) {
			t.Errorf("%s: %q, %v, %v, %v", name, report.Reason, id.Tags, id.Transitive, err)
		}
	}
}

func TestSourceIdentitiesAreNames(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		value  any
		want   string
		reason webidentity.Reason
	}{
		"a name":              {"source-probe", "source-probe", ""},
		"null":                {null, "", ""},
		"too short":           {"a", "", webidentity.BadSource},
		"a space":             {"Ann Example", "", webidentity.BadSource},
		"a number":            {12, "", webidentity.BadSource},
		"AWS's own prefix":    {"aws:ann", "", webidentity.BadSource},
		"longer than a name":  {strings.Repeat("a", 65), "", webidentity.BadSource},
		"a line break inside": {"ann\nbob", "", webidentity.BadSource},
	} {
		id, report, err := newWorld(t).Verify(t.Context(), account, good(t, claims{sourceName: c.value}))
		if err != nil || report.Reason != c.reason || id.SourceIdentity != c.want {
			t.Errorf("%s: %q, %q, %v", name, report.Reason, id.SourceIdentity, err)
		}
	}
}

func TestTheRolesClaimNamesRolesExactly(t *testing.T) {
	t.Parallel()
	other := "arn:aws:iam::123456789012:role/Other"
	for name, c := range map[string]struct {
		value     any
		ok, named bool
	}{
		"absent":                            {nil, true, false},
		"null":                              {null, true, false},
		"a string":                          {role, true, true},
		"a string with semicolons":          {other + "; " + role + " ", true, true},
		"a list":                            {[]string{other, role}, true, true},
		"a list with spaces":                {[]string{"  " + role + "\t"}, true, true},
		"a list with other things":          {[]any{1, nil, role}, true, true},
		"another role":                      {other, false, true},
		"a wildcard":                        {"arn:aws:iam::123456789012:role/*", false, true},
		"the role's name":                   {"Reader", false, true},
		"another case":                      {strings.ToUpper(role), false, true},
		"a comma in place of the semicolon": {other + "," + role, false, true},
		"an empty string":                   {"", false, true},
		"an empty list":                     {[]string{}, false, true},
		"a list of numbers":                 {[]int{1}, false, true},
		"an object":                         {claims{"a": role}, false, true},
		"a number":                          {7, false, true},
		"false":                             {false, false, true},
	} {
		id, report, err := newWorld(t).Verify(t.Context(), account, good(t, claims{roleClaim: c.value}))
		check, named := id.NamesRole(role)
		if err != nil || !report.OK() || check.OK != c.ok || named != c.named {
			t.Errorf("%s: %+v, %v; %+v, %v", name, check, named, report.Reason, err)
		}
	}
}

func TestConditionKeysOfATokenAreThoseThatAWSHas(t *testing.T) {
	t.Parallel()
	one := func(v string) policy.Values { return policy.Values{Values: []string{v}} }
	many := func(v ...string) policy.Values { return policy.Values{Values: v, Many: true} }
	for name, c := range map[string]struct {
		id   webidentity.Identity
		want policy.Context
	}{
		"any issuer": {
			webidentity.Identity{Prefix: "login.microsoftonline.com/TENANT/v2.0", Audience: "app", OriginalAudience: []string{"api"}, Subject: "s",
				AMR: []string{"pwd"}, Email: "e@x", Claims: map[string]any{"tid": "t", "roles": "r", "actor": "a"}},
			policy.Context{
				"login.microsoftonline.com/tenant/v2.0:aud": one("app"), "login.microsoftonline.com/tenant/v2.0:oaud": one("api"), "login.microsoftonline.com/tenant/v2.0:sub": one("s"),
				"login.microsoftonline.com/tenant/v2.0:amr": many("pwd"), "login.microsoftonline.com/tenant/v2.0:email": one("e@x"),
			},
		},
		"an array of audiences": {
			webidentity.Identity{Prefix: "x", Audience: "a", OriginalAudience: []string{"a", "b"}, AudienceList: true},
			policy.Context{"x:aud": one("a"), "x:oaud": many("a", "b"), "x:sub": one("")},
		},
		"GitHub": {
			webidentity.Identity{Prefix: "token.actions.githubusercontent.com", Claims: map[string]any{"repository_id": json.Number("42"), "actor": "ann", "event_name": "push", "ref": []any{"x"}}},
			policy.Context{
				"token.actions.githubusercontent.com:aud": one(""), "token.actions.githubusercontent.com:sub": one(""),
				"token.actions.githubusercontent.com:repository_id": one("42"), "token.actions.githubusercontent.com:actor": one("ann"),
			},
		},
		"CircleCI": {
			webidentity.Identity{Prefix: "oidc.circleci.com/org/1", Claims: map[string]any{"oidc.circleci.com/project-id": "p"}},
			policy.Context{"oidc.circleci.com/org/1:aud": one(""), "oidc.circleci.com/org/1:sub": one(""), "oidc.circleci.com/org/1:oidc.circleci.com/project-id": one("p")},
		},
		"Google": {
			webidentity.Identity{Prefix: webidentity.Google, Claims: map[string]any{"google": map[string]any{"organization_number": json.Number("7")}}},
			policy.Context{"accounts.google.com:aud": one(""), "accounts.google.com:sub": one(""), "accounts.google.com:google/organization_number": one("7")},
		},
	} {
		k := policy.Context{}
		c.id.Keys(k)
		if diff := cmp.Diff(c.want, k); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	id := webidentity.Identity{Prefix: "x", Audience: "a", Subject: "s", AMR: []string{"m"}, Email: "e"}
	if diff := cmp.Diff(map[string][]string{"x:aud": {"a"}, "x:sub": {"s"}, "x:amr[]": {"m"}}, id.Kept()); diff != "" {
		t.Error(diff)
	}
}

func TestNamesOfProviders(t *testing.T) {
	t.Parallel()
	for issuer, want := range map[string]string{
		"https://a.example": "a.example", "https://a.example/": "a.example/", "https://a.example:443/x": "a.example/x", "https://a.example:443": "a.example",
		"https://a.example:4430/x": "a.example:4430/x", "https://sts.windows.net/TENANT/": "sts.windows.net/TENANT/",
		"http://a.example": "", "https://": "", "https://:443": "", "a.example": "", "HTTPS://a.example": "",
	} {
		if got, ok := webidentity.Name(issuer); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %v", issuer, got, ok)
		}
	}
}

func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"https://aws.amazon.com/tags":{"principal_tags":{"k":["v"]},"transitive_tag_keys":["k"]}}`))
	f.Add([]byte(`{"https://aws.amazon.com/tags/principal_tags/k":"v","https://aws.amazon.com/roles":"a;b","azp":"x","aud":["a"],"sub":1}`))
	f.Add([]byte(`{"exp":"1789124298","nbf":1e3,"iat":-1,"sub":null,"https://aws.amazon.com/source_identity":"aws:x"}`))
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, doc []byte) {
		changes := claims{}
		if json.Unmarshal(doc, &changes) != nil {
			t.Skip()
		}
		id, report, err := w.Verify(t.Context(), account, good(t, changes))
		if err != nil {
			t.Fatal(err)
		}
		if !report.OK() {
			if id.Provider != "" {
				t.Fatalf("refused with an identity: %+v", id)
			}
			return
		}
		for _, tag := range id.Tags {
			if len(tag.Key) == 0 || strings.HasPrefix(strings.ToLower(tag.Key), "aws:") || strings.ContainsAny(tag.Key+tag.Value, "*?$\n") {
				t.Fatalf("tag %+v", tag)
			}
		}
		if strings.ContainsAny(id.SourceIdentity, " :\n") || len(id.Tags) > 50 || id.Audience != client && id.Audience != "client-b" {
			t.Fatalf("%+v", id)
		}
		if _, err := json.Marshal(report); err != nil {
			t.Fatal(err)
		}
	})
}
