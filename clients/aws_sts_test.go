package clients

import (
	"strings"
	"testing"
)

// chainable is what a role trusts when it may be taken by a user and by its own sessions, tags included.
func chainable(user, role string) string {
	return document(object{"Effect": "Allow", "Principal": object{"AWS": "*"}, "Action": []string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"},
		"Condition": object{"ArnEquals": object{"aws:PrincipalArn": []string{user, role}}}})
}

// boto3 makes sessions of every kind and is refused in STS's own words.
func TestSTSByBoto3(t *testing.T) {
	t.Parallel()
	need(t, boto3)
	var root caller
	n := unique("sts")
	me, roleARN := arnIAM+"user/"+n, arnIAM+"role/"+n
	ann := user(t, root, n, allows("*", "sts:*", "cognito-identity:*"))
	role(t, root, n, chainable(me, roleARN), allows("*", "sts:*"), document(object{
		"Effect": "Allow", "Action": "iam:ListRoles", "Resource": "*", "Condition": object{"StringEquals": object{"aws:PrincipalTag/team": "red"}},
	}))
	out := must[object](t, shared, nil, "/usr/bin/env", "KEY_ID="+ann.id, "SECRET="+ann.secret, "ROLE="+roleARN, "OTHER_ID="+other.id, python, "testdata/sts.py")

	session := func(name string) string { return arnSTS + "assumed-role/" + n + "/" + name }
	refused := func(code, message string) any { return []any{"ClientError", code, message} }
	assume := func(caller, action, resource string) any {
		return refused("AccessDenied", "User: "+caller+" is not authorized to perform: "+action+" on resource: "+resource)
	}
	same(t, "boto3", out, map[string]any{
		"assumed": []any{session("tagged"), "ann", "ASIA", "AROA", true}, "tagged": session("tagged"), "by the tag": true,
		"without the tag": refused("AccessDenied", denied(session("bare"), "iam:ListRoles", arnIAM+"role/")),
		"chained source":  "ann", "by the transitive tag": true,
		"another source identity":       assume(session("tagged"), "sts:SetSourceIdentity", roleARN),
		"a transitive tag again":        refused("InvalidParameterValue", "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session."),
		"a transitive tag that is none": refused("InvalidParameterValue", "The specified transitive tag key must be included in the requested tags."),
		"a tag twice":                   refused("InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive."),
		"too long":                      refused("ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."),
		"a session name":                refused("ValidationError", `1 validation error detected: Value 'a:b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w+=,.@-]*`),
		"no ARN":                        refused("ValidationError", "not-an-arn-but-long-enough is invalid"),
		"no role":                       assume(me, "sts:AssumeRole", roleARN+"-none"),
		"no JSON":                       []any{"MalformedPolicyDocumentException", "MalformedPolicyDocument", "Syntax errors in policy."},
		"within a session policy":       refused("AccessDenied", "User: "+session("small")+" is not authorized to perform: iam:ListRoles on resource: "+arnIAM+"role/ because no session policy allows the iam:ListRoles action"),
		"presigned":                     []any{200, "text/xml", session("tagged")}, "presigned and changed": []any{403, "SignatureDoesNotMatch"},
		"federated": []any{arnSTS + "federated-user/guest", account + ":guest"}, "guest": arnSTS + "federated-user/guest", "what both policies allow": true,
		"what the session policy does not": []any{"ClientError", "AccessDeniedException", "User: " + arnSTS + "federated-user/guest is not authorized to perform: cognito-identity:DescribeIdentityPool on resource: arn:aws:cognito-identity:us-east-1:" + account +
			":identitypool/us-east-1:00000000-0000-0000-0000-000000000000 because no session policy allows the cognito-identity:DescribeIdentityPool action"},
		"IAM by a federated user": refused("InvalidClientTokenId", "The security token included in the request is invalid."),
		"STS by a federated user": refused("AccessDenied", "Cannot call GetSessionToken with session credentials"),
		"key info":                []string{account, account, otherAccount},
	})
	wants(t, "boto3", out, map[string]any{
		"no message.0": "InvalidAuthorizationMessageException", "no message.1": "InvalidAuthorizationMessageException",
	})
}

