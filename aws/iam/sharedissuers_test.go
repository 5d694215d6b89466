package iam_test

import (
	"fmt"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
)

// federated is a trust policy for one provider.
func federated(effect, principal, action, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return fmt.Sprintf(`{"Version":"2012-10-17","Statement":{"Effect":%q,"Principal":{"Federated":%q},"Action":%q%s}}`, effect, principal, action, condition)
}

const (
	withWebIdentity = "sts:AssumeRoleWithWebIdentity"
	github          = "token.actions.githubusercontent.com"
	gitlab          = "gitlab.com"
	pools           = "cognito-identity.amazonaws.com"
)

func providerARN(issuer string) string { return "arn:aws:iam::123456789012:oidc-provider/" + issuer }

// unscoped is how a trust policy is refused that lets every tenant of an issuer in.
func unscoped(principal, keys string) string {
	return "Trust policy with trusted principal " + principal + " must evaluate, using StringEquals, StringLike or StringEqualsIgnoreCase, " + keys + " which is not scoped to all."
}

// The cases and texts were recorded in September 2026.
func TestTrustInSharedIssuersMustChooseATenant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.role("target")
	aud := func(operator, value string) string { return `{"` + operator + `":{"` + pools + `:aud":` + value + `}}` }
	sub := func(operator, value string) string {
		return `{"` + operator + `":{"` + github + `:sub":` + value + `}}`
	}
	refusedPool := unscoped(pools, pools+":aud")
	refusedGitHub := unscoped(providerARN(github), github+":sub or "+github+":job_workflow_ref")
	for _, tt := range []struct{ principal, condition, message string }{
		{pools, "", "A condition block must be present for the Cognito provider"},
		{pools, aud("StringEquals", `"pool"`), ""},
		{pools, aud("StringEquals", `"*"`), refusedPool},
		{pools, aud("StringEquals", `"?"`), ""},
		{pools, aud("StringEquals", `"**"`), ""},
		{pools, aud("StringEquals", `"*?"`), ""},
		{pools, aud("StringEquals", `""`), ""},
		{pools, aud("StringEquals", `["*","pool"]`), refusedPool},
		{pools, aud("StringEquals", `[]`), ""},
		{pools, aud("StringLike", `"pool:*"`), ""},
		{pools, aud("StringLike", `"*"`), refusedPool},
		{pools, aud("StringNotEquals", `"pool"`), refusedPool},
		{pools, aud("StringEqualsIfExists", `"pool"`), refusedPool},
		{pools, aud("StringLikeIfExists", `"pool:*"`), refusedPool},
		{pools, aud("StringEqualsIgnoreCase", `"pool"`), ""},
		{pools, aud("ForAnyValue:StringEquals", `"pool"`), ""},
		{pools, aud("ForAllValues:StringEquals", `"pool"`), ""},
		{pools, aud("ForAllValues:StringLike", `["*","pool"]`), refusedPool},
		{pools, aud("Null", `"false"`), refusedPool},
		{pools, aud("NumericEquals", `"1"`), refusedPool},
		{pools, aud("Bool", `"true"`), refusedPool},
		{pools, `{"StringEquals":{"COGNITO-IDENTITY.AMAZONAWS.COM:AUD":"pool"}}`, ""},
		{pools, `{"StringEquals":{"aws:SourceIp":"192.0.2.1"}}`, refusedPool},

		{providerARN(gitlab), "", unscoped(providerARN(gitlab), "gitlab.com:sub")},
		{providerARN(gitlab), `{"StringEquals":{"gitlab.com:aud":"x"}}`, unscoped(providerARN(gitlab), "gitlab.com:sub")},
		{providerARN(gitlab), `{"StringLike":{"gitlab.com:sub":"project_path:mine/*"}}`, ""},
		{providerARN("api.pulumi.com/oidc"), `{"StringEquals":{"api.pulumi.com/oidc:aud":"aws:mine"}}`, ""},
		{providerARN("api.pulumi.com"), "", ""},
		{providerARN("sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d"), "", unscoped(providerARN("sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d"), "sts:RoleSessionName")},
		{providerARN("sts.windows.net/33e01921-4d64-4f8c-a055-5bdaffd5e33d"), `{"StringEquals":{"sts:RoleSessionName":"MicrosoftSentinel_1"}}`, ""},
		{providerARN("sts.windows.net/11111111-2222-3333-4444-555555555555"), "", ""}, // one tenant of Entra's
		{providerARN("idp.example.com/realms/a"), "", ""},

		{providerARN(github), "", refusedGitHub},
		{providerARN(github), sub("StringLike", `"repo:mine/*"`), ""},
		{providerARN(github), sub("StringLike", `"repo:*"`), ""},
		{providerARN(github), sub("StringLike", `"?*"`), ""},
		{providerARN(github), sub("StringLike", `"*owned"`), refusedGitHub},
		{providerARN(github), sub("StringLike", `"*??"`), refusedGitHub},
		{providerARN(github), sub("StringLike", `" "`), refusedGitHub},
		{providerARN(github), sub("StringLike", `"${aws:username}"`), ""},
		{providerARN(github), `{"StringEquals":{"` + github + `:job_workflow_ref":"mine"}}`, ""},
		{providerARN(github), `{"StringEquals":{"` + github + `:job_workflow_ref":""}}`, refusedGitHub},
		{providerARN(github), `{"StringEquals":{"` + github + `:job_workflow_ref":[]}}`, ""},
		{providerARN(github), `{"StringEquals":{"` + github + `:sub":"*","` + github + `:job_workflow_ref":"mine"}}`, refusedGitHub},
		{providerARN(github), `{"StringEquals":{"` + github + `:sub":"mine","` + github + `:job_workflow_ref":"*"}}`, refusedGitHub},
		{providerARN(github), `{"StringEquals":{"` + github + `:sub":"mine"},"StringLike":{"` + github + `:job_workflow_ref":"*"}}`, ""},
		{providerARN(github + "/private"), sub("StringEquals", `"mine"`), unscoped(providerARN(github+"/private"), github+"/private:sub or "+github+"/private:job_workflow_ref")},

		{"accounts.google.com", `{"StringEquals":{"accounts.google.com:email":"a@b"}}`, "Policy trusting accounts.google.com requires a StringEquals condition on an application id"},
		{"accounts.google.com", `{"StringEquals":{"accounts.google.com:aud":"*"}}`, ""},
		{"accounts.google.com", `{"StringLike":{"accounts.google.com:aud":"app"}}`, "Policy trusting accounts.google.com requires a StringEquals condition on an application id"},
		{"accounts.google.com", `{"StringEquals":{"accounts.google.com:SUB":"x"}}`, "Policy trusting accounts.google.com requires a StringEquals condition on an application id"},
		{"www.amazon.com", `{"StringEquals":{"www.amazon.com:app_id":"x"}}`, ""},
		{"www.amazon.com", `{"StringEquals":{"www.amazon.com:user_id":"x"}}`, "Policy trusting www.amazon.com requires a StringEquals condition on an application id"},
		{"graph.facebook.com", `{"StringEquals":{"graph.facebook.com:app_id":"x"}}`, ""},
		{"graph.facebook.com", `{"StringEquals":{"graph.facebook.com:id":"x"}}`, "Policy trusting graph.facebook.com requires a StringEquals condition on an application id"},
	} {
		t.Run(tt.principal+tt.condition, func(t *testing.T) {
			trust := federated("Allow", tt.principal, withWebIdentity, tt.condition)
			err := fails(w.UpdateAssumeRolePolicy(t.Context(), &sdk.UpdateAssumeRolePolicyInput{RoleName: new("target"), PolicyDocument: &trust}))
			if tt.message == "" {
				must(t, err)
				return
			}
			refused(t, err, "MalformedPolicyDocument", tt.message)
			refused(t, w.tries("fresh", trust), "MalformedPolicyDocument", tt.message)
		})
	}
}

func TestEveryStatementThatLetsTokensInMustChoose(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const scopedPool = `{"Effect":"Allow","Principal":{"Federated":"cognito-identity.amazonaws.com"},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":{"cognito-identity.amazonaws.com:aud":"pool"}}}`
	for name, tt := range map[string]struct {
		trust string
		ok    bool
	}{
		"denying everybody":              {federated("Deny", pools, withWebIdentity, ""), true},
		"tagging alone":                  {federated("Allow", pools, "sts:TagSession", ""), true},
		"all that begins so":             {federated("Allow", pools, "sts:AssumeRoleWith*", ""), false},
		"one good statement and one bad": {`{"Version":"2012-10-17","Statement":[` + scopedPool + `,{"Effect":"Allow","Principal":{"Federated":"` + pools + `"},"Action":["sts:TagSession","sts:assumerolewithwebidentity"]}]}`, false},
		"two good statements":            {`{"Version":"2012-10-17","Statement":[` + scopedPool + `,` + scopedPool + `]}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			err := w.tries(fmt.Sprintf("role-%d", len(name)), tt.trust)
			if tt.ok {
				must(t, err)
			} else {
				refused(t, err, "MalformedPolicyDocument", "A condition block must be present for the Cognito provider")
			}
		})
	}
}
