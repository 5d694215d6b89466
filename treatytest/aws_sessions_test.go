package treatytest

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
)

// getRole and listPools are the things that sessions are asked to do: one of IAM, one of another service.
func (w *awsWorld) getRole(c aws.Config, name string) func() error {
	return func() error {
		_, err := w.iam(c).GetRole(context.Background(), &iam.GetRoleInput{RoleName: &name})
		return err
	}
}

func (w *awsWorld) listPools(c aws.Config) func() error {
	return func() error {
		_, err := w.pools(c).ListIdentityPools(context.Background(), &cognitoidentity.ListIdentityPoolsInput{MaxResults: aws.Int32(1)})
		return err
	}
}

func (w *awsWorld) describe(c aws.Config, pool string) func() error {
	return func() error {
		_, err := w.pools(c).DescribeIdentityPool(context.Background(), &cognitoidentity.DescribeIdentityPoolInput{IdentityPoolId: &pool})
		return err
	}
}

// federate makes a federated user's configuration.
func (w *awsWorld) federate(c aws.Config, policy string, arns ...string) (aws.Config, error) {
	in := &sts.GetFederationTokenInput{Name: aws.String("bob")}
	if policy != "" {
		in.Policy = &policy
	}
	for _, arn := range arns {
		in.PolicyArns = append(in.PolicyArns, types.PolicyDescriptorType{Arn: &arn})
	}
	out, err := w.sts(c).GetFederationToken(context.Background(), in)
	if err != nil {
		return aws.Config{}, err
	}
	return w.temporary(out.Credentials.AccessKeyId, out.Credentials.SecretAccessKey, out.Credentials.SessionToken), nil
}

func tags(pairs ...string) func(*sts.AssumeRoleInput) {
	return func(in *sts.AssumeRoleInput) {
		for i := 0; i < len(pairs); i += 2 {
			in.Tags = append(in.Tags, types.Tag{Key: &pairs[i], Value: &pairs[i+1]})
		}
	}
}

func transitive(keys ...string) func(*sts.AssumeRoleInput) {
	return func(in *sts.AssumeRoleInput) { in.TransitiveTagKeys = keys }
}

func limited(policy string, arns ...string) func(*sts.AssumeRoleInput) {
	return func(in *sts.AssumeRoleInput) {
		if policy != "" {
			in.Policy = &policy
		}
		for _, arn := range arns {
			in.PolicyArns = append(in.PolicyArns, types.PolicyDescriptorType{Arn: &arn})
		}
	}
}

func lasting(seconds int32) func(*sts.AssumeRoleInput) {
	return func(in *sts.AssumeRoleInput) { in.DurationSeconds = &seconds }
}

func from(source string) func(*sts.AssumeRoleInput) {
	return func(in *sts.AssumeRoleInput) { in.SourceIdentity = &source }
}

func (w *awsWorld) customerPolicy(c aws.Config, name, document string) string {
	w.t.Helper()
	out, err := w.iam(c).CreatePolicy(context.Background(), &iam.CreatePolicyInput{PolicyName: &name, PolicyDocument: &document})
	w.must(err)
	return *out.Policy.Arn
}

