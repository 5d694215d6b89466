package clients

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// trusting is a server whose outside issuers an application of Entra trusts, which may read applications; AWS's side is
// each test's own.
type trusting struct {
	*twin
	client      *http.Client
	app, object string // of the application: client id, object id
}

// az runs az as the administrator, or with a folder of its own as somebody else.
func (w trusting) az(t *testing.T, folder string, args ...string) result {
	t.Helper()
	argv := append([]string{az}, args...)
	if folder != "" {
		argv = append([]string{"/usr/bin/env", "AZURE_CONFIG_DIR=" + folder}, argv...)
	}
	return w.exec(t, nil, argv...)
}

// register makes the application with az and has it trust each issuer's workload.
func register(t *testing.T, tw *twin, issuers []outside) trusting {
	t.Helper()
	need(t, az)
	need(t, aws)
	run := func(args ...string) object {
		t.Helper()
		return must[object](t, tw, nil, append([]string{az}, args...)...)
	}
	must[any](t, tw, nil, az, "login", "--service-principal", "-u", tw.env["AZURE_CLIENT_ID"], "-p", tw.env["AZURE_CLIENT_SECRET"], "-t", tw.env["AZURE_TENANT_ID"])
	app := run("ad", "app", "create", "--display-name", "outside both clouds")
	w := trusting{twin: tw, client: through(t, tw), app: text(app, "appId"), object: text(app, "id")}
	principal := text(run("ad", "sp", "create", "--id", w.app), "id")
	for _, o := range issuers {
		b, err := json.Marshal(object{"name": o.name, "issuer": o.url, "subject": o.subject, "audiences": []string{exchange}})
		if err != nil {
			t.Fatal(err)
		}
		wants(t, "federated-credential create", run("ad", "app", "federated-credential", "create", "--id", w.app, "--parameters", string(b)),
			map[string]any{"issuer": o.url, "subject": o.subject, "audiences": []string{exchange}})
	}
	graph := run("ad", "sp", "show", "--id", graphAppID)
	run("rest", "--method", "post", "--url", "https://graph.microsoft.com/v1.0/servicePrincipals/"+principal+"/appRoleAssignments",
		"--body", `{"principalId":"`+principal+`","resourceId":"`+text(graph, "id")+`","appRoleId":"`+applicationReadAll+`"}`)
	return w
}

// trade shows a token to Entra by azidentity, and asks Graph for the application with what it gets.
func (w trusting) trade(t *testing.T, assertion string) error {
	t.Helper()
	c, err := azidentity.NewClientAssertionCredential(w.env["AZURE_TENANT_ID"], w.app, func(context.Context) (string, error) { return assertion, nil },
		&azidentity.ClientAssertionCredentialOptions{ClientOptions: azcore.ClientOptions{Transport: w.client}})
	if err != nil {
		t.Fatal(err)
	}
	token, err := c.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{"https://graph.microsoft.com/.default"}})
	if err != nil {
		return err
	}
	_, claims := decode(t, token.Token)
	wants(t, "Entra's token", claims, map[string]any{"appid": w.app, "appidacr": "2", "roles": []string{"Application.Read.All"}})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://graph.microsoft.com/v1.0/applications/"+w.object, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token.Token)
	resp, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got object
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || resp.StatusCode != http.StatusOK || got["appId"] != w.app {
		t.Errorf("Graph answers %d %v, %v", resp.StatusCode, got, err)
	}
	return nil
}

// refuses trades a token that Entra has to refuse with this code and text.
func (w trusting) refuses(t *testing.T, assertion, code, said string) {
	t.Helper()
	err := w.trade(t, assertion)
	failed := (*azidentity.AuthenticationFailedError)(nil)
	if !errors.As(err, &failed) || failed.RawResponse == nil {
		t.Errorf("Entra was to refuse with AADSTS%s: %v", code, err)
		return
	}
	body, err := io.ReadAll(failed.RawResponse.Body)
	if err != nil {
		t.Fatal(err)
	}
	var got object
	if err := json.Unmarshal(body, &got); err != nil || got["error"] != "invalid_client" || !strings.HasPrefix(text(got, "error_description"), "AADSTS"+code+": "+said+" ") {
		t.Errorf("Entra refuses with %s, want AADSTS%s: %s", body, code, said)
	}
}

