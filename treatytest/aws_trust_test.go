package treatytest

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Conditions on tokens: each row is a role's trust policy and the token that comes for it. ISS stands for the
// prefix of the issuer's condition keys.
func TestTrustInTokensReachesAsFarAsItsConditions(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	var attacks []attack
	role := func(name, want, document string, claims m) {
		arn := w.AddRole("t"+raw(len(attacks)), strings.ReplaceAll(strings.ReplaceAll(document, "ISS", w.good.name), "ARN", w.good.arn))
		attacks = append(attacks, attack{name, want, func() error { return w.web(arn, w.good.token(w.Now(), claims)) }})
	}
	on := func(name, want, conditions string, claims m) { role(name, want, admits("ARN", conditions), claims) }
	repo := func(s string) m { return m{"sub": s} }
	on("a pattern with its separator keeps the neighbour out", untrusted, `{"StringLike":{"ISS:sub":"repo:org/*"}}`, repo("repo:org-evil/x:ref:refs/heads/main"))
	on("a pattern without lets the neighbour in, as written", "", `{"StringLike":{"ISS:sub":"repo:org*"}}`, repo("repo:org-evil/x:ref:refs/heads/main"))
	on("a star within spans slashes and colons, as written", "", `{"StringLike":{"ISS:sub":"repo:org/*:ref:refs/heads/main"}}`, repo("repo:org/evil:environment:x:ref:refs/heads/main"))
	on("a question mark is one character", untrusted, `{"StringLike":{"ISS:sub":"repo?"}}`, repo("repo::"))
	on("a star in StringEquals is a star", untrusted, `{"StringEquals":{"ISS:sub":"repo:*"}}`, repo("repo:org"))
	on("a star in the token matches no text", untrusted, `{"StringEquals":{"ISS:sub":"repo:org"}}`, repo("repo:*"))
	on("a variable in the token is not looked up", untrusted, `{"StringEquals":{"ISS:sub":"app"}}`, repo("${ISS:aud}"))
	on("a variable in the policy is", "", `{"StringEquals":{"ISS:sub":"${ISS:aud}"}}`, repo("app"))
	on("an empty subject is no pattern's", untrusted, `{"StringLike":{"ISS:sub":"?*"}}`, repo(""))
	on("values compare with their case", untrusted, `{"StringEquals":{"ISS:sub":"user"}}`, repo("USER"))
	on("unless told otherwise", "", `{"StringEqualsIgnoreCase":{"ISS:sub":"user"}}`, repo("USER"))
	on("which folds letters alone and no look-alikes", untrusted, `{"StringEqualsIgnoreCase":{"ISS:sub":"user"}}`, repo("uſer"))
	on("keys compare without", "", `{"StringEquals":{"`+strings.ToUpper("ISS")+`:SUB":"user"}}`, nil)
	on("without conditions every subject of a private issuer is let in, as written", "", `{}`, repo("anybody"))
	on("all operators must hold", untrusted, `{"StringEquals":{"ISS:sub":"user"},"StringLike":{"ISS:aud":"api*"}}`, nil)
	on("all keys must hold", untrusted, `{"StringEquals":{"ISS:sub":"user","ISS:aud":"second"}}`, nil)
	on("values are alternatives", "", `{"StringEquals":{"ISS:sub":["root","user"]}}`, nil)
	on("an absent key fails", untrusted, `{"StringEquals":{"ISS:email":"a@b"}}`, nil)
	on("an absent key passes IfExists, as written", "", `{"StringEqualsIfExists":{"ISS:email":"a@b"}}`, nil)
	on("a present one does not", untrusted, `{"StringEqualsIfExists":{"ISS:email":"a@b"}}`, m{"email": "evil@b"})
	on("an absent key passes a negation, as written", "", `{"StringNotEquals":{"ISS:email":"evil@b"}}`, nil)
	on("ForAllValues passes on an absent key, as written", "", `{"ForAllValues:StringEquals":{"ISS:amr":"mfa"}}`, nil)
	on("ForAllValues with one bad value fails", untrusted, `{"ForAllValues:StringEquals":{"ISS:amr":"mfa"}}`, m{"amr": []string{"mfa", "pwd"}})
	on("ForAllValues passes on an empty list, as written", "", `{"ForAllValues:StringEquals":{"ISS:amr":"mfa"}}`, m{"amr": []string{}})
	on("and is mended by Null", untrusted, `{"ForAllValues:StringEquals":{"ISS:amr":"mfa"},"Null":{"ISS:amr":"false"}}`, nil)
	on("ForAnyValue fails on an absent key", untrusted, `{"ForAnyValue:StringEquals":{"ISS:amr":"mfa"}}`, nil)
	on("ForAnyValue fails on an absent key, negated too", untrusted, `{"ForAnyValue:StringNotEquals":{"ISS:amr":"pwd"}}`, nil)
	on("a multivalued key without set operator never matches", untrusted, `{"StringEquals":{"ISS:amr":"mfa"}}`, m{"amr": []string{"mfa"}})
	on("nor when negated", untrusted, `{"StringNotEquals":{"ISS:amr":"pwd"}}`, m{"amr": []string{"mfa"}})
	on("nor with IfExists", untrusted, `{"StringEqualsIfExists":{"ISS:amr":"mfa"}}`, m{"amr": []string{"mfa"}})
	on("a claim that is no key is none", untrusted, `{"StringEquals":{"ISS:groups":"admins"}}`, m{"groups": "admins"})
	on("a claim that is called like a key is none", untrusted, `{"StringEquals":{"aws:PrincipalTag/team":"red"}}`, m{"aws:PrincipalTag/team": "red", "PrincipalTag/team": "red"})
	on("a claim that is called like the issuer's key is none", untrusted, `{"StringEquals":{"ISS:sub":"admin"}}`, m{w.good.name + ":sub": "admin", "ISS:sub": "admin"})
	on("the audience of the conditions is the authorized party", untrusted, `{"StringEquals":{"ISS:aud":"second"}}`, m{"aud": "second", "azp": "app"})
	on("and the original one has its own key", "", `{"StringEquals":{"ISS:aud":"app","ISS:oaud":"second"}}`, m{"aud": "second", "azp": "app"})
	on("which is multivalued when it came as a list", untrusted, `{"StringEquals":{"ISS:oaud":"second"}}`, m{"aud": []string{"second"}, "azp": "app"})
	on("another issuer's keys are absent", untrusted, `{"StringEquals":{"`+w.evil.name+`:sub":"user"}}`, nil)
	on("the session's name is the bearer's to choose", "", `{"StringEquals":{"sts:RoleSessionName":"probe"}}`, nil)
	on("another name than the policy's is refused", untrusted, `{"StringEquals":{"sts:RoleSessionName":"alice"}}`, nil)
	on("no principal ARN is there to match", untrusted, `{"ArnLike":{"aws:PrincipalArn":"*"}}`, nil)
	on("the roles claim is evidence only when it is there", untrusted, `{"Bool":{"sts:RoleAuthorizedByIdp":"true"}}`, nil)
	web := `"Action":"sts:AssumeRoleWithWebIdentity"`
	role("everybody of AWS is nobody who brings a token", untrusted, doc(`"Effect":"Allow","Principal":{"AWS":"*"},`+web), nil)
	role("the account is not either", untrusted, doc(`"Effect":"Allow","Principal":{"AWS":"`+home+`"},`+web), nil)
	role("another provider of the same host", untrusted, admits(w.evil.arn, `{}`), nil)
	role("the action of those who sign", untrusted, doc(`"Effect":"Allow","Principal":{"Federated":"ARN"},"Action":"sts:AssumeRole"`), nil)
	role("a pattern of actions", "", doc(`"Effect":"Allow","Principal":{"Federated":"ARN"},"Action":"sts:assume*identity"`), nil)
	role("all actions but one", "", doc(`"Effect":"Allow","Principal":{"Federated":"ARN"},"NotAction":"sts:AssumeRole"`), nil)
	allow := `"Effect":"Allow","Principal":{"Federated":"ARN"},` + web
	role("a deny beside an allow", untrusted, doc(allow, `"Effect":"Deny","Principal":{"Federated":"ARN"},`+web+`,"Condition":{"StringLike":{"ISS:sub":"us*"}}`), nil)
	role("a deny of everybody means those with tokens too", untrusted, doc(allow, `"Effect":"Deny","Principal":{"AWS":"*"},`+web), nil)
	role("a deny of all but the provider", "", doc(allow, `"Effect":"Deny","NotPrincipal":{"Federated":"ARN"},`+web), nil)
	role("a deny of all but another provider", untrusted, doc(allow, `"Effect":"Deny","NotPrincipal":{"Federated":"`+w.evil.arn+`"},`+web), nil)
	role("a deny without tags that the issuer left out", untrusted, doc(allow, `"Effect":"Deny","Principal":{"Federated":"ARN"},`+web+`,"Condition":{"StringNotEquals":{"aws:RequestTag/team":"red"}}`), nil)
	withstand(t, 50, attacks)
}

