package clients

import (
	"path/filepath"
	"strings"
	"testing"
)

// Applications of testdata/seed.yaml: the first two hold app roles of api://aws-v2, the last holds none.
const (
	administrator = "5a3c9f10-0000-4000-8000-0000000000e1"
	reading       = "5a3c9f10-0000-4000-8000-0000000000f1"
	visitor       = "5a3c9f10-0000-4000-8000-0000000000ab"
	readingObject = "5a3c9f10-0000-4000-8000-0000000000f2" // its service principal
)

// entraToken is an application's token for a resource, by a plain POST.
func entraToken(t *testing.T, tw *twin, client, resource string) string {
	t.Helper()
	need(t, curl)
	answer := must[object](t, tw, nil, curl, "-sS", "https://login.microsoftonline.com/"+tenant+"/oauth2/v2.0/token", "-d", "grant_type=client_credentials",
		"-d", "client_id="+client, "-d", "client_secret=not-a-real-secret", "-d", "scope="+resource+"/.default")
	if text(answer, "access_token") == "" {
		t.Fatalf("no token for %s: %v", client, answer)
	}
	return text(answer, "access_token")
}

// The AWS half of article 001: an identity pool maps the roles claim of Entra's tokens to roles of IAM by rules,
// and hands out their keys; to guests and developer identities as well.
func TestIdentityPoolCredentials(t *testing.T) {
	need(t, boto3)
	n := unique("pool")
	arn := provider(t, caller{}, v2Issuer, administrator, reading, visitor)
	_, claims := decode(t, entraToken(t, shared, reading, "api://aws-v2"))
	wants(t, "the reader's token", claims, map[string]any{"iss": v2Issuer, "roles": []string{"Orders.Read"}, "azp": reading})
	out := must[object](t, shared, nil, "/usr/bin/env", "NAME="+n, "ISSUER="+v2Issuer, "PROVIDER="+arn, "ADMIN="+entraToken(t, shared, administrator, "api://aws-v2"),
		"READER="+entraToken(t, shared, reading, "api://aws-v2"), "VISITOR="+entraToken(t, shared, visitor, "api://aws-v2"), python, "testdata/pools.py")

	session := func(role string) string {
		return arnSTS + "assumed-role/" + n + "-" + role + "/CognitoIdentityCredentials"
	}
	roleARN := func(role string) string { return arnIAM + "role/" + n + "-" + role }
	refused := func(code, message string) any { return []any{code, message} }
	unauthorized := func(message string) any { return refused("NotAuthorizedException", message) }
	notMatching := unauthorized("Logins don't match. Please include at least one valid login for this identity or identity pool.")
	unsupported := unauthorized("Token is not from a supported provider of this identity pool.")
	noGuests := unauthorized("Unauthenticated access is not supported for this identity pool.")
	same(t, "boto3", out, map[string]any{
		"without roles":       refused("InvalidIdentityPoolConfigurationException", "Invalid identity pool configuration. Check assigned IAM roles for this pool."),
		"a role that is none": unauthorized("Access to Role '" + roleARN("none") + "' is forbidden."), "mappings": true,

		"guest": session("guest"), "a guest within the limits": 1,
		"a guest outside of the limits":  refused("AccessDenied", "User: "+session("guest")+" is not authorized to perform: iam:ListRoles on resource: "+arnIAM+"role/ because no session policy allows the iam:ListRoles action"),
		"the basic flow beside mappings": refused("InvalidParameterException", "Basic (classic) flow is not supported with RoleMappings, please use enhanced flow."),
		"no guests":                      noGuests, "a guest of before": noGuests,

		"developer tags": object{"principal_tags": object{"tier": []string{"gold"}}}, "developer": session("user"), "a developer identity": 1,
		"with the developer name": refused("InvalidParameterException", "Please provide a valid public provider"), "another's token": notMatching,
		"by STS": arnSTS + "assumed-role/" + n + "-reader/direct", "by its tag": refused("NoSuchEntity", "The user with name "+n+"-none cannot be found."),

		"the same again": true, "logins": []string{strings.TrimPrefix(v2Issuer, "https://")}, "admin": session("admin"), "reader": session("reader"), "admin allowed": 1,
		"reader denied": refused("AccessDenied", denied(session("reader"), "iam:ListRoles", arnIAM+"role/")), "reader by attribute": n + "-1",
		"reader against attribute": refused("AccessDenied", denied(session("reader"), "iam:GetRole", "role "+n+"-admin")),
		"admin as reader":          session("reader"), "reader as admin": unauthorized("Access to Role '" + roleARN("admin") + "' is forbidden."),
		"no rule":                   unauthorized("The ambiguous role mapping rules for: " + arn + " denied this request."),
		"no rule, then that of all": session("user"), "another's identity": notMatching, "another case": unsupported, "a slash more": unsupported,
		"forged": unauthorized("Invalid login token. Couldn't verify signed token."),

		"basic": []any{arnSTS + "assumed-role/" + n + "-guest/basic", "cognito-identity.amazonaws.com", true, true}, "unlimited in the basic flow": 1,
		"the others' role": refused("AccessDenied", notAuthorized),
	})
	wants(t, "boto3", out, map[string]any{"without its token.0": "NotAuthorizedException"})
}

