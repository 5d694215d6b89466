// Package demo carries out the flows that Treaty is for, with the real SDK clients, against a server in
// the same process, and tells each step: what was asked, the decoded tokens, and the decision behind the
// answer.
//
// It owns the telling and the flows, one file a flow. The server is handed in; nothing here reaches past
// what any client can see, except for the explanation of an answer.
package demo

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/treatyfed/treaty/explain"
)

// Stage is where a flow plays: a server, by the clients that reach it.
type Stage struct {
	Out    io.Writer
	JSON   bool // one JSON object a step instead of text
	Colour bool

	Client                 *http.Client // reaches the clouds' names, and finds Treaty there
	AWS                    aws.Config   // the account's administrator
	TenantID, Subscription string
	AdminID, AdminSecret   string // the tenant's administrator
	GraphURL, ARMURL       string
	// Explain tells why the request with this id was answered as it was.
	Explain func(ctx context.Context, id string) (explain.Report, error)
	// Control calls the server's own control interface: method, path, JSON in and out.
	Control func(ctx context.Context, method, path string, in, out any) error
	// NewID makes a GUID.
	NewID func() string

	step int
}

// Step is one thing done and told.
type Step struct {
	Number int            `json:"step"`
	Did    string         `json:"did"`
	Shown  map[string]any `json:"shown,omitempty"`
}

// tell prints a step: what was done, then the values worth seeing, by name.
func (s *Stage) tell(did string, shown ...any) error {
	s.step++
	if s.JSON {
		step := Step{Number: s.step, Did: did, Shown: map[string]any{}}
		for i := 0; i+1 < len(shown); i += 2 {
			step.Shown[shown[i].(string)] = shown[i+1]
		}
		return json.NewEncoder(s.Out).Encode(step)
	}
	title := fmt.Sprintf("%d. %s", s.step, did)
	if s.Colour {
		title = "\x1b[1m" + title + "\x1b[0m"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n", title)
	for i := 0; i+1 < len(shown); i += 2 {
		switch v := shown[i+1].(type) {
		case string:
			fmt.Fprintf(&b, "   %-13s %s\n", shown[i], v)
		case explain.Report:
			var t strings.Builder
			if err := (explain.Text{Colour: s.Colour}).Write(&t, v); err != nil {
				return err
			}
			fmt.Fprintf(&b, "   %s\n%s", shown[i], indent(t.String(), "      "))
		default:
			text, err := json.MarshalIndent(v, "   ", "  ")
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "   %s %s\n", shown[i], text)
		}
	}
	_, err := io.WriteString(s.Out, b.String())
	return err
}

func indent(text, by string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.TrimSpace(line) != "" {
			b.WriteString(by)
		}
		b.WriteString(line)
	}
	return b.String()
}

// options makes azidentity talk through the stage's client, with everything else as it is by default.
func (s *Stage) options() azcore.ClientOptions {
	return azcore.ClientOptions{Transport: s.Client, Retry: policy.RetryOptions{MaxRetries: -1}}
}

// adminToken is the tenant's administrator's access token of a resource, by client secret.
func (s *Stage) adminToken(ctx context.Context, resource string) (string, error) {
	c, err := azidentity.NewClientSecretCredential(s.TenantID, s.AdminID, s.AdminSecret, &azidentity.ClientSecretCredentialOptions{ClientOptions: s.options()})
	if err != nil {
		return "", err
	}
	return accessToken(ctx, c, resource)
}

// accessToken asks a credential for a token of resource.
func accessToken(ctx context.Context, c azcore.TokenCredential, resource string) (string, error) {
	t, err := c.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{strings.TrimSuffix(resource, "/") + "/.default"}})
	return t.Token, err
}

// call sends JSON with a bearer token and decodes the answer, whatever its status.
func (s *Stage) call(ctx context.Context, bearer, method, url string, body any) (status int, answer map[string]any, err error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, r)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Content-Type", "application/json")
	res, err := s.Client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusNoContent {
		return res.StatusCode, nil, nil
	}
	err = json.NewDecoder(io.LimitReader(res.Body, 1<<20)).Decode(&answer)
	return res.StatusCode, answer, err
}

// do is call for an answer that has to be a success.
func (s *Stage) do(ctx context.Context, bearer, method, url string, body any) (map[string]any, error) {
	status, answer, err := s.call(ctx, bearer, method, url, body)
	if err == nil && status/100 != 2 {
		err = fmt.Errorf("%s %s: %d %v", method, url, status, answer)
	}
	return answer, err
}

// register creates an application with its service principal.
func (s *Stage) register(ctx context.Context, bearer string, body map[string]any) (map[string]any, error) {
	app, err := s.do(ctx, bearer, "POST", s.GraphURL+"/v1.0/applications", body)
	if err != nil {
		return nil, err
	}
	sp, err := s.do(ctx, bearer, "POST", s.GraphURL+"/v1.0/servicePrincipals", map[string]any{"appId": text(app, "appId")})
	if err != nil {
		return nil, err
	}
	app["principal"] = sp["id"]
	return app, nil
}

// trade has azidentity trade an application's assertion for a token of resource, as a production workload
// would.
func (s *Stage) trade(ctx context.Context, tenant, app string, assertion func(context.Context) (string, error), resource string) (string, error) {
	c, err := azidentity.NewClientAssertionCredential(tenant, app, assertion, &azidentity.ClientAssertionCredentialOptions{ClientOptions: s.options()})
	if err != nil {
		return "", err
	}
	return accessToken(ctx, c, resource)
}

// refusal explains an exchange that azidentity reports as refused, by the id in its message.
func (s *Stage) refusal(ctx context.Context, err error) (id string, r explain.Report, _ error) {
	var failed *azidentity.AuthenticationFailedError
	if !errors.As(err, &failed) {
		return "", r, fmt.Errorf("the exchange should have been refused, got %v", err)
	}
	_, after, _ := strings.Cut(failed.Error(), "Trace ID: ")
	id, _, _ = strings.Cut(after, " ")
	r, err = s.Explain(ctx, id)
	return id, r, err
}

// token is a decoded token, for telling: times are shown as such.
func decoded(raw string) (map[string]any, error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("not a token: %d parts", len(parts))
	}
	out := map[string]any{}
	for i, name := range []string{"header", "claims"} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return nil, err
		}
		var m map[string]any
		if err := json.Unmarshal(b, &m); err != nil {
			return nil, err
		}
		for _, t := range []string{"iat", "nbf", "exp"} {
			if v, ok := m[t].(float64); ok {
				m[t] = time.Unix(int64(v), 0).UTC().Format(time.RFC3339)
			}
		}
		out[name] = m
	}
	return out, nil
}

func text(m map[string]any, name string) string { s, _ := m[name].(string); return s }