// Trust policies that would let more in than anybody means are not taken.
func TestTrustPoliciesThatCannotBeMeantAreRefused(t *testing.T) {
	t.Parallel()
	w := newAWSWorld(t)
	w.AddUser("known")
	var attacks []attack
	create := func(name, want, document string) {
		attacks = append(attacks, attack{name, want, func() error {
			_, err := w.iam(w.root).CreateRole(context.Background(), &iam.CreateRoleInput{RoleName: aws.String("r" + raw(len(name))), AssumeRolePolicyDocument: &document})
			return err
		}})
	}
	const malformed = "MalformedPolicyDocument"
	act := `"Action":"sts:AssumeRole"`
	create("everybody, as a bare star", malformed+`: AssumeRolepolicy contained an invalid principal: "STAR":"*".`, doc(`"Effect":"Allow","Principal":"*",`+act))
	create("a wildcard in a user's name", malformed+`: Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:user/*"`, doc(`"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:user/*"},`+act))
	create("a wildcard in a session's name", malformed, doc(`"Effect":"Allow","Principal":{"AWS":"arn:aws:sts::123456789012:assumed-role/x/*"},`+act))
	create("a wildcard for the account", malformed, doc(`"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::*:root"},`+act))
	create("a user that is not there", malformed+`: Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:user/none"`, trusts("arn:aws:iam::123456789012:user/none"))
	create("a user in other letters", malformed+`: Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:user/KNOWN"`, trusts("arn:aws:iam::123456789012:user/KNOWN"))
	create("a role by a user's name", malformed, trusts("arn:aws:iam::123456789012:role/known"))
	create("a group", malformed, trusts("arn:aws:iam::123456789012:group/known"))
	create("all but somebody", malformed, doc(`"Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam::123456789012:user/known"},`+act))
	create("nobody", malformed, doc(`"Effect":"Allow","Principal":{},`+act))
	create("no principal", malformed, doc(`"Effect":"Allow",`+act))
	create("a resource", malformed+": Has prohibited field Resource", doc(`"Effect":"Allow","Principal":{"AWS":"123456789012"},`+act+`,"Resource":"*"`))
	create("another service's action", malformed+": AssumeRole policy may only specify STS AssumeRole actions.", doc(`"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"s3:GetObject"`))
	create("every action", malformed, doc(`"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"*"`))
	create("the effect in small letters", malformed, doc(`"Effect":"allow","Principal":{"AWS":"123456789012"},`+act))
	create("an operator that does not exist", malformed, doc(`"Effect":"Allow","Principal":{"AWS":"123456789012"},`+act+`,"Condition":{"StringEqual":{"sts:ExternalId":"x"}}`))
	create("an element twice", malformed, doc(`"Effect":"Deny","Effect":"Allow","Principal":{"AWS":"123456789012"},`+act))
	create("a condition key twice", malformed, doc(`"Effect":"Allow","Principal":{"AWS":"123456789012"},`+act+`,"Condition":{"StringEquals":{"sts:ExternalId":"x","sts:ExternalId":"y"}}`))
	create("something after the end", malformed+": This policy contains invalid Json", trusts(home)+"{}")
	create("a federation that is no provider", malformed+": Federated principals must be valid domain names or SAML metadata ARNs", admits("arn:aws:iam::123456789012:role/x", `{}`))
	create("Google without an application", malformed, admits("accounts.google.com", `{"StringEquals":{"accounts.google.com:email":"a@b"}}`))
	create("longer than 2048", "LimitExceeded: Cannot exceed quota for ACLSizePerRole: 2048", doc(`"Effect":"Allow","Principal":{"AWS":"123456789012"},`+act+`,"Condition":{"StringEquals":{"sts:ExternalId":"`+strings.Repeat("x", 2100)+`"}}`))
	withstand(t, 20, attacks)
}

