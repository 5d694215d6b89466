package arm

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
)

const cognito = "https://cognito-identity.amazonaws.com"

// credentialBody is the body of a federated credential with the audience that Microsoft recommends.
func credentialBody(issuer, subject string) string {
	b, _ := json.Marshal(map[string]any{"properties": map[string]any{"issuer": issuer, "subject": subject, "audiences": []string{"api://AzureADTokenExchange"}}})
	return string(b)
}

func TestAFederatedCredentialsLife(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	tw.group("rg")
	of := identityPath + "worker/federatedIdentityCredentials"
	path := sub(of+"/Pool-1") + vMSI
	for method, verb := range map[string]string{"GET": "read", "PUT": "write", "DELETE": "delete"} {
		tw.as(ownerID, method, path, credentialBody(cognito, "s")).fails(404, "ParentResourceNotFound",
			"Failed to perform '"+verb+"' on resource(s) of type 'userAssignedIdentities/federatedIdentityCredentials', because the parent resource '"+sub("/resourceGroups"+strings.TrimPrefix(identityPath, "/resourcegroups"))+"worker' could not be found.")
	}
	principal := tw.identity("worker").want(201).at("properties.principalId")
	tw.as(ownerID, "GET", path, "").fails(404, "ResourceNotFound", "federatedIdentityCredentials/Pool-1")
	tw.as(ownerID, "GET", sub(of)+vMSI, "").want(200).is("value", "[]")
	tw.as(ownerID, "PUT", path, credentialBody(cognito, "us-east-1:1")).want(201).is("id", sub(of+"/Pool-1"), "name", "Pool-1", "type", credentialType,
		"properties", `{"audiences":["api://AzureADTokenExchange"],"issuer":"`+cognito+`","subject":"us-east-1:1"}`)
	stored, err := tw.Federated.FederatedCredential(t.Context(), principal, "Pool-1")
	if err != nil || stored.OwnerID != principal || stored.Issuer != cognito || stored.Subject != "us-east-1:1" || !isGUID(stored.ID) {
		t.Fatalf("%v %+v", err, stored)
	}
	tw.as(ownerID, "PUT", strings.Replace(path, "Pool-1", "POOL-1", 1), credentialBody(cognito+"/", "us-east-1:2")).want(200).is("name", "Pool-1", "properties.issuer", cognito+"/", "properties.subject", "us-east-1:2")
	if again, err := tw.Federated.FederatedCredential(t.Context(), principal, "Pool-1"); err != nil || again.ID != stored.ID {
		t.Errorf("%v %+v", err, again)
	}
	tw.as(ownerID, "GET", sub(of+"/"+stored.ID)+vMSI, "").fails(404, "ResourceNotFound", "") // by name only
	tw.as(ownerID, "PUT", path, credentialBody(cognito+"/", "us-east-1:2")).want(200)        // the same again
	tw.as(ownerID, "PUT", sub(of+"/second")+vMSI, credentialBody(cognito+"/", "us-east-1:2")).fails(409, "Conflict", "Issuer and subject combination already exists for this Managed Identity.")
	tw.as(ownerID, "PUT", sub(of+"/second")+vMSI, credentialBody(cognito, "us-east-1:2")).want(201)
	tw.as(ownerID, "PUT", sub(of+"/second")+vMSI, credentialBody(cognito+"/", "us-east-1:2")).fails(409, "Conflict", "")

	page := tw.as(ownerID, "GET", sub(of)+vMSI+"&$top=1", "").want(200).is("value.0.name", "Pool-1", "value.1", "none")
	next, err := url.Parse(page.at("nextLink"))
	if err != nil || next.Query().Get("$top") != "1" {
		t.Fatal(err, next)
	}
	tw.as(ownerID, "GET", next.RequestURI(), "").want(200).is("value.0.name", "second", "value.1", "none", "nextLink", "null")
	tw.as(ownerID, "GET", sub(of)+vMSI+"&$top=0", "").fails(400, "InvalidTopInQueryString", "")

	tw.as(ownerID, "DELETE", strings.Replace(path, "Pool-1", "pool-1", 1), "").want(200)
	tw.as(ownerID, "DELETE", path, "").want(204)
	tw.as(ownerID, "GET", sub(of)+vMSI, "").want(200).is("value.0.name", "second", "value.1", "none")
	tw.as(ownerID, "DELETE", sub(identityPath+"worker")+vMSI, "").want(200)
	if fs, err := tw.Federated.FederatedCredentials(t.Context(), principal); err != nil || len(fs) != 0 {
		t.Errorf("%v %v", err, fs)
	}
}

