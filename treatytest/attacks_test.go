package treatytest

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
)

// eight runs f at once eight times: as often as a client that races itself.
func eight(f func(i int)) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 8 {
		wg.Go(func() { <-start; f(i) })
	}
	close(start)
	wg.Wait()
}

// tokenFor is an access token of an application with a secret; "" when it is refused.
func (tt *Treaty) tokenFor(clientID, secret, scope string) (string, []byte) {
	tt.t.Helper()
	_, answer := tt.PostForm(tt.TokenURL(), url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {secret}, "scope": {scope}})
	var out struct {
		AccessToken string `json:"access_token"`
	}
	_ = json.Unmarshal(answer, &out)
	return out.AccessToken, answer
}

// resign keeps a token's header and claims but for some, and signs with another key.
func resign(t *testing.T, tok, alg, kid string, key *rsa.PrivateKey, change m) string {
	t.Helper()
	_, payload, _ := parts(tok)
	b, err := b64.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	var claims m
	if err := json.Unmarshal(b, &claims); err != nil {
		t.Fatal(err)
	}
	f := forge{key: key}
	header := raw(m{"typ": "JWT", "alg": alg, "kid": kid, "x5t": kid})
	if alg == "RS512" {
		return f.sign(header, raw(with(claims, change)))
	}
	in := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(raw(with(claims, change))))
	sum := sha256.Sum256([]byte(in))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return in + "." + b64.EncodeToString(sig)
}

func TestNoKeyButEntrasOpensGraphOrARM(t *testing.T) {
	t.Parallel()
	tt := New(t)
	entraKid, entraKey := tt.signingKey("entra")
	cognitoKid, cognitoKey := tt.signingKey("cognito-identity/" + tt.Region)
	foreign, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for _, api := range []struct{ base, path string }{{tt.GraphURL, "/v1.0/applications?$top=1"}, {tt.ARMURL, "/subscriptions/" + tt.SubscriptionID + "/resourceGroups?api-version=2021-04-01"}} {
		good := tt.AdminToken(api.base)
		other := tt.AdminToken(map[string]string{tt.GraphURL: tt.ARMURL, tt.ARMURL: tt.GraphURL}[api.base])
		if status, b := tt.Request("GET", api.base+api.path, resign(t, good, "RS256", entraKid, entraKey, nil), nil); status != 200 {
			t.Errorf("a forged token that nothing is wrong with: %d %s", status, b) // the forge itself works
		}
		for name, tok := range map[string]string{
			"Cognito's key under its own kid":      resign(t, good, "RS256", cognitoKid, cognitoKey, nil),
			"Cognito's key under Entra's kid":      resign(t, good, "RS256", entraKid, cognitoKey, nil),
			"Cognito's key and algorithm":          resign(t, good, "RS512", cognitoKid, cognitoKey, nil),
			"Entra's key with another algorithm":   resign(t, good, "RS512", entraKid, entraKey, nil),
			"a foreign key under Entra's kid":      resign(t, good, "RS256", entraKid, foreign, nil),
			"a foreign key without a kid":          resign(t, good, "RS256", "", foreign, nil),
			"the other API's token":                other,
			"an audience with two slashes":         resign(t, good, "RS256", entraKid, entraKey, m{"aud": api.base + "//"}),
			"an audience in other letters":         resign(t, good, "RS256", entraKid, entraKey, m{"aud": strings.ToUpper(api.base)}),
			"an audience below the API":            resign(t, good, "RS256", entraKid, entraKey, m{"aud": api.base + "/x"}),
			"no audience":                          resign(t, good, "RS256", entraKid, entraKey, m{"aud": nil}),
			"a number as audience":                 resign(t, good, "RS256", entraKid, entraKey, m{"aud": 1}),
			"no expiry":                            resign(t, good, "RS256", entraKid, entraKey, m{"exp": nil}),
			"an expiry past all numbers":           resign(t, good, "RS256", entraKid, entraKey, m{"exp": json.Number("1e400")}),
			"an expiry that overflows":             resign(t, good, "RS256", entraKid, entraKey, m{"exp": json.Number("18446744073709551616000")}),
			"a negative expiry":                    resign(t, good, "RS256", entraKid, entraKey, m{"exp": -1}),
			"an expiry in a list":                  resign(t, good, "RS256", entraKid, entraKey, m{"exp": []int{4102444800}}),
			"another tenant's issuer":              resign(t, good, "RS256", entraKid, entraKey, m{"iss": "https://sts.windows.net/00000000-0000-0000-0000-000000000001/"}),
			"the tenant in a list":                 resign(t, good, "RS256", entraKid, entraKey, m{"tid": []string{tt.TenantID}}),
			"the tenant by its domain":             resign(t, good, "RS256", entraKid, entraKey, m{"tid": "treaty.onmicrosoft.com"}),
			"Cognito's issuer":                     resign(t, good, "RS256", entraKid, entraKey, m{"iss": "https://cognito-identity.amazonaws.com"}),
			"an object id that nobody has (graph)": resign(t, good, "RS256", entraKid, entraKey, m{"oid": "00000000-0000-0000-0000-000000000009"}),
		} {
			status, b := tt.Request("GET", api.base+api.path, tok, nil)
			if strings.HasSuffix(name, "(graph)") && api.base == tt.ARMURL {
				if status != 403 {
					t.Errorf("%s %s: %d %s", api.base, name, status, b)
				}
				continue
			}
			if status != 401 {
				t.Errorf("%s %s: %d %s, want 401", api.base, name, status, b)
			}
		}
	}
}

