package clients

import (
	"strings"
	"testing"
)

const (
	tenant        = "7ea70000-0000-4000-8000-000000000001"
	v1Issuer      = "https://sts.windows.net/" + tenant + "/"
	v2Issuer      = "https://login.microsoftonline.com/" + tenant + "/v2.0"
	notAuthorized = "Not authorized to perform sts:AssumeRoleWithWebIdentity"
	notValidated  = "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for requirements."
)

// federates is a trust policy in one subject and one audience of a provider.
func federates(providerARN, audience, subject string) string {
	_, name, _ := strings.Cut(providerARN, ":oidc-provider/")
	return document(object{
		"Effect": "Allow", "Principal": object{"Federated": providerARN}, "Action": "sts:AssumeRoleWithWebIdentity",
		"Condition": object{"StringEquals": object{name + ":aud": audience, name + ":sub": subject}},
	})
}

// entraApp is what the third article registers in Entra: an audience that stands for AWS, and a workload.
type entraApp struct {
	session                           // az, signed in as the workload
	admin                     session // az, signed in as the administrator
	audience, audienceID      string
	object                    string // of the audience's application
	client, secret, principal string // of the workload
}

func registerEntraApp(t *testing.T) entraApp {
	t.Helper()
	need(t, aws)
	need(t, az)
	e := entraApp{session: session(t.TempDir()), admin: session(t.TempDir()), audience: "api://" + unique("aws")}
	e.admin.login(t, shared.env["AZURE_CLIENT_ID"], shared.env["AZURE_CLIENT_SECRET"])
	api := e.admin.do(t, "ad", "app", "create", "--display-name", "AWS", "--sign-in-audience", "AzureADMyOrg", "--identifier-uris", e.audience)
	e.audienceID, e.object = text(api, "appId"), text(api, "id")
	e.admin.do(t, "ad", "sp", "create", "--id", e.audienceID)
	e.client = text(e.admin.do(t, "ad", "app", "create", "--display-name", unique("workload for AWS")), "appId")
	e.principal = text(e.admin.do(t, "ad", "sp", "create", "--id", e.client), "id")
	e.secret = text(e.admin.do(t, "ad", "app", "credential", "reset", "--id", e.client), "password")
	return e
}

// entraToken signs az in as the workload, which forgets the token that it had, and gets one for the audience.
func (e entraApp) entraToken(t *testing.T) string {
	t.Helper()
	must[any](t, shared, nil, e.argv([]string{"account", "clear"})...)
	e.login(t, e.client, e.secret)
	return text(e.do(t, "account", "get-access-token", "--resource", e.audience), "accessToken")
}

// Article 003 as it stands, with an application's token for the people's: Entra is registered as an OpenID
// Connect provider, a role trusts one subject and one audience of it, and STS trades the token for keys.
func TestArticleEntraAsIdentityProviderOfAWS(t *testing.T) {
	t.Parallel()
	e := registerEntraApp(t)
	var root caller

	// The token is of version 1: its issuer ends in a slash, and aud is what was asked for.
	token := e.entraToken(t)
	_, claims := decode(t, token)
	wants(t, "v1 token", claims, map[string]any{"iss": v1Issuer, "aud": e.audience, "sub": e.principal, "oid": e.principal, "appid": e.client, "azp": nil, "ver": "1.0"})

	registered := root.do(t, "iam", "create-open-id-connect-provider", "--url", v1Issuer, "--client-id-list", e.audience, "--thumbprint-list", strings.ToUpper(someThumbprint), "--tags", "Key=cloud,Value=Azure")
	arn := text(registered, "OpenIDConnectProviderArn")
	defer root.do(t, "iam", "delete-open-id-connect-provider", "--open-id-connect-provider-arn", arn)
	wants(t, "create-open-id-connect-provider", registered, map[string]any{"OpenIDConnectProviderArn": arnIAM + "oidc-provider/sts.windows.net/" + tenant + "/", "Tags.0.Value": "Azure"})
	wants(t, "get-open-id-connect-provider", root.do(t, "iam", "get-open-id-connect-provider", "--open-id-connect-provider-arn", arn), map[string]any{
		"Url": "sts.windows.net/" + tenant + "/", "ClientIDList": []any{e.audience}, "ThumbprintList": []any{someThumbprint}, "Tags.0.Key": "cloud",
	})
	root.fails(t, "EntityAlreadyExists", "Provider with url "+v1Issuer+" already exists.", "iam", "create-open-id-connect-provider", "--url", v1Issuer, "--client-id-list", "x", "--thumbprint-list", someThumbprint)

	name := unique("entra")
	roleARN := role(t, root, name, federates(arn, e.audience, e.principal), allows("*", "iam:GetRole"))
	root.do(t, "iam", "attach-role-policy", "--role-name", name, "--policy-arn", "arn:aws:iam::aws:policy/AmazonCognitoReadOnly")
	wants(t, "list-attached-role-policies", root.do(t, "iam", "list-attached-role-policies", "--role-name", name), map[string]any{
		"AttachedPolicies.0": object{"PolicyName": "AmazonCognitoReadOnly", "PolicyArn": "arn:aws:iam::aws:policy/AmazonCognitoReadOnly"}, "AttachedPolicies.1": nil,
	})

	assume := []string{"sts", "assume-role-with-web-identity", "--role-arn", roleARN, "--role-session-name", "app", "--web-identity-token"}
	out := root.do(t, append(assume, "file://"+file(t, "jwt", token), "--duration-seconds", "900")...)
	wants(t, "assume-role-with-web-identity", out, map[string]any{
		"SubjectFromWebIdentityToken": e.principal, "Audience": e.audience, "Provider": arn, "AssumedRoleUser.Arn": arnSTS + "assumed-role/" + name + "/app",
	})
	asRole := temporary(out)
	if !strings.HasPrefix(asRole.id, "ASIA") || asRole.token == "" {
		t.Errorf("temporary keys begin with ASIA and have a session token: %q, %q", asRole.id, asRole.token)
	}
	e.usesTheRole(t, asRole, name)
	e.toolsAssumeThemselves(t, roleARN, name, token)
	e.wrongTokensAreRefused(t, assume, name, token)
	t.Run("a token of version 2", e.secondVersion)
}

