package treatytest

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/explain"
)

// Every surface's refusals can be explained by the request id that the answer names.
func TestRefusalsOfEverySurfaceAreExplained(t *testing.T) {
	t.Parallel()
	tt := New(t)
	app := tt.AddApplication("nobody")
	secret := tt.AddSecret(app)
	bearer := func(resource string) string {
		c := *tt
		c.AdminClientID, c.AdminSecret = app.ClientID, secret
		return c.AdminToken(resource)
	}
	failed := func(r explain.Report, code, check string) {
		t.Helper()
		var names []string
		for _, s := range r.Sections {
			for _, c := range s.Checks {
				if !c.OK {
					names = append(names, c.Name)
				}
			}
		}
		if r.Pass || r.Answer.Code != code || !strings.Contains(strings.Join(names, ","), check) {
			t.Errorf("pass %v, code %s, failed checks %v; want %s by %s", r.Pass, r.Answer.Code, names, code, check)
		}
	}

	id := refusedRequest(t, tt, tt.ARMURL+"/subscriptions/"+tt.SubscriptionID+"/resourceGroups?api-version=2021-04-01", bearer(tt.ARMURL), "x-ms-request-id")
	if r := tt.Explain(id); r.Pass || r.Answer.Code != "AuthorizationFailed" {
		t.Errorf("ARM: %+v", r)
	}
	id = refusedRequest(t, tt, tt.GraphURL+"/v1.0/applications", bearer(tt.GraphURL), "request-id")
	failed(tt.Explain(id), "Authorization_RequestDenied", "permission")

	wrong := tt.AWSConfig.Copy()
	key, err := tt.AWSConfig.Credentials.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wrong.Credentials = credentials.NewStaticCredentialsProvider(key.AccessKeyID, "not the secret", "")
	_, err = sts.NewFromConfig(wrong).GetCallerIdentity(t.Context(), nil)
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) {
		t.Fatal(err)
	}
	failed(tt.Explain(answer.RequestID), "SignatureDoesNotMatch", "signature")
}

// refusedRequest sends a GET that must be refused with 403 and returns the request id that the header names.
func refusedRequest(t *testing.T, tt *Treaty, url, bearer, header string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	res, err := tt.HTTPClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusForbidden || res.Header.Get(header) == "" {
		t.Fatalf("%s: %s, %s %q", url, res.Status, header, res.Header.Get(header))
	}
	return res.Header.Get(header)
}