// The aws command line follows profiles from a user's key over two roles, by its own configuration file.
func TestProfilesOfTheCommandLine(t *testing.T) {
	t.Parallel()
	var root caller
	n := unique("chain")
	first, second, abroad := arnIAM+"role/"+n+"-1", arnIAM+"role/"+n+"-2", "arn:aws:iam::"+otherAccount+":role/"+n
	ann := user(t, root, n, allows(abroad, "sts:AssumeRole"))
	role(t, root, n+"-1", document(object{"Effect": "Allow", "Principal": object{"AWS": arnIAM + "user/" + n}, "Action": "sts:AssumeRole",
		"Condition": object{"StringEquals": object{"sts:ExternalId": "agreed"}}}), allows("*", "sts:AssumeRole"))
	root.do(t, "iam", "update-role", "--role-name", n+"-1", "--max-session-duration", "7200")
	role(t, root, n+"-2", trusts(first))
	role(t, other, n, trusts(arnIAM+"root"))

	profile := func(name, source string, more ...string) string {
		return "[profile " + name + "]\nsource_profile=" + source + "\n" + strings.Join(more, "\n") + "\n"
	}
	config := file(t, "config", profile("first", "ann", "role_arn="+first, "external_id=agreed", "duration_seconds=7200", "role_session_name=one")+
		profile("stranger", "ann", "role_arn="+first, "external_id=other")+
		profile("second", "first", "role_arn="+second, "role_session_name=two")+
		profile("long", "first", "role_arn="+second, "role_session_name=two", "duration_seconds=7200")+
		profile("abroad", "ann", "role_arn="+abroad, "role_session_name=three"))
	credentials := file(t, "credentials", "[ann]\naws_access_key_id="+ann.id+"\naws_secret_access_key="+ann.secret+"\n")
	by := keyless(t, "AWS_CONFIG_FILE="+config, "AWS_SHARED_CREDENTIALS_FILE="+credentials)
	as := func(profile string) []string { return []string{"--profile", profile, "sts", "get-caller-identity"} }

	wants(t, "first", by.do(t, as("first")...), map[string]any{"Arn": arnSTS + "assumed-role/" + n + "-1/one"})
	wants(t, "second", by.do(t, as("second")...), map[string]any{"Arn": arnSTS + "assumed-role/" + n + "-2/two"})
	wants(t, "abroad", by.do(t, as("abroad")...), map[string]any{"Arn": "arn:aws:sts::" + otherAccount + ":assumed-role/" + n + "/three", "Account": otherAccount})
	by.fails(t, "AccessDenied", "User: "+arnIAM+"user/"+n+" is not authorized to perform: sts:AssumeRole on resource: "+first, as("stranger")...)
	by.fails(t, "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.", as("long")...)
	root.do(t, "iam", "delete-user-policy", "--user-name", n, "--policy-name", "p0") // the other account's trust alone is not enough
	fresh := by.with("HOME=" + t.TempDir())                                          // aws has the keys of the first time
	fresh.fails(t, "AccessDenied", "User: "+arnIAM+"user/"+n+" is not authorized to perform: sts:AssumeRole on resource: "+abroad, as("abroad")...)
	root.fails(t, "AccessDenied", "Roles may not be assumed by root accounts.", "sts", "assume-role", "--role-arn", first, "--role-session-name", "root")
}

