package odata

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

var names = Names{
	Collections:   []string{"applications", "servicePrincipals", "federatedIdentityCredentials", "owners", "directoryObjects"},
	Others:        []string{"v1.0", "beta", "addPassword"},
	OnCollections: []string{"getByIds"},
}

func TestNormalise(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/v1.0/applications":                                               "/v1.0/applications",
		"/V1.0/Applications/":                                              "/v1.0/applications",
		"//BETA//APPLICATIONS/AbC":                                         "/beta/applications/AbC",
		"/v1.0/applications/Owners":                                        "/v1.0/applications/Owners", // a key stays as it is
		"/v1.0/applications/$COUNT":                                        "/v1.0/applications/$count",
		"/v1.0/applications/x/OWNERS/y/$Ref":                               "/v1.0/applications/x/owners/y/$ref",
		"/v1.0/applications(appId='A-1')":                                  "/v1.0/applications/appId=A-1",
		"/v1.0/applications(appId=%27A-1%27)/addpassword":                  "/v1.0/applications/appId=A-1/addPassword",
		"/v1.0/applications('x')/federatedidentitycredentials(Name='a b')": "/v1.0/applications/x/federatedIdentityCredentials/Name=a%20b",
		"/v1.0/applications(uniqueName='it''s%2F')/owners":                 "/v1.0/applications/uniqueName=it%27s%2F/owners",
		"/v1.0/applications(uniqueName='a%2Fb')":                           "/v1.0/applications/uniqueName=a%2Fb",
		"/v1.0/applications/id/federatedIdentityCredentials/applications":  "/v1.0/applications/id/federatedIdentityCredentials/applications",
		"/v1.0/directoryobjects/GETBYIDS":                                  "/v1.0/directoryObjects/getByIds",
		"/v1.0/applications/..%2f":                                         "/v1.0/applications/..%2F",
		"/v1.0/applications/%2e%2e/owners":                                 "/v1.0/applications/%2E%2E/owners",
		"/v1.0/unknown('x')":                                               "/v1.0/unknown%28%27x%27%29",
		"/v1.0/applications('')":                                           "/v1.0/applications%28%27%27%29", // an empty key is none
		"/v1.0/applications()":                                             "/v1.0/applications%28%29",
	} {
		if got, ok := names.Normalise(in); !ok || got != want {
			t.Errorf("%s is %s %v, want %s", in, got, ok, want)
		}
	}
	for _, in := range []string{"/" + strings.Repeat("x", maxPath), "/a/%zz", strings.Repeat("/a", maxSegments+1)} {
		if got, ok := names.Normalise(in); ok {
			t.Errorf("%.20s was taken: %.20s", in, got)
		}
	}
}

// The mux matches segment by segment and must neither clean nor redirect what Normalise made.
func TestNormalisedPathsReachTheMux(t *testing.T) {
	t.Parallel()
	var key string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1.0/applications/{key}/owners", func(_ http.ResponseWriter, r *http.Request) { key = r.PathValue("key") })
	for in, want := range map[string]string{
		"/v1.0/applications(uniqueName='a%2Fb')/owners": "uniqueName=a/b",
		"/v1.0/applications/%2e%2e/owners":              "..",
		"/v1.0/applications/a%20b/owners":               "a b",
	} {
		norm, _ := names.Normalise(in)
		r := httptest.NewRequest("GET", norm, nil)
		w := httptest.NewRecorder()
		key = ""
		mux.ServeHTTP(w, r)
		if w.Code != 200 || key != want {
			t.Errorf("%s: status %d, key %q, want %q", in, w.Code, key, want)
		}
	}
}

func TestKey(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][2]string{
		"appId=x":      {"appId", "x"},
		"APPID=x=y":    {"appId", "x=y"},
		"uniqueName=":  {"uniqueName", ""},
		"name=x":       {"", "name=x"},
		"appIdx":       {"", "appIdx"},
		"8fce32da-124": {"", "8fce32da-124"},
	} {
		if name, value := Key(in, "appId", "uniqueName"); name != want[0] || value != want[1] {
			t.Errorf("%s is %q %q, want %q", in, name, value, want)
		}
	}
}

func FuzzNormalise(f *testing.F) {
	for _, s := range []string{"/v1.0/applications(appId='a')/owners/%2e%2e/$ref", "//a//('b')", "/x(%27/%27)", "/directoryObjects/getbyids"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := names.Normalise(s)
		if !ok {
			return
		}
		for i, segment := range strings.Split(got, "/") {
			if i > 0 && segment == "" && got != "/" || segment == "." || segment == ".." {
				t.Errorf("%q became %q", s, got)
			}
		}
		if again, ok := names.Normalise(got); ok && strings.Count(again, "/") > strings.Count(got, "/")+maxSegments {
			t.Errorf("%q grows to %q", got, again)
		}
	})
}