// The aws command line sets a pool up, and a guest's keys do what guests may.
func TestIdentityPoolByTheCommandLine(t *testing.T) {
	t.Parallel()
	var root caller
	n := unique("guests")
	pool := text(root.do(t, "cognito-identity", "create-identity-pool", "--identity-pool-name", n, "--allow-unauthenticated-identities"), "IdentityPoolId")
	trust := document(object{"Effect": "Allow", "Principal": object{"Federated": "cognito-identity.amazonaws.com"}, "Action": "sts:AssumeRoleWithWebIdentity",
		"Condition": object{"StringEquals": object{"cognito-identity.amazonaws.com:aud": pool}}})
	roleARN := role(t, root, n, trust, allows("*", "cognito-identity:ListIdentityPools", "iam:ListRoles"))
	root.do(t, "cognito-identity", "set-identity-pool-roles", "--identity-pool-id", pool, "--roles", "unauthenticated="+roleARN)
	identity := text(root.do(t, "cognito-identity", "get-id", "--identity-pool-id", pool), "IdentityId")
	given := root.do(t, "cognito-identity", "get-credentials-for-identity", "--identity-id", identity)
	wants(t, "get-credentials-for-identity", given, map[string]any{"IdentityId": identity, "Credentials.SecretAccessKey": nil})
	guest := caller{id: text(given, "Credentials.AccessKeyId"), secret: text(given, "Credentials.SecretKey"), token: text(given, "Credentials.SessionToken")}
	me := arnSTS + "assumed-role/" + n + "/CognitoIdentityCredentials"
	guest.is(t, me)
	guest.do(t, "cognito-identity", "list-identity-pools", "--max-results", "1")
	guest.fails(t, "AccessDeniedException", denied(me, "cognito-identity:DeleteIdentityPool", "arn:aws:cognito-identity:us-east-1:"+account+":identitypool/"+pool),
		"cognito-identity", "delete-identity-pool", "--identity-pool-id", pool)
	root.do(t, "iam", "delete-role-policy", "--role-name", n, "--policy-name", "p0")
	root.do(t, "iam", "delete-role", "--role-name", n)
	root.fails(t, "InvalidIdentityPoolConfigurationException", "Invalid identity pool configuration. Check assigned IAM roles for this pool.",
		"cognito-identity", "get-credentials-for-identity", "--identity-id", identity)
}

// The JavaScript SDK's own providers get keys by a pool, by a token and by a chain of roles.
func TestNodeCredentialProviders(t *testing.T) {
	need(t, aws)
	need(t, filepath.Join(shared.node, "node_modules", "@aws-sdk", "credential-providers"))
	var root caller
	n := unique("node")
	arn := provider(t, caller{}, v2Issuer, reading)
	pool := text(root.do(t, "cognito-identity", "create-identity-pool", "--identity-pool-name", n, "--allow-unauthenticated-identities", "--open-id-connect-provider-arns", arn), "IdentityPoolId")
	login := strings.TrimPrefix(v2Issuer, "https://")
	both := `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"cognito-identity.amazonaws.com:aud":"` + pool + `"}}},
		{"Effect":"Allow","Principal":{"Federated":"` + arn + `"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"` + login + `:aud":"` + reading + `","` + login + `:sub":"` + readingObject + `"}}}]}`
	list := allows("*", "cognito-identity:ListIdentityPools", "sts:AssumeRole")
	roleARN := role(t, root, n, both, list)
	second := role(t, root, n+"-2", trusts(roleARN), list)
	root.do(t, "cognito-identity", "set-identity-pool-roles", "--identity-pool-id", pool, "--roles", "unauthenticated="+roleARN+",authenticated="+roleARN)
	out := must[object](t, shared, nil, "/usr/bin/env", "POOL="+pool, "LOGIN="+login, "TOKEN="+entraToken(t, shared, reading, "api://aws-v2"), "ROLE="+roleARN, "SECOND="+second,
		"node", filepath.Join(shared.node, "pool.mjs"))
	done := func(session string) any {
		return []any{"done", "AccessDeniedException: " + denied(arnSTS+"assumed-role/"+session, "cognito-identity:CreateIdentityPool", "*")}
	}
	twice := func(said string) any { return []any{said, said} }
	same(t, "node", out, map[string]any{
		"guest": done(n + "/CognitoIdentityCredentials"), "login": done(n + "/CognitoIdentityCredentials"), "custom": done(n + "/CognitoIdentityCredentials"),
		"forged": twice("NotAuthorizedException: Invalid login token. Couldn't verify signed token."),
		"token":  done(n + "/node"), "chained": done(n + "-2/second"),
		"noToken": twice("InvalidIdentityTokenException: The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"),
	})
}
