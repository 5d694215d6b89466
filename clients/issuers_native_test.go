package clients

import (
	"encoding/json"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
)

const kubectl = "/usr/bin/kubectl"

// needNode skips the test when a package of clients/node is not installed.
func needNode(t *testing.T, name string) {
	t.Helper()
	need(t, filepath.Join(shared.node, "node_modules", filepath.FromSlash(name)))
}

// A step of a workflow asks the runner for its job's token, by @actions/core and by nothing but the two variables
// that a runner sets.
func TestAJobOfGitHubGetsItsTokenByActionsCore(t *testing.T) {
	t.Parallel()
	needNode(t, "@actions/core")
	tw := shared.another(t, "{}\n")
	made := order[object](t, tw, "issuer", "create", "-f", file(t, "github.json", `{"name": "ci", "preset": "github", "clients": [{"id": "deploy",
		"attributes": {"repository": "octo/shop", "environment": "prod", "run_id": "4711", "actor": "ada"}}]}`))
	secret := text(made, "clients.0.secret")
	ctx, p := discovered(t, through(t, tw), githubIssuer)
	for name, base := range map[string]string{"by the issuer's own name": githubIssuer, "by its name here": text(made, "endpoint")} {
		r := tw.exec(t, []string{"ACTIONS_ID_TOKEN_REQUEST_URL=" + base + "/idtoken?api-version=2.0", "ACTIONS_ID_TOKEN_REQUEST_TOKEN=" + secret}, "node", filepath.Join(tw.node, "runner.mjs"))
		lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
		var out object
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &out); err != nil || r.code != 0 {
			t.Errorf("%s: exit %d, %v\n%s%s", name, r.code, err, r.stdout, r.stderr)
			continue
		}
		if !strings.Contains(r.stdout, "::add-mask::"+text(out, "chosen")) {
			t.Errorf("%s: the runner is not told to mask the token:\n%s", name, r.stdout)
		}
		for asked, audience := range map[string]string{"chosen": exchange, "strange": "sts.amazonaws.com & more?", "none": "https://github.com/octo"} {
			if _, err := p.VerifierContext(ctx, &oidc.Config{ClientID: audience}).Verify(ctx, text(out, asked)); err != nil {
				t.Errorf("%s, audience %q: %v", name, audience, err)
				continue
			}
			header, claims := decode(t, text(out, asked))
			wants(t, name, claims, map[string]any{"sub": "repo:octo/shop:environment:prod", "aud": audience, "repository": "octo/shop", "repository_owner": "octo",
				"environment": "prod", "run_id": "4711", "actor": "ada", "ref": "refs/heads/main", "event_name": "push", "runner_environment": "github-hosted"})
			if header["x5t"] == nil || claims["exp"].(float64)-claims["iat"].(float64) != 300 {
				t.Errorf("%s: header %v, claims %v", name, header, claims)
			}
		}
		if said := text(out, "refused"); !strings.Contains(said, "Error Code : 401") || !strings.Contains(said, "Failed to get ID Token") {
			t.Errorf("%s: a wrong request token: %q", name, said)
		}
	}
}

// kubeAPI is a cluster as a kubeconfig names it, and the path that its server's URL has.
type kubeAPI struct{ config, path string }

// cluster is an issuer with the service account shop/web, as two kubeconfigs: one goes by the proxy, under the issuer's
// own name, the other to the server's own address.
func cluster(t *testing.T, tw *twin, issuer string) map[string]kubeAPI {
	t.Helper()
	secret := declare(t, tw, object{"name": "cluster", "preset": "kubernetes", "url": issuer, "clients": []object{{"id": "shop/web"}, {"id": "shop/batch"}}})["cluster/shop/web"]
	endpoint := text(order[object](t, tw, "issuer", "show", "cluster"), "endpoint")
	configs := map[string]kubeAPI{}
	for name, c := range map[string]object{
		"under the issuer's own name": {"server": issuer, "proxy-url": tw.env["HTTPS_PROXY"]},
		"at the server's own address": {"server": endpoint},
	} {
		c["certificate-authority"] = tw.env["NODE_EXTRA_CA_CERTS"]
		b, err := json.Marshal(object{"apiVersion": "v1", "kind": "Config", "current-context": "c",
			"clusters": []object{{"name": "c", "cluster": c}}, "contexts": []object{{"name": "c", "context": object{"cluster": "c", "user": "web"}}},
			"users": []object{{"name": "web", "user": object{"token": secret}}}})
		if err != nil {
			t.Fatal(err)
		}
		at, err := url.Parse(text(c, "server"))
		if err != nil {
			t.Fatal(err)
		}
		configs[name] = kubeAPI{file(t, "kubeconfig", string(b)), at.Path} // JSON is YAML
	}
	return configs
}