func TestFederatedCredentialsThatAreRefused(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	tw.group("rg")
	tw.identity("worker").want(201)
	body := func(member, value string) string {
		m := map[string]json.RawMessage{"issuer": json.RawMessage(`"https://i.example"`), "subject": json.RawMessage(`"s"`), "audiences": json.RawMessage(`["a"]`)}
		if m[member] = json.RawMessage(value); value == "" {
			delete(m, member)
		}
		b, _ := json.Marshal(map[string]any{"properties": m})
		return string(b)
	}
	long := `"` + strings.Repeat("é", 601) + `"`
	const missing = "The request format was unexpected. Federated Identity Credential must specify 'issuer', 'subject' and 'audience'."
	for _, c := range []struct{ name, credential, body, code, message string }{
		{"no properties", "good", `{}`, "BadRequest", missing},
		{"no issuer", "good", body("issuer", ""), "BadRequest", missing},
		{"an empty subject", "good", body("subject", `""`), "BadRequest", missing},
		{"no audiences", "good", body("audiences", ""), "BadRequest", missing},
		{"an empty list of audiences", "good", body("audiences", `[]`), "InvalidFederatedIdentityCredentialsAudienceLength", "Federated identity credentials must have exactly 1 audience."},
		{"two audiences", "good", body("audiences", `["a","b"]`), "InvalidFederatedIdentityCredentialsAudienceLength", "Federated identity credentials must have exactly 1 audience."},
		{"an empty audience", "good", body("audiences", `[""]`), "BadRequest", "empty properties"},
		{"an audience that is no list", "good", body("audiences", `"a"`), "InvalidRequestContent", "audiences"},
		{"a long issuer", "good", body("issuer", long), "BadRequest", "'issuer'"},
		{"a long subject", "good", body("subject", long), "BadRequest", "'subject'"},
		{"a wildcard", "good", body("subject", `"repo:o/*"`), "BadRequest", "wildcard"},
		{"an expression", "good", body("claimsMatchingExpression", `{"value":"claims['sub'] eq 'x'","languageVersion":1}`), "NotSupported", "claimsMatchingExpression"},
		{"a name of two characters", "ab", credentialBody("i", "s"), "BadRequest", "Federated Identity Credential name 'ab' is invalid."},
		{"a name of 121 characters", strings.Repeat("a", 121), credentialBody("i", "s"), "BadRequest", "is invalid."},
		{"a name that starts with an underscore", "_ab", credentialBody("i", "s"), "BadRequest", "'_ab'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tw.as(ownerID, "PUT", sub(identityPath+"worker/federatedIdentityCredentials/"+c.credential)+vMSI, c.body).fails(400, c.code, c.message)
		})
	}
	tw.as(ownerID, "PUT", sub(identityPath+"worker/federatedIdentityCredentials/"+strings.Repeat("a", 120))+vMSI, body("subject", `"`+strings.Repeat("é", 600)+`"`)).want(201)
}

// Eight writers fill an identity. Azure refuses concurrent writes, and no more than twenty get through.
func TestNoMoreThanTwentyCredentialsOfAnIdentity(t *testing.T) {
	t.Parallel()
	tw := newTwin(t)
	tw.group("rg")
	tw.identity("busy").want(201)
	of := identityPath + "busy/federatedIdentityCredentials"
	const concurrent = "Too many Federated Identity Credentials are written concurrently for the managed identity '/subscriptions/" + subA +
		"/resourcegroups/rg/providers/microsoft.managedidentity/userassignedidentities/busy'. Concurrent Federated Identity Credentials writes under the same managed identity are not supported."
	var mu sync.Mutex
	made := map[int]int{}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 3 {
				for {
					a := tw.as(ownerID, "PUT", sub(of+fmt.Sprintf("/n-%d-%d", w, i))+vMSI, credentialBody(cognito, fmt.Sprintf("%d-%d", w, i)))
					if a.Code == 409 {
						if a.at("error.code") != "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity" || a.at("error.message") != concurrent {
							t.Errorf("%s", a.Body)
							return
						}
						continue
					}
					mu.Lock()
					made[a.Code]++
					mu.Unlock()
					break
				}
			}
		})
	}
	wg.Wait()
	if made[201] != 20 || made[400] != 4 {
		t.Errorf("answers by status: %v", made)
	}
	tw.as(ownerID, "PUT", sub(of+"/one-more")+vMSI, credentialBody(cognito, "x")).fails(400, "BadRequest", "maximum of 20")
}