// trustedByAWS has IAM trust one workload of an issuer, and gives the role's ARN, the provider as STS names it, and the
// audience as STS sees it. Google is known to AWS without being registered; there the audience is the azp.
func trustedByAWS(t *testing.T, root caller, o outside) (roleARN, provider, audience string) {
	t.Helper()
	_, name, _ := strings.Cut(o.url, "://")
	provider, audience = "accounts.google.com", o.subject
	if o.preset != "google" {
		audience = "sts.amazonaws.com"
		provider = text(root.do(t, "iam", "create-open-id-connect-provider", "--url", o.url, "--client-id-list", audience, "--thumbprint-list", someThumbprint), "OpenIDConnectProviderArn")
		if want := arnIAM + "oidc-provider/" + name; provider != want {
			t.Fatalf("the provider's ARN is %s, want %s", provider, want)
		}
	}
	return role(t, root, "trusts-"+o.name, document(object{
		"Effect": "Allow", "Principal": object{"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity",
		"Condition": object{"StringEquals": object{name + ":aud": audience, name + ":sub": o.subject}},
	})), provider, audience
}

func assumption(roleARN, token string) []string {
	return []string{"sts", "assume-role-with-web-identity", "--role-arn", roleARN, "--role-session-name", "outside", "--web-identity-token", token}
}

const noSuchRecord = "No matching federated identity record found for presented assertion subject '%'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion."

// Whatever product an issuer imitates, both clouds take its token for the workload that they trust, and no stranger's.
func TestEveryOutsideIssuersTokenIsTradedInBothClouds(t *testing.T) {
	t.Parallel()
	tw := withOutsides(t)
	w := register(t, tw, outsides)
	root := caller{at: tw}
	for _, o := range outsides {
		t.Run(o.preset, func(t *testing.T) {
			t.Parallel()
			if err := w.trade(t, mint(t, tw, o.name, o.client, exchange)); err != nil {
				t.Errorf("Entra: %v", err)
			}
			w.refuses(t, mint(t, tw, o.name, o.stranger, exchange), "700213", strings.Replace(noSuchRecord, "%", o.strangeSubject, 1))

			roleARN, provider, audience := trustedByAWS(t, root, o)
			out := root.do(t, assumption(roleARN, mint(t, tw, o.name, o.client, "sts.amazonaws.com"))...)
			wants(t, "AWS", out, map[string]any{"SubjectFromWebIdentityToken": o.subject, "Audience": audience, "Provider": provider,
				"AssumedRoleUser.Arn": arnSTS + "assumed-role/trusts-" + o.name + "/outside"})
			root.fails(t, "AccessDenied", notAuthorized, assumption(roleARN, mint(t, tw, o.name, o.stranger, "sts.amazonaws.com"))...)
		})
	}
	t.Run("az signs in as the workload", func(t *testing.T) {
		t.Parallel()
		w.azSignsIn(t)
	})
	t.Run("a pod's token file", func(t *testing.T) {
		t.Parallel()
		w.podAssumesItself(t)
	})
}

// azSignsIn signs az in with tokens of an enterprise's identity provider and of a job of GitHub's, as azure/login does.
func (w trusting) azSignsIn(t *testing.T) {
	for _, o := range outsides {
		if o.preset != "pingfederate" && o.preset != "github" {
			continue
		}
		folder := t.TempDir()
		login := func(client string) result {
			return w.az(t, folder, "login", "--service-principal", "-u", w.app, "-t", w.env["AZURE_TENANT_ID"], "--allow-no-subscriptions", "--federated-token", mint(t, w.twin, o.name, client, exchange))
		}
		if r := login(o.stranger); r.code != 1 || !strings.Contains(r.stderr, "AADSTS700213: "+strings.Replace(noSuchRecord, "%", o.strangeSubject, 1)) {
			t.Errorf("%s: a stranger's login: exit %d\n%s", o.preset, r.code, r.stderr)
		}
		if r := login(o.client); r.code != 0 {
			t.Errorf("%s: exit %d\n%s", o.preset, r.code, r.stderr)
			continue
		}
		if r := w.az(t, folder, "ad", "app", "show", "--id", w.app, "--query", "id", "--output", "tsv"); strings.TrimSpace(r.stdout) != w.object {
			t.Errorf("%s: exit %d\n%s%s", o.preset, r.code, r.stdout, r.stderr)
		}
	}
}

// podAssumesItself gives aws what EKS gives a pod: a role and the file with the service account's token.
func (w trusting) podAssumesItself(t *testing.T) {
	root := caller{at: w.twin}
	o := outside{preset: "kubernetes", name: "eks", url: "https://oidc.eks.us-east-1.example.com/id/9C8B", subject: "system:serviceaccount:shop:web"}
	declare(t, w.twin, object{"name": o.name, "url": o.url, "preset": o.preset, "clients": []object{{"id": "shop/web"}, {"id": "shop/batch"}}})
	roleARN, _, _ := trustedByAWS(t, root, o)
	for account, want := range map[string]string{"shop/web": arnSTS + "assumed-role/trusts-eks/pod", "shop/batch": ""} {
		pod := keyless(t, "AWS_ROLE_ARN="+roleARN, "AWS_ROLE_SESSION_NAME=pod", "AWS_WEB_IDENTITY_TOKEN_FILE="+file(t, "token", mint(t, w.twin, o.name, account, "sts.amazonaws.com")))
		pod.at = w.twin
		if want == "" {
			pod.fails(t, "AccessDenied", notAuthorized, "sts", "get-caller-identity")
			continue
		}
		pod.is(t, want)
	}
}

// JWT-SVIDs are signed by elliptic keys, as SPIRE does: AWS takes them, Entra takes RSA's alone.
func TestTokensOfEllipticKeysAreForAWSAlone(t *testing.T) {
	t.Parallel()
	tw := shared.another(t, "{}\n")
	o := outside{preset: "spiffe", name: "spire", url: "https://oidc.spire.example.net", client: "web", stranger: "batch",
		attributes: object{"spiffe_id": "spiffe://example.net/web"}, other: object{"spiffe_id": "spiffe://example.net/batch"}, subject: "spiffe://example.net/web"}
	declare(t, tw, o.issuer())
	w := register(t, tw, []outside{o})
	w.refuses(t, mint(t, tw, o.name, o.client, exchange), "5002738", "Invalid JWT token. 'ES256' is not a supported signature algorithm. Supported signing algorithms are: 'RS256,RS384,RS512'")
	root := caller{at: tw}
	roleARN, provider, _ := trustedByAWS(t, root, o)
	token := mint(t, tw, o.name, o.client, "sts.amazonaws.com")
	header, _ := decode(t, token)
	wants(t, "header", header, map[string]any{"alg": "ES256"})
	wants(t, "AWS", root.do(t, assumption(roleARN, token)...), map[string]any{"SubjectFromWebIdentityToken": o.subject, "Provider": provider})
	root.fails(t, "InvalidIdentityToken", notValidated, assumption(roleARN, flip(t, token))...)
}
