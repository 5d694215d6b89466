package treatytest

import (
	"bytes"
	"context"
	"encoding/base32"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/core/credential"
)

// racers makes one call eight times at once and counts what it was answered: "" for success, else the code.
func racers(call func(i int) error) map[string]int {
	var mu sync.Mutex
	answers := map[string]int{}
	eight(func(i int) {
		code := ""
		if err := call(i); err != nil {
			code, _, _ = strings.Cut(said(err), ":")
		}
		mu.Lock()
		defer mu.Unlock()
		answers[code]++
	})
	return answers
}

func TestLimitsOfAWSHoldUnderSimultaneousTries(t *testing.T) {
	t.Parallel()
	w := newAWSWorld(t)
	ctx := context.Background()
	c := w.iam(w.root)
	w.must(w.ask(w.root, "CreateUser", "UserName", "u")())
	for i := range 11 {
		w.must(w.ask(w.root, "CreateGroup", "GroupName", "g"+raw(i))())
		w.customerPolicy(w.root, "p"+raw(i), may("iam:GetUser", "*"))
	}
	policy := "arn:aws:iam::" + home + ":policy/p"
	for i := range 7 {
		w.must(w.ask(w.root, "AttachUserPolicy", "UserName", "u", "PolicyArn", policy+raw(i))())
		w.must(w.ask(w.root, "AddUserToGroup", "UserName", "u", "GroupName", "g"+raw(i))())
	}
	letters := []string{"same", "Same", "SAME", "sAme", "saMe", "samE", "SAme", "saME"}
	for _, race := range []struct {
		name string
		want string // counts by code
		call func(i int) error
	}{
		{"one role of one name", "[:1 EntityAlreadyExists:7]", func(int) error {
			return w.ask(w.root, "CreateRole", "RoleName", "same", "AssumeRolePolicyDocument", trusts(home))()
		}},
		{"one user, however it is written", "[:1 EntityAlreadyExists:7]", func(i int) error { return w.ask(w.root, "CreateUser", "UserName", letters[i])() }},
		{"one group, below eight paths", "[:1 EntityAlreadyExists:7]", func(i int) error {
			return w.ask(w.root, "CreateGroup", "GroupName", "same", "Path", "/"+raw(i)+"/")()
		}},
		{"one policy", "[:1 EntityAlreadyExists:7]", func(i int) error {
			return w.ask(w.root, "CreatePolicy", "PolicyName", letters[i], "PolicyDocument", may("iam:GetUser", "*"))()
		}},
		{"one provider", "[:1 EntityAlreadyExists:7]", func(int) error {
			return w.ask(w.root, "CreateOpenIDConnectProvider", "Url", "https://a.example")()
		}},
		{"two access keys", "[:2 LimitExceeded:6]", func(int) error { return w.ask(w.root, "CreateAccessKey", "UserName", "u")() }},
		{"four more versions of a policy", "[:4 LimitExceeded:4]", func(int) error {
			return w.ask(w.root, "CreatePolicyVersion", "PolicyArn", policy+"0", "PolicyDocument", may("iam:GetUser", "*"))()
		}},
		{"three more attachments beside seven", "", func(i int) error {
			return w.ask(w.root, "AttachUserPolicy", "UserName", "u", "PolicyArn", policy+raw(7+i%4))()
		}},
		{"three more groups beside seven", "", func(i int) error {
			return w.ask(w.root, "AddUserToGroup", "UserName", "u", "GroupName", "g"+raw(7+i%4))()
		}},
		{"inline policies up to 2048 characters", "[:1 LimitExceeded:7]", func(i int) error {
			return w.ask(w.root, "PutUserPolicy", "UserName", "u", "PolicyName", "i"+raw(i), "PolicyDocument", may("iam:"+strings.Repeat("x", 1100), "*"))()
		}},
		{"one name for eight renamed users", "[:1 EntityAlreadyExists:7]", func(i int) error {
			w.must(w.ask(w.root, "CreateUser", "UserName", "old"+raw(i))())
			return w.ask(w.root, "UpdateUser", "UserName", "old"+raw(i), "NewUserName", "new")()
		}},
		{"fifty tags", "", func(i int) error {
			in := []string{"UserName", "same"}
			for n := range 10 {
				in = append(in, fmt.Sprintf("Tags.member.%d.Key", n+1), fmt.Sprintf("k%d-%d", i, n), fmt.Sprintf("Tags.member.%d.Value", n+1), "v")
			}
			return w.ask(w.root, "TagUser", in...)()
		}},
		{"one deletion", "[:1 NoSuchEntity:7]", func(int) error { return w.ask(w.root, "DeleteGroup", "GroupName", "same")() }},
	} {
		got := racers(race.call)
		if text := strings.TrimPrefix(fmt.Sprint(got), "map"); race.want != "" && text != race.want {
			t.Errorf("%s: %s, want %s", race.name, text, race.want)
		}
		for code := range got {
			if !slices.Contains([]string{"", "EntityAlreadyExists", "LimitExceeded", "NoSuchEntity"}, code) {
				t.Errorf("%s: %v", race.name, got)
			}
		}
	}
	attached, err := c.ListAttachedUserPolicies(ctx, &iam.ListAttachedUserPoliciesInput{UserName: aws.String("u")})
	w.must(err)
	groups, err := c.ListGroupsForUser(ctx, &iam.ListGroupsForUserInput{UserName: aws.String("u")})
	w.must(err)
	versions, err := c.ListPolicyVersions(ctx, &iam.ListPolicyVersionsInput{PolicyArn: aws.String(policy + "0")})
	w.must(err)
	tagged, err := c.ListUserTags(ctx, &iam.ListUserTagsInput{UserName: aws.String("same")})
	w.must(err)
	if a, g, v, n := len(attached.AttachedPolicies), len(groups.Groups), len(versions.Versions), len(tagged.Tags); a != 10 || g != 10 || v != 5 || n != 50 {
		t.Errorf("%d policies attached, %d groups, %d versions, %d tags", a, g, v, n)
	}
}