// usesTheRole calls what the role's policies allow, and what none does.
func (e entraApp) usesTheRole(t *testing.T, asRole caller, name string) {
	me := arnSTS + "assumed-role/" + name + "/app"
	asRole.is(t, me)
	wants(t, "by the inline policy", asRole.do(t, "iam", "get-role", "--role-name", name), map[string]any{"Role.RoleName": name})
	asRole.do(t, "cognito-identity", "list-identity-pools", "--max-results", "1") // by the attached policy
	asRole.fails(t, "AccessDenied", denied(me, "iam:DeleteRole", "role "+name), "iam", "delete-role", "--role-name", name)
	asRole.fails(t, "AccessDeniedException", denied(me, "cognito-identity:CreateIdentityPool", "*"),
		"cognito-identity", "create-identity-pool", "--identity-pool-name", "x", "--no-allow-unauthenticated-identities")
	stolen := asRole
	stolen.token = ""
	stolen.fails(t, "InvalidClientTokenId", "The security token included in the request is invalid.", "sts", "get-caller-identity")
}

// toolsAssumeThemselves gives aws and boto3 the token's file and the role, as a container platform would.
func (e entraApp) toolsAssumeThemselves(t *testing.T, roleARN, name, token string) {
	byFile := keyless(t, "AWS_ROLE_ARN="+roleARN, "AWS_WEB_IDENTITY_TOKEN_FILE="+file(t, "token", token), "AWS_ROLE_SESSION_NAME=by-file")
	byFile.is(t, arnSTS+"assumed-role/"+name+"/by-file")
	need(t, boto3)
	const script = `import boto3, json; s = boto3.Session(); c = s.get_credentials()
print(json.dumps({"arn": s.client("sts").get_caller_identity()["Arn"], "method": c.method, "id": c.access_key, "role": s.client("iam").get_role(RoleName="` + "%NAME%" + `")["Role"]["Arn"]}))`
	out := must[object](t, shared, nil, byFile.argv(python, "-c", strings.ReplaceAll(script, "%NAME%", name))...)
	wants(t, "boto3", out, map[string]any{"arn": arnSTS + "assumed-role/" + name + "/by-file", "method": "assume-role-with-web-identity", "role": roleARN})

	missing := keyless(t, "AWS_ROLE_ARN="+roleARN+"-not", "AWS_WEB_IDENTITY_TOKEN_FILE="+file(t, "token", token))
	missing.fails(t, "AccessDenied", notAuthorized, "sts", "get-caller-identity")
}