// An application of one's own must not pass for Graph by a name that looks like Graph's: the roles in its
// tokens are its owner's to invent.
func TestAnApplicationsOwnNameNeverOpensGraph(t *testing.T) {
	t.Parallel()
	tt := New(t)
	app := tt.AddApplication("pretender")
	secret := tt.AddSecret(app)
	path := "/v1.0/applications/" + app.ObjectID
	role := tt.newID()
	tt.graph("PATCH", path, m{"signInAudience": "AzureADMyOrg", "api": m{"requestedAccessTokenVersion": 2}, "appRoles": []m{{
		"id": role, "allowedMemberTypes": []string{"Application"}, "displayName": "x", "description": "x", "isEnabled": true, "value": "Directory.ReadWrite.All",
	}}}, nil)
	for _, name := range []string{"https://graph.microsoft.com", "HTTPS://GRAPH.microsoft.com/", "https://management.azure.com/", "00000003-0000-0000-c000-000000000000"} {
		if status, b := tt.Request("PATCH", tt.GraphURL+path, tt.AdminToken(tt.GraphURL), m{"identifierUris": []string{name}}); status != 400 {
			t.Errorf("the name %s may be taken: %d %s", name, status, b)
		}
	}
	tt.graph("PATCH", path, m{"identifierUris": []string{"https://graph.microsoft.com//", "https://management.azure.com//"}}, nil)
	tt.graph("PATCH", path, m{"api": m{"requestedAccessTokenVersion": nil}}, nil)
	tt.graph("POST", "/v1.0/servicePrincipals/"+app.PrincipalID+"/appRoleAssignments", m{"principalId": app.PrincipalID, "resourceId": app.PrincipalID, "appRoleId": role}, nil)
	for _, api := range []string{tt.GraphURL + "/v1.0/applications", tt.ARMURL + "/subscriptions?api-version=2021-01-01"} {
		u, err := url.Parse(api)
		if err != nil {
			t.Fatal(err)
		}
		tok, answer := tt.tokenFor(app.ClientID, secret, "https://"+u.Host+"///.default")
		if tok == "" {
			t.Fatalf("%s", answer)
		}
		if got := fmt.Sprint(claimsOf(t, tok)["roles"]); got != "[Directory.ReadWrite.All]" {
			t.Fatalf("the roles are %s", got)
		}
		if status, b := tt.Request("GET", api, tok, nil); status != 401 {
			t.Errorf("%s: %d %s", api, status, b)
		}
	}
}

func TestLimitsHoldUnderSimultaneousTries(t *testing.T) {
	t.Parallel()
	tt := New(t)
	app := tt.AddApplication("limits")
	admin := tt.AdminToken(tt.GraphURL)
	post := func(path string, body m) int {
		status, _ := tt.Request("POST", tt.GraphURL+path, admin, body)
		return status
	}
	count := func(path string) int {
		var out struct{ Value []m }
		tt.graph("GET", path, nil, &out)
		return len(out.Value)
	}
	trusts := "/v1.0/applications/" + app.ObjectID + "/federatedIdentityCredentials"
	for i := range 16 {
		if status := post(trusts, m{"name": fmt.Sprintf("trust%d", i), "issuer": "https://a.example", "subject": fmt.Sprint(i), "audiences": []string{"a"}}); status != 201 {
			t.Fatalf("trust %d: %d", i, status)
		}
	}
	eight(func(i int) {
		post(trusts, m{"name": fmt.Sprintf("race%d", i), "issuer": "https://a.example", "subject": fmt.Sprint("r", i), "audiences": []string{"a"}})
	})
	if n := count(trusts); n > 20 {
		t.Errorf("%d federated credentials, more than 20", n)
	}

	unique := "/v1.0/applications?$filter=" + url.QueryEscape("uniqueName eq 'once'") + "&$count=true"
	eight(func(int) { post("/v1.0/applications", m{"displayName": "twice", "uniqueName": "once"}) })
	if n := count(unique); n != 1 {
		t.Errorf("%d applications have one uniqueName", n)
	}

	eight(func(i int) {
		post("/v1.0/applications", m{"displayName": fmt.Sprint("uri", i), "signInAudience": "AzureADMyOrg", "identifierUris": []string{"api://once"}})
	})
	var apps struct {
		Value []struct{ IdentifierURIs []string }
	}
	tt.graph("GET", "/v1.0/applications?$top=999", nil, &apps)
	holders := 0
	for _, a := range apps.Value {
		if len(a.IdentifierURIs) > 0 {
			holders++
		}
	}
	if holders != 1 {
		t.Errorf("%d applications have one identifier URI", holders)
	}

	tt.graph("DELETE", trusts+"/trust0", nil, nil)
	before := count(trusts)
	eight(func(int) {
		post(trusts, m{"name": "same", "issuer": "https://b.example", "subject": "s", "audiences": []string{"a"}})
	})
	if n := count(trusts); n > before+1 {
		t.Errorf("%d trusts of one name and subject", n-before)
	}
}