func TestSessionsGrowByNothingThatTheyCarry(t *testing.T) {
	t.Parallel()
	w := newAWSWorld(t)
	ctx := t.Context()
	user := w.AddUser("user", may("sts:*", "*"))
	role := w.AddRole("reader", trusts(home), may("iam:GetRole cognito-identity:ListIdentityPools sts:*", "*"))
	readers, nobodys := w.customerPolicy(w.root, "readers", may("iam:GetRole", "*")), w.customerPolicy(w.away, "readers", may("iam:*", "*"))
	going := w.customerPolicy(w.root, "going", may("*", "*"))
	const admin = "arn:aws:iam::aws:policy/AdministratorAccess"
	caller := "arn:aws:sts::" + home + ":assumed-role/reader/probe"
	denied := func(action, resource, because string) string {
		return "AccessDenied: User: " + caller + " is not authorized to perform: " + action + " on resource: " + resource + " " + because
	}
	wide := w.assume(user, role, limited(may("*", "*"), admin))
	narrow := w.assume(user, role, limited(may("iam:GetUser", "*")))
	either := w.assume(user, role, limited(may("iam:GetUser", "*"), readers))
	denying := w.assume(user, role, limited(doc(`"Effect":"Allow","Action":"*","Resource":"*"`, `"Effect":"Deny","Action":"iam:get*","Resource":"*"`)))
	fading := w.assume(user, role, limited("", going))
	_, err := w.iam(w.root).DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: &going})
	w.must(err)
	create := func(c aws.Config) func() error {
		return func() error {
			_, err := w.iam(c).CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("intruder")})
			return err
		}
	}
	eleven := make([]string, 11)
	for i := range eleven {
		eleven[i] = readers
	}
	withstand(t, 21, []attack{
		{"a session policy that allows all allows what the role may", "", w.getRole(wide, "reader")},
		{"and nothing else", denied("iam:CreateUser", "arn:aws:iam::"+home+":user/intruder", "because no identity-based policy allows the iam:CreateUser action"), create(wide)},
		{"a narrow session policy takes away", denied("iam:GetRole", "role reader", "because no session policy allows the iam:GetRole action"), w.getRole(narrow, "reader")},
		{"and gives nothing", "AccessDenied", create(narrow)},
		{"inline and managed session policies are one", "", w.getRole(either, "reader")},
		{"but no more", "AccessDeniedException", w.listPools(either)},
		{"a session policy's deny counts", denied("iam:GetRole", "role reader", "with an explicit deny in a session policy"), w.getRole(denying, "reader")},
		{"a session policy that was deleted allows nothing", denied("iam:GetRole", "role reader", "because no session policy allows the iam:GetRole action"), w.getRole(fading, "reader")},
		{"another account's policy", "ValidationError", w.tryAssume(user, role, limited("", nobodys))},
		{"a policy that is not there", "ValidationError", w.tryAssume(user, role, limited("", readers+"x"))},
		{"a policy in other letters", "ValidationError", w.tryAssume(user, role, limited("", strings.Replace(readers, "readers", "READERS", 1)))},
		{"a role as a policy", "ValidationError", w.tryAssume(user, role, limited("", role))},
		{"eleven policies", "ValidationError", w.tryAssume(user, role, limited("", eleven...))},
		{"a policy longer than 2048 characters", "ValidationError", w.tryAssume(user, role, limited(may("iam:GetRole", "*")+strings.Repeat(" ", 2048)))},
		{"a policy that is none", "MalformedPolicyDocument", w.tryAssume(user, role, limited(`{}`))},
		{"a policy with a principal", "MalformedPolicyDocument: Policy document should not specify a principal.", w.tryAssume(user, role, limited(doc(`"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"`)))},
		{"a policy with an element twice", "MalformedPolicyDocument: Syntax errors in policy.", w.tryAssume(user, role, limited(doc(`"Effect":"Deny","Effect":"Allow","Action":"*","Resource":"*"`)))},
		{"a session of 899 seconds", "ValidationError", w.tryAssume(user, role, lasting(899))},
		{"longer than the role's maximum", "ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", w.tryAssume(user, role, lasting(3601))},
		{"longer than any maximum", "ValidationError", w.tryAssume(user, role, lasting(43201))},
		{"a name with a slash", "ValidationError: 1 validation error detected: Value 'a/b' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*", w.tryAssume(user, role, func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("a/b") })},
		{"a name with a letter that is not ASCII", "ValidationError", w.tryAssume(user, role, func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("prоbe") })},
		{"a context assertion", "InvalidParameterValue", w.tryAssume(user, role, func(in *sts.AssumeRoleInput) {
			in.ProvidedContexts = []types.ProvidedContext{{ProviderArn: aws.String("arn:aws:iam::aws:contextProvider/IdentityCenter"), ContextAssertion: aws.String("abcd")}}
		})},
	})
}