// wrongTokensAreRefused tries what a thief or a typo would.
func (e entraApp) wrongTokensAreRefused(t *testing.T, assume []string, name, token string) {
	var root caller
	parts := strings.Split(token, ".")
	flipped := "A" + parts[2][1:]
	if parts[2][0] == 'A' {
		flipped = "B" + parts[2][1:]
	}
	root.fails(t, "InvalidIdentityToken", notValidated, append(assume, parts[0]+"."+parts[1]+"."+flipped)...)
	root.fails(t, "InvalidIdentityToken", "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)", append(assume, "undefined")...)

	arn := arnIAM + "oidc-provider/sts.windows.net/" + tenant + "/"
	root.do(t, "iam", "update-assume-role-policy", "--role-name", name, "--policy-document", federates(arn, e.audience, e.client)) // the client's id is not the subject
	r := root.run(t, append(assume, token)...)
	if r.code != 254 || !strings.Contains(r.stderr, "An error occurred (AccessDenied) when calling the AssumeRoleWithWebIdentity operation: "+notAuthorized) {
		t.Errorf("a wrong subject: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	root.do(t, "iam", "remove-client-id-from-open-id-connect-provider", "--open-id-connect-provider-arn", arn, "--client-id", e.audience)
	root.fails(t, "InvalidIdentityToken", notValidated, append(assume, token)...)
	root.do(t, "iam", "add-client-id-to-open-id-connect-provider", "--open-id-connect-provider-arn", arn, "--client-id", e.audience)
	e.explained(t, arnIAM+"role/"+name, token)
}

// explained asks treaty why the role's trust refuses the token.
func (e entraApp) explained(t *testing.T, roleARN, token string) {
	told := shared.exec(t, nil, shared.bin, "explain", "aws", "--data", shared.data, "--token", file(t, "jwt", token), "--role", roleARN)
	if told.code != 10 {
		t.Errorf("explain: exit %d, want 10\n%s%s", told.code, told.stdout, told.stderr)
	}
	for _, want := range []string{"sts.windows.net/" + tenant + "/:sub", e.client, e.principal} {
		if !strings.Contains(told.stdout, want) {
			t.Errorf("explain does not say %q:\n%s", want, told.stdout)
		}
	}
}

// secondVersion has the audience's application ask for tokens of version 2, in which azp says for whom the
// token was made: STS takes it for the audience.
func (e entraApp) secondVersion(t *testing.T) {
	var root caller
	// az 2.45 cannot: "az ad app update --set api.requestedAccessTokenVersion=2" finds no api in an empty object.
	e.admin.do(t, "rest", "--method", "patch", "--url", "https://graph.microsoft.com/v1.0/applications/"+e.object, "--body", `{"api":{"requestedAccessTokenVersion":2}}`)
	token := e.entraToken(t)
	_, claims := decode(t, token)
	wants(t, "v2 token", claims, map[string]any{"iss": v2Issuer, "aud": e.audienceID, "sub": e.principal, "azp": e.client, "appid": nil, "ver": "2.0"})

	arn := provider(t, root, v2Issuer, e.audienceID)
	name := unique("entra-v2")
	roleARN := role(t, root, name, federates(arn, e.client, e.principal))
	assume := []string{"sts", "assume-role-with-web-identity", "--role-arn", roleARN, "--role-session-name", "app", "--web-identity-token", token}
	root.fails(t, "InvalidIdentityToken", notValidated, assume...) // aud is registered, azp is not
	root.do(t, "iam", "add-client-id-to-open-id-connect-provider", "--open-id-connect-provider-arn", arn, "--client-id", e.client)
	out := root.do(t, assume...)
	wants(t, "assume-role-with-web-identity", out, map[string]any{"Audience": e.client, "Provider": arn, "SubjectFromWebIdentityToken": e.principal})
	temporary(out).is(t, arnSTS+"assumed-role/"+name+"/app")

	// The first audience is another key: login.microsoftonline.com/TENANT/v2.0:oaud.
	_, key, _ := strings.Cut(arn, ":oidc-provider/")
	root.do(t, "iam", "update-assume-role-policy", "--role-name", name, "--policy-document", document(object{
		"Effect": "Allow", "Principal": object{"Federated": arn}, "Action": "sts:AssumeRoleWithWebIdentity",
		"Condition": object{"StringEquals": object{key + ":aud": e.client, key + ":oaud": e.audienceID}},
	}))
	wants(t, "by oaud", root.do(t, assume...), map[string]any{"Audience": e.client})
	root.do(t, "iam", "update-assume-role-policy", "--role-name", name, "--policy-document", federates(arn, e.audienceID, e.principal))
	root.fails(t, "AccessDenied", notAuthorized, assume...)
}