// A code of a second factor is good once, whoever is first and by whatever operation.
func TestACodeIsSpentOnce(t *testing.T) {
	t.Parallel()
	w := newAWSWorld(t)
	ctx := t.Context()
	user := w.AddUser("user", may("sts:*", "*"))
	other := w.AddUser("other", may("sts:*", "*"))
	role := w.AddRole("proved", doc(`"Effect":"Allow","Principal":{"AWS":"`+home+`"},"Action":"sts:AssumeRole","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"},"NumericLessThan":{"aws:MultiFactorAuthAge":"60"}}`), may("*", "*"))
	made, err := w.iam(w.root).CreateVirtualMFADevice(ctx, &iam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: aws.String("phone")})
	w.must(err)
	serial := *made.VirtualMFADevice.SerialNumber
	seed, err := base32.StdEncoding.DecodeString(string(bytes.TrimSpace(made.VirtualMFADevice.Base32StringSeed)))
	w.must(err)
	step := func() int64 { return credential.TOTPStep(w.Now()) }
	code := func(n int64) string { return credential.TOTP(seed, n) }
	enable := w.ask(w.root, "EnableMFADevice", "UserName", "user", "SerialNumber", serial, "AuthenticationCode1", code(step()-2), "AuthenticationCode2", code(step()-1))
	w.must(enable())
	try := func(c aws.Config, code string) func() error {
		return w.tryAssume(c, role, func(in *sts.AssumeRoleInput) { in.SerialNumber, in.TokenCode = &serial, &code })
	}
	session := func(c aws.Config, code string) (aws.Config, error) {
		out, err := w.sts(c).GetSessionToken(ctx, &sts.GetSessionTokenInput{SerialNumber: &serial, TokenCode: &code})
		if err != nil {
			return aws.Config{}, err
		}
		return w.temporary(out.Credentials.AccessKeyId, out.Credentials.SecretAccessKey, out.Credentials.SessionToken), nil
	}
	const spent = "AccessDenied: MultiFactorAuthentication failed with invalid MFA one time pass code."
	now := code(step())
	if got := racers(func(i int) error {
		if i%2 == 0 {
			return try(user, now)()
		}
		_, err := session(user, now)
		return err
	}); got[""] != 1 || got["AccessDenied"] != 7 {
		t.Errorf("one code was good %d times: %v", got[""], got)
	}
	w.Advance(30 * time.Second)
	var proved aws.Config
	withstand(t, 14, []attack{
		{"the code of the enabling", spent, try(user, code(step()-2))},
		{"a spent code", spent, try(user, code(step()-1))},
		{"a code of two steps ahead", spent, try(user, code(step()+2))},
		{"another's device", "AccessDenied", try(other, code(step()))},
		{"the device in other letters", "AccessDenied", func() error {
			c, up := code(step()), strings.Replace(serial, "phone", "PHONE", 1)
			return w.tryAssume(user, role, func(in *sts.AssumeRoleInput) { in.SerialNumber, in.TokenCode = &up, &c })()
		}},
		{"a role with another's device", "AccessDenied", func() error {
			return try(w.assume(user, w.AddRole("plain", trusts(home), may("*", "*"))), code(step()))()
		}},
		{"a code with a space", "ValidationError", try(user, " "+code(step())[1:])},
		{"a code of five digits", "ValidationError", try(user, code(step())[1:])},
		{"a device without a code", "AccessDenied: MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.", w.tryAssume(user, role, func(in *sts.AssumeRoleInput) { in.SerialNumber = &serial })},
		{"the device taken by another user", "EntityAlreadyExists: MFA Device is already in use.", w.ask(w.root, "EnableMFADevice", "UserName", "other", "SerialNumber", serial, "AuthenticationCode1", code(step()), "AuthenticationCode2", code(step()+1))},
		{"the device switched off by another's name", "NoSuchEntity", w.ask(w.root, "DeactivateMFADevice", "UserName", "other", "SerialNumber", serial)},
		{"the device deleted while it is in use", "DeleteConflict", w.ask(w.root, "DeleteVirtualMFADevice", "SerialNumber", serial)},
		{"a fresh code, in a session", "", func() (err error) { proved, err = session(user, code(step())); return err }},
		{"in which IAM is open", "AccessDenied", func() error { return w.getRole(proved, "proved")() }},
		{"and the role", "", func() error { return w.tryAssume(proved, role)() }},
		{"but a role's session proves nothing further", "AccessDenied", func() error { return w.tryAssume(w.assume(proved, role), role)() }},
		{"and not for long", "AccessDenied", func() error {
			w.Advance(61 * time.Second)
			return w.tryAssume(proved, role)()
		}},
		{"switched off and on by old codes", "InvalidAuthenticationCode", func() error {
			w.must(w.ask(w.root, "DeactivateMFADevice", "UserName", "user", "SerialNumber", serial)())
			return w.ask(w.root, "EnableMFADevice", "UserName", "user", "SerialNumber", serial, "AuthenticationCode1", code(step()-5), "AuthenticationCode2", code(step()-4))()
		}},
	})
}

