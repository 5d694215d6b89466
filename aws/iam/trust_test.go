package iam_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"
)

// trusting is a trust policy that lets principals of kind AWS assume a role.
func trusting(principals ...string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["` + strings.Join(principals, `","`) + `"]},"Action":"sts:AssumeRole"}]}`
}

// tries is CreateRole of a role with a trust policy, under a name of its own.
func (w *world) tries(name, trust string) error {
	return fails(w.CreateRole(context.Background(), &sdk.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust}))
}

// shown is the trust policy of a role as GetRole shows it.
func (w *world) shown(role string) string {
	w.t.Helper()
	out, err := w.GetRole(context.Background(), &sdk.GetRoleInput{RoleName: &role})
	must(w.t, err)
	text, err := url.PathUnescape(*out.Role.AssumeRolePolicyDocument)
	must(w.t, err)
	return text
}

func TestTrustedPrincipalsMustExist(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, fails(w.CreateUser(t.Context(), &sdk.CreateUserInput{UserName: new("ann"), Path: new("/eng/")})))
	worker := w.role("worker")
	r, err := w.store.IAMRoles.Named(t.Context(), account, "worker")
	must(t, err)
	w.role("target")
	update := func(trust string) error {
		return fails(w.UpdateAssumeRolePolicy(t.Context(), &sdk.UpdateAssumeRolePolicyInput{RoleName: new("target"), PolicyDocument: &trust}))
	}
	for _, good := range []string{
		"*", account, stranger, "999999999999",
		"arn:aws:iam::123456789012:root", "arn:aws:iam::999999999999:root", "arn:aws:iam::999999999999:user/whoever", "arn:aws:iam::999999999999:role/whatever",
		"arn:aws:iam::123456789012:user/eng/ann", worker, r.ID,
		"arn:aws:sts::123456789012:assumed-role/worker/session", "arn:aws:sts::123456789012:federated-user/bob",
	} {
		if err := update(trusting(good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{
		"arn:aws:iam::123456789012:user/ann", // not its path
		"arn:aws:iam::123456789012:user/eng/ANN", "arn:aws:iam::123456789012:user/missing", "arn:aws:iam::210987654321:role/worker",
		"arn:aws:iam::123456789012:user/*", "AROAMISSINGMISSINGMIS", "AIDAMISSINGMISSINGMIS", "12345", "ann", "arn:aws:s3:::bucket",
		"arn:aws:iam::123456789012:group/admins", "arn:aws:sts::123456789012:assumed-role/worker/*",
	} {
		want := `Invalid principal in policy: "AWS":"` + bad + `"`
		t.Run(bad, func(t *testing.T) {
			refused(t, update(trusting(worker, bad)), "MalformedPolicyDocument", want)
			refused(t, w.tries("fresh", trusting(bad)), "MalformedPolicyDocument", want)
		})
	}
	if got := w.shown("target"); !strings.Contains(got, "federated-user/bob") {
		t.Errorf("a refused update changed the policy: %s", got)
	}
}

func TestTrustStaysWithWhomItWasGivenTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const ann = "arn:aws:iam::123456789012:user/ann"
	create := func() string {
		out, err := w.CreateUser(t.Context(), &sdk.CreateUserInput{UserName: new("ann")})
		must(t, err)
		return *out.User.UserId
	}
	first := create()
	must(t, w.tries("target", trusting(ann, account)))
	r, err := w.store.IAMRoles.Named(t.Context(), account, "target")
	must(t, err)
	if diff := cmp.Diff(map[string]string{ann: first}, r.TrustIDs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := w.shown("target"); !strings.Contains(got, `"`+ann+`"`) || !strings.Contains(got, `"arn:aws:iam::123456789012:root"`) {
		t.Errorf("shown as %s", got)
	}
	must(t, fails(w.UpdateUser(t.Context(), &sdk.UpdateUserInput{UserName: new("ann"), NewUserName: new("anna"), NewPath: new("/eng/")})))
	if got := w.shown("target"); !strings.Contains(got, `"arn:aws:iam::123456789012:user/eng/anna"`) {
		t.Errorf("after the renaming: %s", got)
	}
	must(t, fails(w.DeleteUser(t.Context(), &sdk.DeleteUserInput{UserName: new("anna")})))
	if got := w.shown("target"); !strings.Contains(got, `"`+first+`"`) || strings.Contains(got, "user/") {
		t.Errorf("after the deletion: %s", got)
	}
	if second := create(); second == first {
		t.Error("a unique id was used again")
	}
	if got := w.shown("target"); !strings.Contains(got, `"`+first+`"`) {
		t.Errorf("another user of the name took the trust over: %s", got)
	}
	refused(t, w.tries("other", trusting(first)), "MalformedPolicyDocument", `Invalid principal in policy: "AWS":"`+first+`"`)
}

func TestTrustPoliciesAreRefusedInAWSsWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	statement := func(s string) string { return `{"Version":"2012-10-17","Statement":[` + s + `]}` }
	for name, tt := range map[string]struct{ trust, code, message string }{
		"not JSON":    {"{", "MalformedPolicyDocument", "This policy contains invalid Json"},
		"a resource":  {statement(`{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole","Resource":"*"}`), "MalformedPolicyDocument", "Has prohibited field Resource"},
		"a bare star": {statement(`{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}`), "MalformedPolicyDocument", `AssumeRolepolicy contained an invalid principal: "STAR":"*".`},
		"a provider without a dot": {statement(`{"Effect":"Allow","Principal":{"Federated":"nobody"},"Action":"sts:AssumeRoleWithWebIdentity"}`),
			"MalformedPolicyDocument", "Federated principals must be valid domain names or SAML metadata ARNs"},
		"another service's action": {statement(`{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"s3:GetObject"}`),
			"MalformedPolicyDocument", "AssumeRole policy may only specify STS AssumeRole actions."},
		"too long": {statement(`{"Sid":"` + strings.Repeat("a", 2048) + `","Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}`),
			"LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048"},
		"an empty document": {"", "ValidationError", ""},
	} {
		t.Run(name, func(t *testing.T) { refused(t, w.tries("fresh", tt.trust), tt.code, tt.message) })
	}
	if err := w.tries("roomy", statement(strings.Repeat(" ", 4000)+`{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}`)); err != nil {
		t.Errorf("white space counts: %v", err)
	}
}