// curl signs by itself, with temporary keys, GET and POST, for STS and IAM.
func TestCurlSigns(t *testing.T) {
	t.Parallel()
	need(t, curl)
	n := unique("curl")
	var root caller
	ann := user(t, root, n)
	roleARN := role(t, root, n, trusts(arnIAM+"user/"+n), allows("*", "iam:GetRole"))
	k := temporary(ann.do(t, "sts", "assume-role", "--role-arn", roleARN, "--role-session-name", "curl"))
	call := func(service, url string, more ...string) result {
		argv := []string{curl, "-sS", "-w", "\n%{http_code} %header{content-type}", "--aws-sigv4", "aws:amz:us-east-1:" + service, "--user", k.id + ":" + k.secret}
		return shared.exec(t, nil, append(append(argv, more...), url)...)
	}
	token := []string{"-H", "X-Amz-Security-Token: " + k.token}
	for _, c := range []struct {
		name, want, status string
		answer             result
	}{
		{"STS by GET", "<Arn>" + arnSTS + "assumed-role/" + n + "/curl</Arn>", "200 text/xml",
			call("sts", "https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15", token...)},
		{"STS by POST", "<Account>" + account + "</Account>", "200 text/xml",
			call("sts", "https://sts.us-east-1.amazonaws.com/", append(token, "-d", "Action=GetCallerIdentity&Version=2011-06-15")...)},
		{"IAM", "<RoleName>" + n + "</RoleName>", "200 text/xml",
			call("iam", "https://iam.amazonaws.com/", append(token, "-d", "Action=GetRole&Version=2010-05-08&RoleName="+n)...)},
		{"IAM, refused", "<Message>" + denied(arnSTS+"assumed-role/"+n+"/curl", "iam:DeleteRole", "role "+n) + "</Message>", "403 text/xml",
			call("iam", "https://iam.amazonaws.com/", append(token, "-d", "Action=DeleteRole&Version=2010-05-08&RoleName="+n)...)},
		{"without the session token", "<Code>InvalidClientTokenId</Code>", "403 text/xml",
			call("sts", "https://sts.us-east-1.amazonaws.com/", "-d", "Action=GetCallerIdentity&Version=2011-06-15")},
		{"for another service", "<Code>SignatureDoesNotMatch</Code>", "403 text/xml",
			call("sts", "https://iam.amazonaws.com/", append(token, "-d", "Action=GetRole&Version=2010-05-08&RoleName="+n)...)},
		{"an operation that is none", "<Code>InvalidAction</Code>", "400 text/xml",
			call("sts", "https://sts.us-east-1.amazonaws.com/", append(token, "-d", "Action=GetRole&Version=2011-06-15")...)},
	} {
		if c.answer.code != 0 || !strings.Contains(c.answer.stdout, c.want) || !strings.HasSuffix(c.answer.stdout, "\n"+c.status) {
			t.Errorf("%s: exit %d, want %s with %s\n%s%s", c.name, c.answer.code, c.status, c.want, c.answer.stdout, c.answer.stderr)
		}
	}
}

// query calls an operation that the installed clients are too old for, signed by botocore.
func (k caller) query(t *testing.T, service, host string, parameters ...string) object {
	t.Helper()
	need(t, boto3)
	return must[object](t, shared, nil, k.argv(append([]string{python, "testdata/query.py", service, host}, parameters...)...)...)
}

// vend asks for a token that AWS signs, by which an AWS principal shows elsewhere who it is.
func (k caller) vend(t *testing.T, parameters ...string) object {
	t.Helper()
	return k.query(t, "sts", "sts.us-east-1.amazonaws.com", append([]string{"Action=GetWebIdentityToken", "Version=2011-06-15"}, parameters...)...)
}

// outbound turns the account's tokens on or off.
func (k caller) outbound(t *testing.T, action string) object {
	t.Helper()
	return k.query(t, "iam", "iam.amazonaws.com", "Action="+action+"OutboundWebIdentityFederation", "Version=2010-05-08")
}

