package treatytest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// trade asks for a token of Graph in a tenant, with whatever proves the client, and gives "" or the code.
func (tt *Treaty) trade(app Application, proof url.Values) string {
	tt.t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {app.ClientID}, "scope": {tt.GraphURL + "/.default"}}
	for name, v := range proof {
		form[name] = v
	}
	status, body := tt.PostForm(tt.TokenURL(), form)
	var out struct {
		Codes       []int  `json:"error_codes"`
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &out); err != nil || (status == 200) != (out.AccessToken != "") {
		tt.t.Fatalf("%d %s", status, body)
	}
	if status == 200 {
		_, claims := (&awsWorld{Treaty: tt}).readJWT(out.AccessToken)
		if claims["tid"] != tt.TenantID || claims["iss"] != "https://sts.windows.net/"+tt.TenantID+"/" {
			tt.t.Errorf("a token of tenant %s says %v", tt.TenantID, claims)
		}
		return ""
	}
	return raw(out.Codes[0])
}

func asserts(token string) url.Values {
	return url.Values{"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {token}}
}

// machineToken is the token of an identity by a machine of its own.
func (tt *Treaty) machineToken(name, resource string, system bool, identities ...ManagedIdentity) string {
	tt.t.Helper()
	tt.AddMachine(name, "vm", system, identities...)
	_, said, token := (&workload{Treaty: tt}).askAt("http://169.254.169.254/machines/"+name+"/metadata/identity/oauth2/token", func(_ *http.Request, q url.Values) { q.Set("resource", resource) })
	if token == "" {
		tt.t.Fatal(said)
	}
	return token
}

// expectTrade compares what is said in a tenant.
func (tt *Treaty) expectTrade(name string, app Application, proof url.Values, want string) {
	tt.t.Helper()
	if got := tt.trade(app, proof); got != want {
		tt.t.Errorf("%s: got %s, want %s", name, cmpOr(got, "success"), cmpOr(want, "success"))
	}
}

// A managed identity of a stands in for an application of a, in b, and for nothing else anywhere.
func TestAManagedIdentityCrossesTenantsByAnApplicationOfItsOwn(t *testing.T) {
	t.Parallel()
	w := newTenantsWorld(t)
	v2 := func(tt *Treaty) string { return tt.Authority + "/" + tt.TenantID + "/v2.0" }
	identity := w.a.AddManagedIdentity("runner")
	token := w.a.machineToken("runner", exchangeAudience, false, identity)
	for name, b := range map[string]*Treaty{"shared keys": w.b, "own keys": w.c} {
		multi, single, theirs := w.a.multi("multi "+name), w.a.AddApplication("single "+name), b.multi("theirs "+name)
		w.a.graph("PATCH", "/v1.0/applications/"+single.ObjectID, m{"signInAudience": "AzureADMyOrg"}, nil)
		for tt, app := range map[*Treaty]Application{w.a: multi, b: theirs} {
			tt.Trust(app, "runner", v2(w.a), identity.PrincipalID, exchangeAudience)
		}
		w.a.Trust(single, "runner", v2(w.a), identity.PrincipalID, exchangeAudience)
		b.expectTrade(name+": before consent", multi, asserts(token), "7000229")
		there := b.consent(multi)
		b.expectTrade(name+": a multi-tenant application of a, in b", multi, asserts(token), "")
		w.a.expectTrade(name+": the same in a", multi, asserts(token), "")
		w.a.expectTrade(name+": a single-tenant application in a", single, asserts(token), "")
		b.expectTrade(name+": a single-tenant application of a, in b", single, asserts(token), "700016")
		b.expectTrade(name+": an application of b", theirs, asserts(token), "700236")
		w.a.consent(theirs)
		w.a.expectTrade(name+": an application of b, in a", theirs, asserts(token), "700236")
		b.expectTrade(name+": the identity itself, in b", Application{ClientID: identity.ClientID}, asserts(token), "700016")

		back := b.machineToken("back-"+strings.ReplaceAll(name, " ", "-"), exchangeAudience, false, b.AddManagedIdentity("back"))
		w.a.Trust(multi, "back", v2(b), text(claimsOf(t, back), "sub"), exchangeAudience)
		w.a.expectTrade(name+": an identity of b for an application of a", multi, asserts(back), "700236")
		b.expectTrade(name+": also in b", multi, asserts(back), "700236")

		secret := b.AddSecret(theirs) // of the application
		var own struct{ SecretText string }
		b.graph("POST", "/v1.0/servicePrincipals/"+there.PrincipalID+"/addPassword", m{"passwordCredential": m{"displayName": "x"}}, &own)
		b.expectTrade(name+": a secret of the service principal in b", multi, url.Values{"client_secret": {own.SecretText}}, "")
		w.a.expectTrade(name+": which opens nothing in a", multi, url.Values{"client_secret": {own.SecretText}}, "7000215")
		b.expectTrade(name+": nor another application in b", theirs, url.Values{"client_secret": {own.SecretText}}, "7000215")
		w.a.expectTrade(name+": the secret of an application of b, in a", theirs, url.Values{"client_secret": {secret}}, "")

		b.graph("PATCH", "/v1.0/servicePrincipals/"+there.PrincipalID, m{"accountEnabled": false}, nil)
		b.expectTrade(name+": disabled in b", multi, asserts(token), "7000112")
		w.a.expectTrade(name+": which is nothing to a", multi, asserts(token), "")
		b.graph("PATCH", "/v1.0/servicePrincipals/"+there.PrincipalID, m{"accountEnabled": true}, nil)
		access, _ := b.tokenFor(multi.ClientID, own.SecretText, b.ARMURL+"/.default")
		b.graph("DELETE", "/v1.0/servicePrincipals/"+there.PrincipalID, nil, nil)
		b.expectTrade(name+": deleted in b", multi, asserts(token), "7000229")
		if status, body := b.Request("GET", b.ARMURL+"/subscriptions/"+b.SubscriptionID+"?api-version=2021-01-01", access, nil); status == 200 {
			t.Errorf("%s: a token of a deleted service principal: %d %s", name, status, body)
		}
		b.consent(multi)
		b.expectTrade(name+": the old secret after another consent", multi, url.Values{"client_secret": {own.SecretText}}, "7000215")
		w.a.graph("PATCH", "/v1.0/applications/"+multi.ObjectID, m{"signInAudience": "AzureADMyOrg"}, nil)
		b.expectTrade(name+": no longer multi-tenant", multi, asserts(token), "700016")
		w.a.graph("PATCH", "/v1.0/applications/"+multi.ObjectID, m{"signInAudience": "AzureADMultipleOrgs"}, nil)
		b.expectTrade(name+": again", multi, asserts(token), "")
		w.a.graph("DELETE", "/v1.0/applications/"+multi.ObjectID, nil, nil)
		b.expectTrade(name+": deleted in a", multi, asserts(token), "700016")
		w.a.expectTrade(name+": also in a", multi, asserts(token), "700016")
	}
	w.a.ARM("DELETE", identity.ID+"?api-version=2023-01-31", nil, nil)
	app := w.a.AddApplication("late")
	w.a.Trust(app, "runner", v2(w.a), identity.PrincipalID, exchangeAudience)
	// A token is good until its end, as no verifier of a JWT asks whose it is.
	w.a.expectTrade("a deleted identity's token, until its end", app, asserts(token), "")
}

// What the tenants themselves issue is no credential unless it is a user-assigned identity's.
func TestOtherTokensOfATenantAreNoCredentials(t *testing.T) {
	t.Parallel()
	w := newTenantsWorld(t)
	v2 := w.a.Authority + "/" + w.a.TenantID + "/v2.0"
	identity := w.a.AddManagedIdentity("runner")
	good := w.a.machineToken("runner", exchangeAudience, false, identity)
	system := w.a.machineToken("system", exchangeAudience, true)
	shared, sharedKey := w.a.signingKey("entra")
	own, ownKey := w.a.signingKey("entra/" + w.c.TenantID)
	app := w.a.AddApplication("app")
	trust := func(name, issuer, subject, audience string) { w.a.Trust(app, name, issuer, subject, audience) }
	trust("identity", v2, identity.PrincipalID, exchangeAudience)
	trust("system", v2, text(claimsOf(t, system), "sub"), exchangeAudience)
	trust("graph", "https://sts.windows.net/"+w.a.TenantID+"/", identity.PrincipalID, w.a.GraphURL)
	robot := w.a.AddApplication("robot")
	trust("robot", v2, robot.PrincipalID, exchangeAudience)
	forged := func(change m) string { return resign(t, good, "RS256", shared, sharedKey, change) }
	of := func(issuer string) string { return forged(m{"iss": issuer}) }
	// A foreign issuer that says all that an identity's token says.
	i := w.a.AddIssuer("pretender", "https://login.pretender.example/"+w.a.TenantID+"/v2.0", "", IssuerClient{ID: "evil", Lifetime: "15m", Claims: map[string]string{
		"sub": raw(identity.PrincipalID), "oid": raw(identity.PrincipalID), "tid": raw(w.a.TenantID), "idtyp": `"app"`, "ver": `"2.0"`, "xms_mirid": raw(claimsOf(t, good)["xms_mirid"]),
	}})
	pretended := w.a.IssuerToken(i, "evil", map[string]string{"audience": exchangeAudience})
	stranger := w.a.AddApplication("stranger")
	w.a.Trust(stranger, "pretender", i.URL, identity.PrincipalID, exchangeAudience)
	kid, _ := (&awsWorld{Treaty: w.a}).readJWT(pretended)
	unknown := "77777777-7777-4777-8777-777777777777"
	for name, c := range map[string]struct{ token, want string }{
		"the identity's":                          {good, ""},
		"the same, forged with the real key":      {forged(nil), ""},
		"a system-assigned identity's":            {system, "700226"},
		"the identity's for Graph":                {w.a.machineToken("graph", w.a.GraphURL, false, identity), "700227"},
		"the identity's for Azure":                {w.a.machineToken("azure", w.a.ARMURL, false, identity), "700227"},
		"an application's":                        {w.a.AppToken(robot, exchangeAudience), "700226"},
		"a person's":                              {forged(m{"scp": "User.Read", "xms_mirid": nil}), "700229"},
		"a person's about another":                {forged(m{"oid": "someone"}), "700229"},
		"without the mark of an identity":         {forged(m{"xms_mirid": nil}), "700226"},
		"with the mark in another type":           {forged(m{"xms_mirid": []string{"/providers/Microsoft.ManagedIdentity/userAssignedIdentities/x"}}), "700226"},
		"that does not say that it is an app's":   {forged(m{"idtyp": nil}), "700226"},
		"for another audience":                    {forged(m{"aud": "api://other"}), "700227"},
		"of another subject":                      {forged(m{"sub": "other", "oid": "other"}), "700213"},
		"of tenant b":                             {of(w.a.Authority + "/" + w.b.TenantID + "/v2.0"), "700236"},
		"of a tenant that is not":                 {of(w.a.Authority + "/" + unknown + "/v2.0"), "700236"},
		"of v1":                                   {of("https://sts.windows.net/" + w.a.TenantID + "/"), "700227"},
		"of v1 without its slash":                 {of("https://sts.windows.net/" + w.a.TenantID), "700211"},
		"of v2 with a slash":                      {of(v2 + "/"), "700211"},
		"of v2 with a port":                       {of(strings.Replace(v2, ".com/", ".com:443/", 1)), "700211"},
		"of v2 in capitals":                       {of(strings.Replace(v2, "login", "LOGIN", 1)), "700211"},
		"of v2 with the tenant in capitals":       {of(strings.Replace(v2, w.a.TenantID, strings.ToUpper(w.a.TenantID), 1)), "700211"},
		"of v2 by an older name":                  {of(strings.Replace(v2, "login.microsoftonline.com", "login.windows.net", 1)), "700211"},
		"of v2 by a domain":                       {of(strings.Replace(v2, w.a.TenantID, "treaty.onmicrosoft.com", 1)), "700211"},
		"of v2 for all":                           {of(strings.Replace(v2, w.a.TenantID, "common", 1)), "700211"},
		"by c's key":                              {resign(t, good, "RS256", own, ownKey, nil), "700027"},
		"by c's key under the shared kid":         {resign(t, good, "RS256", shared, ownKey, nil), "700027"},
		"by a foreign issuer's key":               {resign(t, good, "RS256", text(kid, "kid"), evilKey(), nil), "700027"},
		"by RS512":                                {resign(t, good, "RS512", shared, sharedKey, nil), ""},
		"of a foreign issuer that says all of it": {pretended, "700211"},
		"that has ended":                          {forged(m{"exp": 1}), "700024"},
		"of tenant a with the tenant claim of b":  {forged(m{"tid": w.b.TenantID}), ""}, // the issuer is what counts
	} {
		w.a.expectTrade(name, app, asserts(c.token), c.want)
	}
	w.a.expectTrade("a foreign issuer that says all of it and is trusted is a foreign issuer", stranger, asserts(pretended), "")
	w.a.expectTrade("and its token is nobody else's", Application{ClientID: identity.ClientID}, asserts(pretended), "70025")
}

// A machine has the identities of its own tenant alone.
func TestAMachineHasNoIdentityOfAnotherTenant(t *testing.T) {
	t.Parallel()
	w := newTenantsWorld(t)
	identity := w.a.AddManagedIdentity("runner")
	for _, b := range []*Treaty{w.b, w.c} {
		err := b.order("POST", "machines", m{"name": "thief", "tenant": b.TenantID, "identities": []string{identity.ID}})
		if err == nil {
			_, _, token := (&workload{Treaty: b}).askAt("http://169.254.169.254/machines/thief/metadata/identity/oauth2/token", nil)
			t.Errorf("a machine of another tenant has the identity, and gets %q", token)
			b.Control("DELETE", "machines/thief", nil, nil)
		}
		if err := b.order("POST", "machines", m{"name": "thief", "tenant": b.TenantID, "subscription": w.a.SubscriptionID}); err == nil {
			t.Error("a machine lies in another tenant's subscription")
		}
	}
}