// A service account asks for tokens of its own, by @kubernetes/client-node and by kubectl; they verify from the
// cluster's discovery.
func TestAServiceAccountGetsItsTokenByKubernetesClients(t *testing.T) {
	t.Parallel()
	needNode(t, "@kubernetes/client-node")
	need(t, kubectl)
	const issuer = "https://kube.example.com"
	tw := shared.another(t, "{}\n")
	configs := cluster(t, tw, issuer)
	ctx, p := discovered(t, through(t, tw), issuer)
	v := p.VerifierContext(ctx, &oidc.Config{ClientID: "sts.amazonaws.com"})
	for name, api := range configs {
		env := []string{"KUBECONFIG=" + api.config, "HOME=" + t.TempDir()}
		out := must[object](t, tw, env, "node", filepath.Join(tw.node, "kubernetes.mjs"))
		wants(t, name, out, map[string]any{
			"own.kind": "TokenRequest", "own.metadata.name": "web", "own.metadata.namespace": "shop", "own.spec.expirationSeconds": 900, "own.spec.audiences": []string{"sts.amazonaws.com"},
			"bound.spec.boundObjectRef.name": "web-0", "short.code": 422, "short.body.reason": "Invalid", "another.code": 403, "another.body.reason": "Forbidden",
			"another.body.message": forbidden,
		})
		tokens := kubectlTokens(t, tw, env, api)
		tokens["client-node"], tokens["client-node, bound to a pod"] = text(out, "own.status.token"), text(out, "bound.status.token")
		for asked, token := range tokens {
			if _, err := v.Verify(ctx, token); err != nil {
				t.Errorf("%s, %s: %v", name, asked, err)
				continue
			}
			_, claims := decode(t, token)
			pod := any(nil)
			if strings.HasSuffix(asked, "bound to a pod") {
				pod = object{"name": "web-0", "uid": "5a3c9f10-0000-4000-8000-0000000000f0"}
			}
			wants(t, asked, claims, map[string]any{"sub": "system:serviceaccount:shop:web", "aud": []string{"sts.amazonaws.com"}})
			wants(t, asked, claims["kubernetes.io"], map[string]any{"namespace": "shop", "serviceaccount.name": "web", "pod": pod})
		}
	}
}

const forbidden = `serviceaccounts "batch" is forbidden: User "system:serviceaccount:shop:web" cannot create resource "serviceaccounts/token" in API group "" in the namespace "shop"`

// kubectlTokens are tokens by kubectl: Debian's 1.20 posts a request; "create token" came with 1.24. What --raw names
// replaces the path of the server's URL.
func kubectlTokens(t *testing.T, tw *twin, env []string, api kubeAPI) map[string]string {
	t.Helper()
	request := file(t, "request.json", `{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["sts.amazonaws.com"], "expirationSeconds": 900}}`)
	raw := func(account string) []string {
		return []string{kubectl, "create", "--raw", api.path + "/api/v1/namespaces/shop/serviceaccounts/" + account + "/token", "-f", request}
	}
	tokens := map[string]string{"kubectl --raw": text(must[object](t, tw, env, raw("web")...), "status.token")}
	if r := tw.exec(t, env, raw("batch")...); r.code != 1 || strings.TrimSpace(r.stderr) != "Error from server (Forbidden): "+forbidden {
		t.Errorf("kubectl for another account: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	r := tw.exec(t, env, kubectl, "create", "token", "web", "--namespace", "shop", "--audience", "sts.amazonaws.com")
	switch {
	case r.code == 0:
		tokens["kubectl create token"] = strings.TrimSpace(r.stdout)
	case !strings.Contains(r.stderr, "unknown flag: --audience"):
		t.Errorf("kubectl create token: exit %d\n%s", r.code, r.stderr)
	}
	return tokens
}

// A machine of Google's gets its identity token by Google's own libraries, which find the metadata server by
// GCE_METADATA_HOST or where it always is, and that way through the proxy.
func TestAMachineOfGooglesGetsItsTokenByGooglesLibraries(t *testing.T) {
	t.Parallel()
	needNode(t, "google-auth-library")
	need(t, "/usr/lib/python3/dist-packages/google/auth")
	tw := shared.another(t, "{}\n")
	declare(t, tw, object{"name": "google", "preset": "google", "clients": []object{{"id": "default", "attributes": object{
		"unique_id": "112233445566778899001", "project_id": "shop-1", "instance_name": "web-1", "zone": "europe-west1-b"}}}})
	ctx, p := discovered(t, through(t, tw), "https://accounts.google.com")
	host := strings.TrimPrefix(tw.env["HTTPS_PROXY"], "http://")
	const email = "default@shop-1.iam.gserviceaccount.com"
	for name, env := range map[string][]string{
		"by GCE_METADATA_HOST":     {"GCE_METADATA_HOST=" + host, "GCE_METADATA_ROOT=" + host, "GCE_METADATA_IP=" + host},
		"at the machine's network": {"METADATA_SERVER_DETECTION=ping-only"},
	} {
		env = append(env, "HOME="+t.TempDir(), "CLOUDSDK_CONFIG="+t.TempDir())
		js := must[object](t, tw, env, "node", filepath.Join(tw.node, "google.mjs"))
		wants(t, name+", google-auth-library", js, map[string]any{"available": true, "project": "shop-1", "account.email": email, "noAudience.status": 400, "stranger.status": 404,
			"verified.sub": "112233445566778899001", "unverified.sub": nil})
		bearer, isBearer := strings.CutPrefix(text(js, "authorization"), "Bearer ")
		if !isBearer {
			t.Errorf("%s: the client authorizes by %q", name, text(js, "authorization"))
		}
		py := must[object](t, tw, env, python, "testdata/issuers_google.py")
		wants(t, name+", google-auth", py, map[string]any{"found": true, "credentials": "google.auth.compute_engine.credentials", "project": "shop-1",
			"account.email": email, "account.aliases": []string{"default"}, "noAudience": 400, "verified.sub": "112233445566778899001"})
		for who, token := range map[string]string{"google-auth-library": bearer, "google-auth": text(py, "token"), "gcp-metadata": text(js, "standard")} {
			if _, err := p.VerifierContext(ctx, &oidc.Config{ClientID: "https://audience.example"}).Verify(ctx, token); err != nil {
				t.Errorf("%s, %s: %v", name, who, err)
				continue
			}
			_, claims := decode(t, token)
			wants(t, who, claims, map[string]any{"sub": "112233445566778899001", "azp": "112233445566778899001", "email": email, "email_verified": true})
			machine := any(nil)
			if who != "gcp-metadata" {
				machine = "web-1"
			}
			wants(t, who, claims, map[string]any{"google.compute_engine.instance_name": machine})
		}
	}
}