// Eight clients with one login are one identity, and with two logins of one person as well.
func TestOneLoginIsOneIdentityHoweverManyAsk(t *testing.T) {
	t.Parallel()
	w := newPoolWorld(t)
	ctx := t.Context()
	var mu sync.Mutex
	ids := map[string]bool{}
	if got := racers(func(int) error {
		id, err := w.id(w.logins(m{"sub": "one"}))
		mu.Lock()
		defer mu.Unlock()
		ids[id] = true
		return err
	}); got[""] != 8 || len(ids) != 1 {
		t.Errorf("%v, %d identities", got, len(ids))
	}
	dev, _ := w.DeveloperToken(w.pool, "dev")
	if got := racers(func(i int) error {
		_, err := w.pools(w.root).GetOpenIdTokenForDeveloperIdentity(ctx, &cognitoidentity.GetOpenIdTokenForDeveloperIdentityInput{
			IdentityPoolId: &w.pool.ID, IdentityId: &dev, Logins: map[string]string{"my.dev.provider": "dev", w.good.name: w.good.token(w.Now(), m{"sub": "person" + raw(i)})},
		})
		return err
	}); got[""] != 1 || got["ResourceConflictException"] != 7 {
		t.Errorf("an identity has eight persons of one issuer: %v", got)
	}
}