func TestTagsAndSourceIdentitiesAreNotForTheAsking(t *testing.T) {
	t.Parallel()
	w := newWebWorld(t)
	ctx := t.Context()
	user := w.AddUser("user", may("sts:*", "*"))
	open := w.AddRole("open", trusts(home), may("sts:*", "*"))
	red := w.AddRole("red", trusts(home), doc(`"Effect":"Allow","Action":"iam:GetRole","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"}}`))
	own := w.AddRole("own", trusts(home), doc(`"Effect":"Allow","Action":"iam:GetRole","Resource":"arn:aws:iam::`+home+`:role/${aws:PrincipalTag/team}"`))
	_, err := w.iam(w.root).TagRole(ctx, &iam.TagRoleInput{RoleName: aws.String("red"), Tags: iamTags("Team", "red")})
	w.must(err)
	bare := w.AddRole("bare", doc(`"Effect":"Allow","Principal":{"AWS":"`+home+`"},"Action":"sts:AssumeRole"`), may("sts:*", "*"))
	picky := w.AddRole("picky", doc(`"Effect":"Allow","Principal":{"AWS":"`+home+`"},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":{"aws:RequestTag/team":["red","blue"]},"ForAllValues:StringEquals":{"aws:TagKeys":"team"}}`))
	asAnn := w.AddRole("as-ann", doc(`"Effect":"Allow","Principal":{"AWS":"`+home+`"},"Action":["sts:AssumeRole","sts:SetSourceIdentity"],"Condition":{"StringEquals":{"sts:SourceIdentity":"ann"}}`))
	held := w.assume(user, open, tags("team", "red", "floor", "7"), transitive("team"), from("ann"))
	plain := w.assume(user, open)
	denied := func(session, action, role string) string {
		return "AccessDenied: User: arn:aws:sts::" + home + ":assumed-role/" + session + " is not authorized to perform: " + action + " on resource: " + role
	}
	aUser := func(action, role string) string {
		return "AccessDenied: User: arn:aws:iam::" + home + ":user/user is not authorized to perform: " + action + " on resource: " + role
	}
	fiftyOne := make([]string, 0, 102)
	for i := range 51 {
		fiftyOne = append(fiftyOne, "k"+raw(i), "v")
	}
	webOpen := w.AddRole("web-open", admits(w.good.arn, `{"StringEquals":{"`+w.good.name+`:sub":"user"}}`), doc(`"Effect":"Allow","Action":"iam:GetRole","Resource":"*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"}}`))
	webBare := w.AddRole("web-bare", doc(`"Effect":"Allow","Principal":{"Federated":"`+w.good.arn+`"},"Action":"sts:AssumeRoleWithWebIdentity"`))
	token := func(role string, claims m) func() error {
		return func() error { return w.web(role, w.good.token(w.Now(), claims)) }
	}
	nested := func(key string, value any) m {
		return m{"https://aws.amazon.com/tags": m{"principal_tags": m{key: value}}}
	}
	const badTags = "InvalidIdentityToken: principal_tags passed in claim is not in correct format."
	withstand(t, 38, []attack{
		{"tags without sts:TagSession", aUser("sts:TagSession", bare), w.tryAssume(user, bare, tags("team", "red"))},
		{"inherited tags without sts:TagSession", denied("open/probe", "sts:TagSession", bare), w.tryAssume(held, bare)},
		{"no tags at all", "", w.tryAssume(plain, bare)},
		{"tags that differ in case alone", "InvalidParameterValue: Duplicate tag keys found. Please note that Tag keys are case insensitive.", w.tryAssume(user, open, tags("team", "red", "Team", "blue"))},
		{"a tag of AWS's own", "InvalidParameterValue", w.tryAssume(user, open, tags("aws:team", "red"))},
		{"in other letters", "InvalidParameterValue", w.tryAssume(user, open, tags("AwS:PrincipalTag/team", "red"))},
		{"a key with a character that keys have not", "ValidationError", w.tryAssume(user, open, tags("te*m", "red"))},
		{"an empty key", "ValidationError", w.tryAssume(user, open, tags("", "red"))},
		{"a value of 257 characters", "ValidationError", w.tryAssume(user, open, tags("team", strings.Repeat("x", 257)))},
		{"51 tags", "ValidationError", w.tryAssume(user, open, tags(fiftyOne...))},
		{"a tag that the trust policy names", "", w.tryAssume(user, picky, tags("team", "red"))},
		{"beside one that it does not", aUser("sts:AssumeRole", picky), w.tryAssume(user, picky, tags("team", "red", "admin", "true"))},
		{"a value that it does not name", aUser("sts:AssumeRole", picky), w.tryAssume(user, picky, tags("team", "green"))},
		{"none where it names one", aUser("sts:AssumeRole", picky), w.tryAssume(user, picky)},
		{"a transitive key without its tag", "InvalidParameterValue: The specified transitive tag key must be included in the requested tags.", w.tryAssume(user, open, tags("team", "red"), transitive("floor"))},
		{"another value of an inherited tag", "InvalidParameterValue: One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.", w.tryAssume(held, open, tags("team", "blue"))},
		{"in other letters", "InvalidParameterValue: One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.", w.tryAssume(held, open, tags("TEAM", "blue"))},
		{"even the same value", "InvalidParameterValue", w.tryAssume(held, open, tags("team", "red"))},
		{"another value of a tag that is not inherited", "", w.tryAssume(held, open, tags("floor", "8"))},
		{"the role's own tag", "", w.getRole(w.assume(user, red), "red")},
		{"a session tag over the role's, in other letters", "AccessDenied", w.getRole(w.assume(user, red, tags("TEAM", "blue")), "red")},
		{"a session tag as good as the role's", "", w.getRole(w.assume(user, red, tags("tEAM", "red")), "red")},
		{"an inherited tag", "", w.getRole(w.assume(held, own), "red")},
		{"which opens nothing else", "AccessDenied", w.getRole(w.assume(held, own), "open")},
		{"a tag with a slash that climbs out of a pattern", "AccessDenied", w.getRole(w.assume(user, own, tags("team", "x/../red")), "red")},
		{"a tag with a variable in it", "AccessDenied", w.getRole(w.assume(user, own, tags("team", "=aws:username")), "red")},
		{"another source identity along a chain", denied("open/probe", "sts:SetSourceIdentity", open), w.tryAssume(held, open, from("bob"))},
		{"the same one", "", w.tryAssume(held, open, from("ann"))},
		{"the same in other letters", denied("open/probe", "sts:SetSourceIdentity", open), w.tryAssume(held, open, from("Ann"))},
		{"a role for one source identity", "", w.tryAssume(user, asAnn, from("ann"))},
		{"by a session that has another", aUser("sts:AssumeRole", asAnn), w.tryAssume(user, asAnn, from("bob"))},
		{"by nobody in particular", aUser("sts:AssumeRole", asAnn), w.tryAssume(user, asAnn)},
		{"a source identity of AWS's own", "ValidationError", w.tryAssume(user, open, from("aws:ann"))},
		{"a source identity that the role may not take", aUser("sts:SetSourceIdentity", bare), w.tryAssume(user, bare, from("ann"))},
		{"an inherited one that the role may not take", "AccessDenied", w.tryAssume(w.assume(user, open, from("ann")), bare)},
		{"a chain of more than an hour", "ValidationError: The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.", w.tryAssume(plain, open, lasting(3601))},
		{"tags in a token", "", token(webOpen, nested("team", []string{"red"}))},
		{"tags in a token for a role without sts:TagSession", "AccessDenied", token(webBare, nested("team", []string{"red"}))},
		{"no tags in a token for it", "", token(webBare, nil)},
		{"a tag with two values", badTags, token(webOpen, nested("team", []string{"red", "blue"}))},
		{"a tag without list", badTags, token(webOpen, nested("team", "red"))},
		{"a tag of AWS's own in a token", badTags, token(webOpen, nested("Aws:team", []string{"red"}))},
		{"a tag in both forms", "InvalidParameterValue", token(webOpen, with(nested("team", []string{"red"}), m{"https://aws.amazon.com/tags/principal_tags/Team": "blue"}))},
		{"a transitive key in a token without its tag", "InvalidParameterValue", token(webOpen, m{"https://aws.amazon.com/tags": m{"transitive_tag_keys": []string{"team"}}})},
		{"a source identity in a token", "", token(webOpen, m{"https://aws.amazon.com/source_identity": "ann"})},
		{"a source identity of AWS's own in a token", "InvalidIdentityToken", token(webOpen, m{"https://aws.amazon.com/source_identity": "aws:ann"})},
		{"a source identity in a token for a role that may not take it", "AccessDenied", token(webBare, m{"https://aws.amazon.com/source_identity": "ann"})},
		{"a session policy beside a token, which cannot widen", "", func() error {
			out, err := w.sts(w.root).AssumeRoleWithWebIdentity(ctx, &sts.AssumeRoleWithWebIdentityInput{RoleArn: &webOpen, RoleSessionName: aws.String("probe"), WebIdentityToken: aws.String(w.good.token(w.Now())), Policy: aws.String(may("*", "*"))})
			w.must(err)
			c := w.temporary(out.Credentials.AccessKeyId, out.Credentials.SecretAccessKey, out.Credentials.SessionToken)
			if got := said(w.getRole(c, "red")()); !strings.HasPrefix(got, "AccessDenied") {
				t.Errorf("the role's own condition no longer counts: %q", got)
			}
			return nil
		}},
	})
}