// The way without a pool: a role in AWS gets a token signed by AWS, and with it az signs in to Entra and reads
// Microsoft Graph.
func TestRolesTokenSignsInToEntra(t *testing.T) {
	t.Parallel()
	need(t, az)
	const exchange = "api://AzureADTokenExchange"
	n := unique("outbound")
	roleARN := "arn:aws:iam::" + otherAccount + ":role/" + n
	ann := user(t, other, n, allows("*", "sts:GetWebIdentityToken"))
	role(t, other, n, trusts("arn:aws:iam::"+otherAccount+":user/"+n), document(object{"Effect": "Allow", "Action": "sts:GetWebIdentityToken", "Resource": "*",
		"Condition": object{"ForAllValues:StringEquals": object{"sts:IdentityTokenAudience": exchange}, "NumericLessThanEquals": object{"sts:DurationSeconds": "300"}}}))
	k := temporary(ann.do(t, "sts", "assume-role", "--role-arn", roleARN, "--role-session-name", "workload"))
	ask := []string{"SigningAlgorithm=RS256", "Audience.member.1=" + exchange}
	wants(t, "while the account's tokens are off", k.vend(t, ask...), map[string]any{"status": 403, "Code": "OutboundWebIdentityFederationDisabledException"})

	on := other.outbound(t, "Enable")
	defer other.outbound(t, "Disable")
	issuer := text(on, "IssuerIdentifier")
	if on["status"] != 200.0 || !strings.HasPrefix(issuer, "https://") || !strings.HasSuffix(issuer, ".tokens.sts.global.api.aws") {
		t.Fatalf("enable: %v", on)
	}
	wants(t, "twice", other.outbound(t, "Enable"), map[string]any{"status": 409, "Code": "FeatureEnabled"})
	refused := k.vend(t, "SigningAlgorithm=RS256", "Audience.member.1=another")
	wants(t, "another audience", refused, map[string]any{"status": 403, "Code": "AccessDenied",
		"Message": denied("arn:aws:sts::"+otherAccount+":assumed-role/"+n+"/workload", "sts:GetWebIdentityToken", "arn:aws:sts::"+otherAccount+":self")})

	header, claims := decode(t, text(k.vend(t, ask...), "WebIdentityToken"))
	wants(t, "header", header, map[string]any{"alg": "RS256", "typ": "JWT", "kid": "RSA_0"})
	wants(t, "claims", claims, map[string]any{"iss": issuer, "aud": exchange, "sub": roleARN, "nbf": nil})
	own, _ := claims["https://sts.amazonaws.com/"].(object)
	same(t, "AWS's claim", own, map[string]any{"aws_account": otherAccount, "source_region": "us-east-1", "principal_id": roleARN})

	admin, workload := session(t.TempDir()), session(t.TempDir())
	admin.login(t, shared.env["AZURE_CLIENT_ID"], shared.env["AZURE_CLIENT_SECRET"])
	app := text(admin.do(t, "ad", "app", "create", "--display-name", n), "appId")
	principal := text(admin.do(t, "ad", "sp", "create", "--id", app), "id")
	admin.do(t, "ad", "app", "federated-credential", "create", "--id", app, "--parameters",
		`{"name":"aws","issuer":"`+issuer+`","subject":"`+roleARN+`","audiences":["`+exchange+`"]}`)
	graph := text(admin.do(t, "ad", "sp", "show", "--id", graphAppID), "id")
	admin.do(t, "rest", "--method", "post", "--url", "https://graph.microsoft.com/v1.0/servicePrincipals/"+principal+"/appRoleAssignments",
		"--body", `{"principalId":"`+principal+`","resourceId":"`+graph+`","appRoleId":"`+applicationReadAll+`"}`)

	login := func(token string) []string {
		return []string{"login", "--service-principal", "-u", app, "-t", tenant, "--allow-no-subscriptions", "--federated-token", token}
	}
	workload.fails(t, "AADSTS700213", login(text(ann.vend(t, ask...), "WebIdentityToken"))...) // the user is another subject
	wants(t, "az login", workload.do(t, login(text(k.vend(t, ask...), "WebIdentityToken"))...), map[string]any{"0.tenantId": tenant, "0.user.name": app})
	wants(t, "Graph", workload.do(t, "rest", "--url", "https://graph.microsoft.com/v1.0/applications?$filter=appId eq '"+app+"'"), map[string]any{"value.0.displayName": n})
}
