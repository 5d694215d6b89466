package treatytest

import (
	"encoding/json"
	"testing"
)

// The endpoints that only one product has ask for a secret of their own issuer's.
func TestProductsOwnEndpointsKnowTheirOwnClientsAlone(t *testing.T) {
	t.Parallel()
	tt := New(t)
	repository := func(name string) IssuerClient {
		return IssuerClient{ID: name, Attributes: m{"repository": "acme/" + name}}
	}
	github := tt.AddIssuer("github", "https://token.actions.githubusercontent.com", "github", repository("shop"), repository("other"))
	enterprise := tt.AddIssuer("enterprise", "https://ghe.acme.example/_services/token", "github", repository("shop"))
	cluster := tt.AddIssuer("cluster", "https://oidc.cluster.example", "kubernetes", IssuerClient{ID: "prod/worker"}, IssuerClient{ID: "prod/admin"},
		IssuerClient{ID: "ci", Attributes: m{"user": "ci", "token_requests": []string{"prod/worker"}}})
	other := tt.AddIssuer("other", "https://oidc.other.example", "kubernetes", IssuerClient{ID: "prod/worker"})
	spiffe := tt.AddIssuer("spire", "https://spire.example", "spiffe", IssuerClient{ID: "w", Attributes: m{"spiffe_id": "spiffe://x/w"}})
	const job = "/idtoken?api-version=2.0&audience=a"
	account := func(name string) string { return "/api/v1/namespaces/prod/serviceaccounts/" + name + "/token" }
	worker, ci := cluster.Secrets["prod/worker"], cluster.Secrets["ci"]
	for name, c := range map[string]struct {
		method, address, bearer string
		body                    any
		status                  int
		sub                     string
	}{
		"a job":                                 {"GET", github.URL + job, github.Secrets["shop"], nil, 200, "repo:acme/shop:ref:refs/heads/main"},
		"another job of the issuer":             {"GET", github.URL + job, github.Secrets["other"], nil, 200, "repo:acme/other:ref:refs/heads/main"},
		"a job of another GitHub":               {"GET", github.URL + job, enterprise.Secrets["shop"], nil, 401, ""},
		"a job at another GitHub":               {"GET", enterprise.URL + job, github.Secrets["shop"], nil, 401, ""},
		"a job that says it is another":         {"GET", github.URL + job + "&repository=acme/other&sub=x&client_id=other", github.Secrets["shop"], nil, 200, "repo:acme/shop:ref:refs/heads/main"},
		"a job without its secret":              {"GET", github.URL + job, "", nil, 401, ""},
		"a job with a secret and more":          {"GET", github.URL + job, github.Secrets["shop"] + "x", nil, 401, ""},
		"a job with two audiences":              {"GET", github.URL + job + "&audience=b", github.Secrets["shop"], nil, 400, ""},
		"a job that deletes":                    {"DELETE", github.URL + job, github.Secrets["shop"], nil, 405, ""},
		"a job where GitHub has no endpoint":    {"POST", github.URL + "/token", github.Secrets["shop"], nil, 404, ""},
		"a job below another path":              {"GET", github.URL + "/x/.." + job, github.Secrets["shop"], nil, 404, ""},
		"an account for itself":                 {"POST", cluster.URL + account("worker"), worker, m{}, 201, "system:serviceaccount:prod:worker"},
		"an account for another":                {"POST", cluster.URL + account("admin"), worker, m{}, 403, ""},
		"an account behind an encoded path":     {"POST", cluster.URL + "/api/v1/namespaces/prod/serviceaccounts/worker%2f..%2fadmin/token", worker, m{}, 404, ""},
		"an account of another cluster":         {"POST", cluster.URL + account("worker"), other.Secrets["prod/worker"], m{}, 401, ""},
		"an account at another cluster":         {"POST", other.URL + account("worker"), worker, m{}, 401, ""},
		"nobody":                                {"POST", cluster.URL + account("worker"), "", m{}, 403, ""},
		"a user for an account that it may":     {"POST", cluster.URL + account("worker"), ci, m{"spec": m{"audiences": []string{"a"}}}, 201, "system:serviceaccount:prod:worker"},
		"a user for an account that it may not": {"POST", cluster.URL + account("admin"), ci, m{}, 403, ""},
		"a user for an account that is not":     {"POST", cluster.URL + account("nobody"), ci, m{}, 403, ""},
		"the name of another in the body":       {"POST", cluster.URL + account("worker"), worker, m{"metadata": m{"name": "admin"}}, 400, ""},
		"a subject in the body":                 {"POST", cluster.URL + account("worker"), worker, m{"status": m{"token": "x"}, "spec": m{"audiences": []string{""}}}, 400, ""},
		"a life of a century":                   {"POST", cluster.URL + account("worker"), worker, m{"spec": m{"expirationSeconds": 3 << 40}}, 422, ""},
		"a life of a negative second":           {"POST", cluster.URL + account("worker"), worker, m{"spec": m{"expirationSeconds": -1}}, 422, ""},
		"bound to a thing that is none":         {"POST", cluster.URL + account("worker"), worker, m{"spec": m{"boundObjectRef": m{"kind": "serviceaccount", "apiVersion": "v1", "name": "admin"}}}, 400, ""},
		"a workload's secret as bearer":         {"POST", spiffe.URL + "/token", spiffe.Secrets["w"], m{}, 400, ""},
	} {
		status, body := tt.Request(c.method, c.address, c.bearer, c.body)
		var out struct {
			Value  string
			Status any
		}
		_ = json.Unmarshal(body, &out) // of what is no JSON only the status counts
		token := out.Value
		if s, is := out.Status.(m); is {
			token = text(s, "token")
		}
		if status != c.status || (token != "") != (c.sub != "") {
			t.Errorf("%s: got %d, want %d: %s", name, status, c.status, body)
		} else if token != "" && claimsOf(t, token)["sub"] != c.sub {
			t.Errorf("%s: the token is of %v", name, claimsOf(t, token)["sub"])
		}
	}
}