// Callers who sign: who must allow, and what names stand for.
func TestRolesAreTakenOnlyByWhomBothSidesLet(t *testing.T) {
	t.Parallel()
	w := newAWSWorld(t)
	ctx := t.Context()
	plain, strong := w.AddUser("plain"), w.AddUser("strong", may("sts:*", "*"))
	barred := w.AddUser("barred", doc(`"Effect":"Deny","Action":"sts:AssumeRole","Resource":"arn:aws:iam::123456789012:role/barred*"`))
	user := func(name string) string { return "arn:aws:iam::" + home + ":user/" + name }
	add := func(name, trust string, policies ...string) string { return w.AddRole(name, trust, policies...) }
	delegated := add("delegated", trusts(home))
	named := add("named", trusts(user("plain")))
	barredRole := add("barred", trusts(user("barred")))
	everybody := add("everybody", trusts("*"))
	byName := add("by-name", doc(`"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:PrincipalArn":"`+user("plain")+`"}}`))
	external := add("external", doc(`"Effect":"Allow","Principal":{"AWS":"`+home+`"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"Secret-1"}}`))
	proved := add("proved", doc(`"Effect":"Allow","Principal":{"AWS":"`+home+`"},"Action":"sts:AssumeRole","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`))
	perhaps := add("perhaps", doc(`"Effect":"Allow","Principal":{"AWS":"`+home+`"},"Action":"sts:AssumeRole","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"true"}}`))
	allBut := add("all-but", doc(`"Effect":"Allow","Principal":{"AWS":"`+home+`"},"Action":"sts:AssumeRole"`, `"Effect":"Deny","NotPrincipal":{"AWS":["`+user("strong")+`","arn:aws:iam::`+home+`:root"]},"Action":"sts:AssumeRole"`))
	member := add("member", trusts(home), may("sts:*", "*"))
	itself := add("itself", trusts(home), may("sts:*", "*"))
	trusting := add("trusting", trusts(home))
	_, err := w.iam(w.root).UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String("trusting"), PolicyDocument: aws.String(doc(
		`"Effect":"Allow","Principal":{"AWS":["` + trusting + `","` + home + `"]},"Action":"sts:AssumeRole"`))})
	w.must(err)
	_, err = w.iam(w.root).UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String("itself"), PolicyDocument: aws.String(trusts(user("strong")))})
	w.must(err)
	session := add("session", trusts("arn:aws:sts::"+home+":assumed-role/member/right"))
	onlyRole := add("only-role", trusts(member))
	foreign := func(name string, policies ...string) aws.Config {
		out := &awsWorld{Treaty: &Treaty{t: w.t, AWSConfig: w.away, HTTPClient: w.HTTPClient, server: w.server}}
		return out.AddUser(name, policies...)
	}
	strangers, partner := foreign("stranger"), foreign("partner", may("sts:AssumeRole", "arn:aws:iam::"+home+":role/cross"))
	cross := add("cross", trusts(away))
	crossNamed := add("cross-named", trusts("arn:aws:iam::"+away+":user/stranger"))
	asMember, asItself, asTrusting := w.assume(strong, member), w.assume(strong, itself), w.assume(strong, trusting)
	right := w.assume(strong, member, func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("right") })
	denied := func(caller, role string) string {
		return "AccessDenied: User: " + caller + " is not authorized to perform: sts:AssumeRole on resource: " + role
	}
	of := func(role string) string { return "arn:aws:sts::" + home + ":assumed-role/" + role }
	id := func(s string) func(*sts.AssumeRoleInput) { return func(in *sts.AssumeRoleInput) { in.ExternalId = &s } }
	withstand(t, 38, []attack{
		{"trust in the account without a policy of the user's", denied(user("plain"), delegated), w.tryAssume(plain, delegated)},
		{"trust in the account with one", "", w.tryAssume(strong, delegated)},
		{"trust in the user alone", "", w.tryAssume(plain, named)},
		{"trust in another user", denied(user("strong"), named), w.tryAssume(strong, named)},
		{"trust in a user whose own policy denies", denied(user("barred"), barredRole), w.tryAssume(barred, barredRole)},
		{"trust in everybody", "", w.tryAssume(plain, everybody)},
		{"trust in everybody from another account without its leave", denied("arn:aws:iam::"+away+":user/stranger", everybody), w.tryAssume(strangers, everybody)},
		{"trust in everybody of one name", "", w.tryAssume(plain, byName)},
		{"and not of another", denied(user("strong"), byName), w.tryAssume(strong, byName)},
		{"an account's root takes no role", "AccessDenied: Roles may not be assumed by root accounts.", w.tryAssume(w.root, delegated)},
		{"nor another account's", "AccessDenied: Roles may not be assumed by root accounts.", w.tryAssume(w.away, cross)},
		{"a role that is not there", denied(user("strong"), delegated+"x"), w.tryAssume(strong, delegated+"x")},
		{"a role in other letters", denied(user("strong"), "arn:aws:iam::"+home+":role/DELEGATED"), w.tryAssume(strong, "arn:aws:iam::"+home+":role/DELEGATED")},
		{"a role behind a path that climbs", denied(user("strong"), "arn:aws:iam::"+home+":role/x/../delegated"), w.tryAssume(strong, "arn:aws:iam::"+home+":role/x/../delegated")},
		{"a pattern for a role", denied(user("strong"), "arn:aws:iam::"+home+":role/deleg*"), w.tryAssume(strong, "arn:aws:iam::"+home+":role/deleg*")},
		{"no external id", denied(user("strong"), external), w.tryAssume(strong, external)},
		{"a wrong external id", denied(user("strong"), external), w.tryAssume(strong, external, id("Secret-2"))},
		{"the external id in other letters", denied(user("strong"), external), w.tryAssume(strong, external, id("secret-1"))},
		{"the external id as a pattern", "ValidationError", w.tryAssume(strong, external, id("Secret-*"))},
		{"the external id", "", w.tryAssume(strong, external, id("Secret-1"))},
		{"a second factor that was not proved", denied(user("strong"), proved), w.tryAssume(strong, proved)},
		{"a second factor if there is word of it: long-term keys have none, as written", "", w.tryAssume(strong, perhaps)},
		{"a role's session has word of it", denied(of("member/probe"), perhaps), w.tryAssume(asMember, perhaps)},
		{"a deny of all but one", "", w.tryAssume(strong, allBut)},
		{"for whom it is no exception", denied(user("plain"), allBut), w.tryAssume(plain, allBut)},
		{"a role does not trust itself by itself", denied(of("itself/probe"), itself), w.tryAssume(asItself, itself)},
		{"but when it says so", "", w.tryAssume(asTrusting, trusting)},
		{"trust in a session", "", w.tryAssume(right, session)},
		{"trust in a session of another name", denied(of("member/probe"), session), w.tryAssume(asMember, session)},
		{"trust in a role", "", w.tryAssume(asMember, onlyRole)},
		{"is none in a user", denied(user("strong"), onlyRole), w.tryAssume(strong, onlyRole)},
		{"is none in another role", denied(of("itself/probe"), onlyRole), w.tryAssume(asItself, onlyRole)},
		{"another account's user with its leave", "", w.tryAssume(partner, cross)},
		{"another account's user without", denied("arn:aws:iam::"+away+":user/stranger", cross), w.tryAssume(strangers, cross)},
		{"another account's user by name without its leave", denied("arn:aws:iam::"+away+":user/stranger", crossNamed), w.tryAssume(strangers, crossNamed)},
		{"another account's leave without trust", denied("arn:aws:iam::"+away+":user/partner", delegated), w.tryAssume(partner, delegated)},
		{"this account's users are not the other's", denied(user("strong"), cross), w.tryAssume(strong, cross)},
		{"a user who was deleted and made again", denied(user("plain"), named), func() error {
			w.must(w.forget("plain"))
			return w.tryAssume(w.AddUser("plain"), named)()
		}},
		{"until the trust policy is written again", "", func() error {
			_, err := w.iam(w.root).UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String("named"), PolicyDocument: aws.String(trusts(user("plain")))})
			w.must(err)
			keys, err := w.iam(w.root).ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: aws.String("plain")})
			w.must(err)
			_, err = w.iam(w.root).DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: aws.String("plain"), AccessKeyId: keys.AccessKeyMetadata[0].AccessKeyId})
			w.must(err)
			key, err := w.iam(w.root).CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String("plain")})
			w.must(err)
			return w.tryAssume(w.As(*key.AccessKey.AccessKeyId, *key.AccessKey.SecretAccessKey, ""), named)()
		}},
		{"a role that was deleted and made again", denied(of("member/probe"), onlyRole), func() error {
			_, err := w.iam(w.root).DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: aws.String("member"), PolicyName: aws.String("policya")})
			w.must(err)
			_, err = w.iam(w.root).DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String("member")})
			w.must(err)
			w.AddRole("member", trusts(home), may("sts:*", "*"))
			return w.tryAssume(w.assume(strong, member), onlyRole)()
		}},
		{"and the old session of its name is nobody's", "InvalidClientTokenId: The security token included in the request is invalid.", w.tryAssume(asMember, delegated)},
		{"the unique id of somebody deleted cannot be trusted anew", "MalformedPolicyDocument", func() error {
			_, err := w.iam(w.root).UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String("named"), PolicyDocument: aws.String(trusts("AROAABCDEFGHIJKLMNOPQ"))})
			return err
		}},
	})
}

// forget deletes a user with keys and policies.
func (w *awsWorld) forget(user string) error {
	ctx, c := context.Background(), w.iam(w.root)
	keys, err := c.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &user})
	if err != nil {
		return err
	}
	for _, k := range keys.AccessKeyMetadata {
		if _, err := c.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &user, AccessKeyId: k.AccessKeyId}); err != nil {
			return err
		}
	}
	policies, err := c.ListUserPolicies(ctx, &iam.ListUserPoliciesInput{UserName: &user})
	if err != nil {
		return err
	}
	for _, p := range policies.PolicyNames {
		if _, err := c.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: &user, PolicyName: &p}); err != nil {
			return err
		}
	}
	_, err = c.DeleteUser(ctx, &iam.DeleteUserInput{UserName: &user})
	return err
}