func TestUsersOwnSessionsAndFederatedOnes(t *testing.T) {
	t.Parallel()
	w := newAWSWorld(t)
	ctx := t.Context()
	user := w.AddUser("user", may("iam:GetRole cognito-identity:* sts:AssumeRole sts:GetFederationToken sts:GetCallerIdentity", "*"))
	weak := w.AddUser("weak")
	role := w.AddRole("role", trusts(home), may("*", "*"))
	token, err := w.sts(user).GetSessionToken(ctx, &sts.GetSessionTokenInput{})
	w.must(err)
	mine := w.temporary(token.Credentials.AccessKeyId, token.Credentials.SecretAccessKey, token.Credentials.SessionToken)
	asRole := w.assume(user, role)
	none, err := w.federate(user, "")
	w.must(err)
	all, err := w.federate(user, may("*", "*"), "arn:aws:iam::aws:policy/AdministratorAccess")
	w.must(err)
	rooted, err := w.federate(w.root, may("cognito-identity:List*", "*"))
	w.must(err)
	federate := func(c aws.Config) func() error {
		return func() error { _, err := w.federate(c, may("*", "*")); return err }
	}
	session := func(c aws.Config, edit ...func(*sts.GetSessionTokenInput)) func() error {
		return func() error {
			in := &sts.GetSessionTokenInput{}
			for _, e := range edit {
				e(in)
			}
			_, err := w.sts(c).GetSessionToken(ctx, in)
			return err
		}
	}
	createPool := func(c aws.Config) func() error {
		return func() error {
			_, err := w.pools(c).CreateIdentityPool(ctx, &cognitoidentity.CreateIdentityPoolInput{IdentityPoolName: aws.String("x")})
			return err
		}
	}
	who := func(c aws.Config) func() error { return func() error { _, err := w.identity(c); return err } }
	const invalid = "InvalidClientTokenId: The security token included in the request is invalid."
	bob := "arn:aws:sts::" + home + ":federated-user/bob"
	withstand(t, 27, []attack{
		{"a user's session does what the user may", "", w.listPools(mine)},
		{"but not IAM without a second factor", invalid, w.getRole(mine, "role")},
		{"may assume", "", w.tryAssume(mine, role)},
		{"may not make another", "AccessDenied: Cannot call GetSessionToken with session credentials", session(mine)},
		{"may not federate", "AccessDenied: Cannot call GetFederationToken with session credentials", federate(mine)},
		{"a role may make no user's session", "AccessDenied: Cannot call GetSessionToken with session credentials", session(asRole)},
		{"nor federate, whatever its policies", "AccessDenied: Cannot call GetFederationToken with session credentials", federate(asRole)},
		{"a user without permission may make its own session", "", session(weak)},
		{"but not federate", "AccessDenied: User: arn:aws:iam::" + home + ":user/weak is not authorized to perform: sts:GetFederationToken on resource: " + bob + " because no identity-based policy allows the sts:GetFederationToken action", federate(weak)},
		{"a session longer than 36 hours", "ValidationError", session(user, func(in *sts.GetSessionTokenInput) { in.DurationSeconds = aws.Int32(129601) })},
		{"a device without its code", "AccessDenied: MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.", session(user, func(in *sts.GetSessionTokenInput) { in.SerialNumber = aws.String("arn:aws:iam::" + home + ":mfa/none") })},
		{"a device that is not there", "AccessDenied", session(user, func(in *sts.GetSessionTokenInput) {
			in.SerialNumber, in.TokenCode = aws.String("arn:aws:iam::"+home+":mfa/none"), aws.String("123456")
		})},
		{"a federated user may ask who it is", "", who(none)},
		{"may nothing without session policies", "AccessDeniedException: User: " + bob + " is not authorized to perform: cognito-identity:ListIdentityPools on resource: * because no session policy allows the cognito-identity:ListIdentityPools action", w.listPools(none)},
		{"may what user and session policies both allow", "", w.listPools(all)},
		{"may make a pool as the user may", "", createPool(all)},
		{"may not call IAM, which the user may", invalid, w.getRole(all, "role")},
		{"may not assume, which the user may", "AccessDenied: Cannot call AssumeRole with session credentials", w.tryAssume(all, role)},
		{"may not federate on", "AccessDenied: Cannot call GetFederationToken with session credentials", federate(all)},
		{"may not make a session", "AccessDenied: Cannot call GetSessionToken with session credentials", session(all)},
		{"the root's federated user may what its session policies allow", "", w.listPools(rooted)},
		{"and no more", "AccessDeniedException", createPool(rooted)},
		{"a federated user with a pattern for a name", "ValidationError", func() error {
			_, err := w.sts(user).GetFederationToken(ctx, &sts.GetFederationTokenInput{Name: aws.String("*")})
			return err
		}},
		{"a federated user with tags that the user may not give", "AccessDenied", func() error {
			_, err := w.sts(user).GetFederationToken(ctx, &sts.GetFederationTokenInput{Name: aws.String("bob"), Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("red")}}})
			return err
		}},
		{"another account's session policy", "ValidationError", func() error {
			_, err := w.federate(user, "", w.customerPolicy(w.away, "theirs", may("*", "*")))
			return err
		}},
		{"the key that made it is switched off, and its sessions live on", "", func() error {
			w.must(w.switchKeys("user", "Inactive"))
			if got := said(w.listPools(user)()); got != "UnrecognizedClientException: The security token included in the request is invalid." {
				t.Errorf("the key itself: %q", got)
			}
			return w.listPools(mine)()
		}},
		{"its federated sessions as well", "", w.listPools(all)},
		{"a deny on older sessions ends them at once", "AccessDeniedException", func() error {
			_, err := w.iam(w.root).PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: aws.String("user"), PolicyName: aws.String("revoke"), PolicyDocument: aws.String(doc(
				`"Effect":"Deny","Action":"*","Resource":"*","Condition":{"DateLessThan":{"aws:TokenIssueTime":"` + w.Now().Add(time.Second).UTC().Format(time.RFC3339) + `"}}`))})
			w.must(err)
			return w.listPools(mine)()
		}},
		{"a deleted user's session is nobody's", "UnrecognizedClientException: The security token included in the request is invalid.", func() error {
			w.must(w.forget("user"))
			return w.listPools(mine)()
		}},
		{"nor its federated users'", "UnrecognizedClientException: The security token included in the request is invalid.", w.listPools(all)},
		{"not even to ask who it is", invalid, who(all)},
		{"and not after the name is somebody else's", invalid, func() error {
			w.AddUser("user", may("*", "*"))
			return who(mine)()
		}},
	})
}

// switchKeys sets the status of all of a user's access keys.
func (w *awsWorld) switchKeys(user, status string) error {
	keys, err := w.iam(w.root).ListAccessKeys(context.Background(), &iam.ListAccessKeysInput{UserName: &user})
	if err != nil {
		return err
	}
	for _, k := range keys.AccessKeyMetadata {
		if err := w.call(w.root, "iam", url.Values{"Action": {"UpdateAccessKey"}, "Version": {"2010-05-08"}, "UserName": {user}, "AccessKeyId": {*k.AccessKeyId}, "Status": {status}}); err != nil {
			return err
		}
	}
	return nil
}
