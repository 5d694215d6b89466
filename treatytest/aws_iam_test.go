package treatytest

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// ask is a call of IAM by its parameters, which need not be such that the SDK would send.
func (w *awsWorld) ask(c aws.Config, action string, parameters ...string) func() error {
	form := url.Values{"Action": {action}, "Version": {"2010-05-08"}}
	for i := 0; i < len(parameters); i += 2 {
		form.Set(parameters[i], parameters[i+1])
	}
	return func() error { return w.call(c, "iam", form) }
}

// noIAM is IAM's refusal of a user, in its words.
func noIAM(user, action, resource, because string) string {
	return "AccessDenied: User: arn:aws:iam::" + home + ":user/" + user + " is not authorized to perform: iam:" + action + " on resource: " + resource + " " + because
}

func silent(action string) string {
	return "because no identity-based policy allows the iam:" + action + " action"
}

const explicit = "with an explicit deny in an identity-based policy"

// The names of IAM's entities compare in any case of letters, ARNs in policies do not: what a policy says of
// an entity holds by whatever letters the entity is asked for.
func TestAPolicyHoldsByWhateverNameAnEntityIsAskedFor(t *testing.T) {
	t.Parallel()
	w := newAWSWorld(t)
	ctx := t.Context()
	const all, at = `"Effect":"Allow","Action":"*","Resource":"*"`, "arn:aws:iam::" + home + ":"
	w.AddRole("admin", trusts(home))
	w.AddUser("boss")
	w.must(w.ask(w.root, "CreateRole", "RoleName", "deep", "Path", "/team/", "AssumeRolePolicyDocument", trusts(home))())
	w.must(w.ask(w.root, "CreateGroup", "GroupName", "owners")())
	guarded := w.customerPolicy(w.root, "guarded", may("iam:GetRole", "*"))
	u := w.AddUser("u", doc(all, `"Effect":"Deny","Action":"*","Resource":["`+at+`role/admin","`+at+`user/boss","`+at+`role/team/*","`+at+`group/owners","`+at+`policy/guarded"]`))
	only := w.AddUser("only", doc(`"Effect":"Allow","Action":"iam:*","Resource":["`+at+`role/admin","`+at+`user/${aws:username}","`+at+`policy/team/*"]`))
	w.must(w.ask(w.root, "CreatePolicy", "PolicyName", "ours", "Path", "/team/", "PolicyDocument", may("iam:GetRole", "*"))())
	star := may("*", "*")
	withstand(t, 42, []attack{
		{"a role that is denied", noIAM("u", "GetRole", "role admin", explicit), w.ask(u, "GetRole", "RoleName", "admin")},
		{"in capitals", noIAM("u", "GetRole", "role ADMIN", explicit), w.ask(u, "GetRole", "RoleName", "ADMIN")},
		{"with a capital", noIAM("u", "PutRolePolicy", "role Admin", explicit), w.ask(u, "PutRolePolicy", "RoleName", "Admin", "PolicyName", "p", "PolicyDocument", star)},
		{"its trust policy", noIAM("u", "UpdateAssumeRolePolicy", "role aDMIN", explicit), w.ask(u, "UpdateAssumeRolePolicy", "RoleName", "aDMIN", "PolicyDocument", trusts(home))},
		{"its attachments", noIAM("u", "AttachRolePolicy", "role ADMIN", explicit), w.ask(u, "AttachRolePolicy", "RoleName", "ADMIN", "PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess")},
		{"its tags", noIAM("u", "TagRole", "role ADMIN", explicit), w.ask(u, "TagRole", "RoleName", "ADMIN", "Tags.member.1.Key", "a", "Tags.member.1.Value", "b")},
		{"its deletion", noIAM("u", "DeleteRole", "role ADMIN", explicit), w.ask(u, "DeleteRole", "RoleName", "ADMIN")},
		{"a role below a denied path, asked for by its name alone", noIAM("u", "GetRole", "role deep", explicit), w.ask(u, "GetRole", "RoleName", "deep")},
		{"in capitals", noIAM("u", "GetRole", "role DEEP", explicit), w.ask(u, "GetRole", "RoleName", "DEEP")},
		{"by its path and name", "ValidationError", w.ask(u, "GetRole", "RoleName", "team/deep")},
		{"a user's keys in capitals", noIAM("u", "CreateAccessKey", "user BOSS", explicit), w.ask(u, "CreateAccessKey", "UserName", "BOSS")},
		{"a user's policy", noIAM("u", "PutUserPolicy", "user Boss", explicit), w.ask(u, "PutUserPolicy", "UserName", "Boss", "PolicyName", "p", "PolicyDocument", star)},
		{"a user's second factor", noIAM("u", "DeactivateMFADevice", "user BOSS", explicit), w.ask(u, "DeactivateMFADevice", "UserName", "BOSS", "SerialNumber", "arn:aws:iam::123456789012:mfa/x")},
		{"a group in capitals", noIAM("u", "AddUserToGroup", "group OWNERS", explicit), w.ask(u, "AddUserToGroup", "GroupName", "OWNERS", "UserName", "u")},
		{"a policy in capitals is no policy", "NoSuchEntity", w.ask(u, "CreatePolicyVersion", "PolicyArn", at+"policy/GUARDED", "PolicyDocument", star, "SetAsDefault", "true")},
		{"a policy behind a path that climbs is none", "NoSuchEntity", w.ask(u, "CreatePolicyVersion", "PolicyArn", at+"policy/x/../guarded", "PolicyDocument", star)},
		{"a policy behind two slashes is none", "NoSuchEntity", w.ask(u, "GetPolicy", "PolicyArn", at+"policy//guarded")},
		{"a policy in another partition is none", "NoSuchEntity", w.ask(u, "GetPolicy", "PolicyArn", strings.Replace(guarded, "arn:aws:", "arn:aws-cn:", 1))},
		{"the policy itself", noIAM("u", "SetDefaultPolicyVersion", "policy "+guarded+" version v1", explicit), w.ask(u, "SetDefaultPolicyVersion", "PolicyArn", guarded, "VersionId", "v1")},
		{"a new role by the name in capitals, which is the same", "EntityAlreadyExists: Role with name ADMIN already exists.", w.ask(u, "CreateRole", "RoleName", "ADMIN", "AssumeRolePolicyDocument", trusts(home))},
		{"and below another path", "EntityAlreadyExists: Role with name admin already exists.", w.ask(u, "CreateRole", "RoleName", "admin", "Path", "/x/", "AssumeRolePolicyDocument", trusts(home))},
		{"passing the role in capitals", "NotAuthorizedException: Access to Role '" + at + "role/ADMIN' is forbidden.", w.pass(u, at+"role/ADMIN")},
		{"passing it", "NotAuthorizedException: Access to Role '" + at + "role/admin' is forbidden.", w.pass(u, at+"role/admin")},
		{"a user renamed to a name that is denied", "EntityAlreadyExists", w.ask(w.root, "UpdateUser", "UserName", "u", "NewUserName", "BOSS")},
		{"a user moved below a path", "", w.ask(w.root, "UpdateUser", "UserName", "only", "NewPath", "/x/")},
		{"which takes it out of the policy's name", "AccessDenied", w.ask(only, "GetUser", "UserName", "only")},
		{"and back", "", w.ask(w.root, "UpdateUser", "UserName", "only", "NewPath", "/")},
		{"only: itself", "", w.ask(only, "GetUser")},
		{"only: itself in capitals", "", w.ask(only, "GetUser", "UserName", "ONLY")},
		{"only: another", noIAM("only", "PutUserPolicy", "user boss", silent("PutUserPolicy")), w.ask(only, "PutUserPolicy", "UserName", "boss", "PolicyName", "p", "PolicyDocument", star)},
		{"only: renames itself to a name that it may not have", noIAM("only", "UpdateUser", "user chief", silent("UpdateUser")), w.ask(only, "UpdateUser", "UserName", "only", "NewUserName", "chief")},
		{"only: a policy of the team's", "", w.ask(only, "CreatePolicyVersion", "PolicyArn", at+"policy/team/ours", "PolicyDocument", may("iam:GetUser", "*"))},
		{"only: a policy beside it", noIAM("only", "CreatePolicyVersion", "policy "+guarded, silent("CreatePolicyVersion")), w.ask(only, "CreatePolicyVersion", "PolicyArn", guarded, "PolicyDocument", star)},
		{"only: a policy that the pattern means and nobody has", "NoSuchEntity", w.ask(only, "CreatePolicyVersion", "PolicyArn", at+"policy/team/../guarded", "PolicyDocument", star)},
		{"only: attaches everything to a role of its own", "", w.ask(only, "AttachRolePolicy", "RoleName", "admin", "PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess")},
		{"only: may not take it, which is another permission", "AccessDenied", w.tryAssume(only, at+"role/admin")},
		{"only: puts a policy on itself, as written", "", w.ask(only, "PutUserPolicy", "UserName", "only", "PolicyName", "p", "PolicyDocument", doc(`"Effect":"Allow","Action":"sts:*","Resource":"*"`))},
		{"only: and then may", "", w.tryAssume(only, at+"role/admin")},
		{"AWS's own policy", "AccessDenied", w.ask(w.root, "CreatePolicyVersion", "PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess", "PolicyDocument", star)},
		{"another account's policy", "AccessDenied", w.ask(w.root, "CreatePolicyVersion", "PolicyArn", w.customerPolicy(w.away, "theirs", may("iam:GetRole", "*")), "PolicyDocument", star)},
		{"another account's policy, attached", "NoSuchEntity", w.ask(w.root, "AttachUserPolicy", "UserName", "u", "PolicyArn", "arn:aws:iam::"+away+":policy/theirs")},
		{"another account's policy as boundary", "NoSuchEntity", w.ask(w.root, "PutUserPermissionsBoundary", "UserName", "u", "PermissionsBoundary", "arn:aws:iam::"+away+":policy/theirs")},
		{"the other account's root and this one's role", "NoSuchEntity", func() error {
			_, err := w.iam(w.away).GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("admin")})
			return err
		}},
		{"a key of another user's, by one's own name", "NoSuchEntity", w.ask(w.root, "UpdateAccessKey", "UserName", "u", "AccessKeyId", w.keysOf(only).AccessKeyID, "Status", "Inactive")},
		{"the root's key, by a user's name", "NoSuchEntity", w.ask(w.root, "DeleteAccessKey", "UserName", "u", "AccessKeyId", w.keysOf(w.root).AccessKeyID)},
		{"the other account's key", "NoSuchEntity", w.ask(w.root, "GetAccessKeyLastUsed", "AccessKeyId", w.keysOf(w.away).AccessKeyID)},
	})
}