func TestADevelopersUserHasOneIdentityHoweverManyAsk(t *testing.T) {
	t.Parallel()
	tt := New(t)
	pool := tt.AddPool("race", "my.dev.provider")
	client := cognitoidentity.NewFromConfig(tt.AWSConfig)
	var mu sync.Mutex
	seen := map[string]bool{}
	eight(func(int) {
		out, err := client.GetOpenIdTokenForDeveloperIdentity(context.Background(), &cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput{
			IdentityPoolId: &pool.ID, Logins: map[string]string{pool.DeveloperProvider: "user"},
		})
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			t.Error(err)
			return
		}
		seen[aws.ToString(out.IdentityId)] = true
	})
	if len(seen) != 1 {
		t.Errorf("one user has %d identities", len(seen))
	}
	list, err := client.ListIdentities(t.Context(), &cognitoidentity.ListIdentitiesInput{IdentityPoolId: &pool.ID, MaxResults: aws.Int32(60)})
	if err != nil || len(list.Identities) != 1 {
		t.Errorf("%d identities are kept: %v", len(list.Identities), err)
	}
}

// A client may name its request as it likes; it must not put its own event in the place of another's.
func TestAClientsOwnIdHidesNobodysEvent(t *testing.T) {
	t.Parallel()
	tt := New(t)
	app := tt.AddApplication("victim")
	_, answer := tt.Exchange(app, "not.a.token", tt.GraphURL)
	var refused struct {
		TraceID string `json:"trace_id"`
	}
	if err := json.Unmarshal(answer, &refused); err != nil || refused.TraceID == "" {
		t.Fatalf("%s", answer)
	}
	req, err := http.NewRequest("POST", tt.TokenURL(), strings.NewReader(url.Values{"grant_type": {"client_credentials"}, "client_id": {tt.AdminClientID}, "client_secret": {"wrong"}, "scope": {"https://graph.microsoft.com/.default"}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("client-request-id", refused.TraceID)
	tt.Advance(time.Second)
	tt.do(req)
	if r := tt.Explain(refused.TraceID); r.RequestID != refused.TraceID {
		t.Errorf("the event of %s is hidden behind that of %s, of %s", refused.TraceID, r.RequestID, r.Caller)
	}
}

func TestSecretsAreSealedAtRest(t *testing.T) {
	t.Parallel()
	tt := Config{Folder: true}.New(t)
	app := tt.AddApplication("sealed")
	secret := tt.AddSecret(app)
	pool := tt.AddPool("sealed", "my.dev.provider")
	_, assertion := tt.DeveloperToken(pool, "user")
	tt.Exchange(app, assertion, tt.GraphURL)
	access, _ := tt.tokenFor(app.ClientID, secret, "https://graph.microsoft.com/.default")
	tt.Request("GET", tt.GraphURL+"/v1.0/applications", access, nil)
	tt.Request("GET", tt.ARMURL+"/subscriptions/"+tt.SubscriptionID+"/resourceGroups?api-version=2021-04-01", access, nil)
	keys, err := tt.AWSConfig.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, key := tt.signingKey("entra")
	looked := 0
	files, err := filepath.Glob(filepath.Join(filepath.Dir(t.TempDir()), "*", "treaty.db*")) // beside the twin's own folder
	if err != nil {
		t.Fatal(err)
	}
	events, err := filepath.Glob(filepath.Join(filepath.Dir(t.TempDir()), "*", "treaty.db-audit", "*"))
	if err != nil || len(events) == 0 {
		t.Fatal("no audit log: ", err)
	}
	files = slices.DeleteFunc(append(files, events...), func(f string) bool { return filepath.Ext(f) == ".db-audit" })
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		looked += len(b)
		for name, needle := range map[string]string{
			"a client secret": secret, "the administrator's secret": tt.AdminSecret, "the root key": keys.SecretAccessKey,
			"an assertion's signature": last(assertion), "an access token's signature": last(access),
			"a prime of the signing key": string(key.Primes[0].Bytes()), "its text": key.Primes[0].String(), "a PEM key": "PRIVATE KEY",
		} {
			if strings.Contains(string(b), needle) {
				t.Errorf("%s holds %s", file, name)
			}
		}
	}
	if looked == 0 {
		t.Error("there is no database to look into")
	}
}