// pass has a user set a role of a pool, for which it must be allowed to pass the role on.
func (w *awsWorld) pass(c aws.Config, role string) func() error {
	pool := w.AddPool("pass", "my.dev.provider")
	return func() error {
		_, err := w.pools(c).SetIdentityPoolRoles(context.Background(), &cognitoidentity.SetIdentityPoolRolesInput{IdentityPoolId: &pool.ID, Roles: map[string]string{"authenticated": role}})
		return err
	}
}

// Whoever may make users must not make one that may more than itself.
func TestABoundaryCannotBeShedByThoseItBinds(t *testing.T) {
	t.Parallel()
	w := newAWSWorld(t)
	const at = "arn:aws:iam::" + home + ":"
	boundary := w.customerPolicy(w.root, "boundary", may("cognito-identity:List* iam:*", "*"))
	loose := w.customerPolicy(w.root, "loose", may("*", "*"))
	hr := w.AddUser("hr", doc(
		`"Effect":"Allow","Action":["iam:CreateUser","iam:CreateRole","iam:PutUserPolicy","iam:PutRolePolicy","iam:AttachUserPolicy","iam:PutUserPermissionsBoundary","iam:DeleteUserPolicy"],"Resource":"*","Condition":{"StringEquals":{"iam:PermissionsBoundary":"`+boundary+`"}}`,
		`"Effect":"Allow","Action":["iam:CreateAccessKey","iam:GetUser","iam:TagUser"],"Resource":"*"`,
		`"Effect":"Deny","Action":"iam:Delete*PermissionsBoundary","Resource":"*"`,
		`"Effect":"Deny","Action":["iam:CreatePolicyVersion","iam:SetDefaultPolicyVersion","iam:DeletePolicy*"],"Resource":"`+boundary+`"`))
	w.AddUser("free")
	adviser := w.AddUser("adviser", doc(`"Effect":"Allow","Action":"iam:AttachUserPolicy","Resource":"*","Condition":{"ArnEquals":{"iam:PolicyARN":"`+boundary+`"}}`))
	tagger := w.AddUser("tagger", doc(`"Effect":"Allow","Action":["iam:CreateUser","iam:TagUser"],"Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"red"},"ForAllValues:StringEquals":{"aws:TagKeys":["team","Team"]}}`))
	plainMaker := w.AddUser("maker", may("iam:CreateUser", "*"))
	passer := w.AddUser("passer", doc(`"Effect":"Allow","Action":"cognito-identity:*","Resource":"*"`,
		`"Effect":"Allow","Action":"iam:PassRole","Resource":"`+at+`role/app-*","Condition":{"StringEquals":{"iam:PassedToService":"cognito-identity.amazonaws.com"}}`))
	elsewhere := w.AddUser("elsewhere", doc(`"Effect":"Allow","Action":"cognito-identity:*","Resource":"*"`,
		`"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{"StringEquals":{"iam:PassedToService":"lambda.amazonaws.com"}}`))
	app, admin := w.AddRole("app-one", trusts(home)), w.AddRole("admin", trusts(home), may("*", "*"))
	star := may("*", "*")
	var intern aws.Config
	withstand(t, 33, []attack{
		{"a user without boundary", noIAM("hr", "CreateUser", at+"user/intern", silent("CreateUser")), w.ask(hr, "CreateUser", "UserName", "intern")},
		{"a user with another boundary", noIAM("hr", "CreateUser", at+"user/intern", silent("CreateUser")), w.ask(hr, "CreateUser", "UserName", "intern", "PermissionsBoundary", loose)},
		{"a user with the boundary in other letters", "AccessDenied", w.ask(hr, "CreateUser", "UserName", "intern", "PermissionsBoundary", strings.ToUpper(boundary))},
		{"a user with two boundaries: one is judged and set", "", func() error {
			form := url.Values{"Action": {"CreateUser"}, "Version": {"2010-05-08"}, "UserName": {"twofold"}, "PermissionsBoundary": {boundary, loose}}
			w.must(w.call(hr, "iam", form))
			out, err := w.iam(w.root).GetUser(t.Context(), &iam.GetUserInput{UserName: aws.String("twofold")})
			w.must(err)
			if got := *out.User.PermissionsBoundary.PermissionsBoundaryArn; got != boundary {
				t.Errorf("the boundary is %s", got)
			}
			return nil
		}},
		{"a user with the boundary", "", w.ask(hr, "CreateUser", "UserName", "intern", "PermissionsBoundary", boundary)},
		{"who gets all policies", "", w.ask(hr, "AttachUserPolicy", "UserName", "intern", "PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess")},
		{"and a key, and does what both allow", "", func() error {
			out, err := w.iam(hr).CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: aws.String("intern")})
			w.must(err)
			intern = w.As(*out.AccessKey.AccessKeyId, *out.AccessKey.SecretAccessKey, "")
			return w.listPools(intern)()
		}},
		{"but not what the boundary does not", "AccessDenied: User: " + at + "user/intern is not authorized to perform: sts:AssumeRole on resource: " + admin, func() error { return w.tryAssume(intern, admin)() }},
		{"nor in a session of its own", "AccessDenied", func() error {
			_, err := w.federate(intern, may("*", "*"))
			return err
		}},
		{"the boundary's own user may take it off when the boundary allows, as written", "", func() error {
			return w.ask(intern, "PutUserPermissionsBoundary", "UserName", "twofold", "PermissionsBoundary", loose)()
		}},
		{"hr puts policies on users within", "", w.ask(hr, "PutUserPolicy", "UserName", "intern", "PolicyName", "p", "PolicyDocument", star)},
		{"but not on one without", noIAM("hr", "PutUserPolicy", "user free", silent("PutUserPolicy")), w.ask(hr, "PutUserPolicy", "UserName", "free", "PolicyName", "p", "PolicyDocument", star)},
		{"nor on one who is not there", "AccessDenied", w.ask(hr, "PutUserPolicy", "UserName", "none", "PolicyName", "p", "PolicyDocument", star)},
		{"nor on itself", "AccessDenied", w.ask(hr, "PutUserPolicy", "UserName", "hr", "PolicyName", "p", "PolicyDocument", star)},
		{"nor attaches to one whose boundary is another", "AccessDenied", w.ask(hr, "AttachUserPolicy", "UserName", "twofold", "PolicyArn", loose)},
		{"nor takes the boundary off", noIAM("hr", "DeleteUserPermissionsBoundary", "user INTERN", explicit), w.ask(hr, "DeleteUserPermissionsBoundary", "UserName", "INTERN")},
		{"nor sets another", noIAM("hr", "PutUserPermissionsBoundary", "user intern", silent("PutUserPermissionsBoundary")), w.ask(hr, "PutUserPermissionsBoundary", "UserName", "intern", "PermissionsBoundary", loose)},
		{"nor rewrites it", "AccessDenied", w.ask(hr, "CreatePolicyVersion", "PolicyArn", boundary, "PolicyDocument", star, "SetAsDefault", "true")},
		{"nor makes a role without", "AccessDenied", w.ask(hr, "CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", trusts(home))},
		{"but one with", "", w.ask(hr, "CreateRole", "RoleName", "r", "AssumeRolePolicyDocument", trusts(home), "PermissionsBoundary", boundary)},
		{"a boundary in use is not deleted", "DeleteConflict", w.ask(w.root, "DeletePolicy", "PolicyArn", boundary)},
		{"a user made with tags needs iam:TagUser too", noIAM("maker", "TagUser", at+"user/t", silent("TagUser")), w.ask(plainMaker, "CreateUser", "UserName", "t", "Tags.member.1.Key", "team", "Tags.member.1.Value", "red")},
		{"and is not made", "NoSuchEntity", w.ask(w.root, "GetUser", "UserName", "t")},
		{"a user with the tag that the policy names", "", w.ask(tagger, "CreateUser", "UserName", "t", "Tags.member.1.Key", "Team", "Tags.member.1.Value", "red")},
		{"and a tag beside it", "AccessDenied", w.ask(tagger, "TagUser", "UserName", "t", "Tags.member.1.Key", "team", "Tags.member.1.Value", "red", "Tags.member.2.Key", "admin", "Tags.member.2.Value", "1")},
		{"and the tag with another value", "AccessDenied", w.ask(tagger, "TagUser", "UserName", "t", "Tags.member.1.Key", "TEAM", "Tags.member.1.Value", "blue")},
		{"the one policy that may be attached", "", w.ask(adviser, "AttachUserPolicy", "UserName", "free", "PolicyArn", boundary)},
		{"another", noIAM("adviser", "AttachUserPolicy", "user free", silent("AttachUserPolicy")), w.ask(adviser, "AttachUserPolicy", "UserName", "free", "PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess")},
		{"the two at once: the first counts, for both", "", func() error {
			return w.call(adviser, "iam", url.Values{"Action": {"AttachUserPolicy"}, "Version": {"2010-05-08"}, "UserName": {"hr"}, "PolicyArn": {boundary, "arn:aws:iam::aws:policy/AdministratorAccess"}})
		}},
		{"which gave nothing else", "AccessDenied", w.tryAssume(hr, admin)},
		{"passing a role of the pattern", "", w.pass(passer, app)},
		{"passing another", "NotAuthorizedException", w.pass(passer, admin)},
		{"passing a role of the pattern that is not there", "NotAuthorizedException", w.pass(passer, at+"role/app-none")},
		{"passing a role behind a pattern that climbs", "NotAuthorizedException", w.pass(passer, at+"role/app-/../admin")},
		{"passing a pattern", "NotAuthorizedException", w.pass(passer, at+"role/app-*")},
		{"passing another account's role", "NotAuthorizedException", w.pass(w.root, "arn:aws:iam::"+away+":role/app-one")},
		{"passing to another service", "NotAuthorizedException", w.pass(elsewhere, app)},
	})
}
