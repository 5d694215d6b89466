package treatytest

import (
	"context"
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/core/credential"
)

// iamTags are tags of IAM's entities.
func iamTags(pairs ...string) (out []iamtypes.Tag) {
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, iamtypes.Tag{Key: &pairs[i], Value: &pairs[i+1]})
	}
	return out
}

// keysOf takes a configuration's credentials apart.
func (w *awsWorld) keysOf(c aws.Config) aws.Credentials {
	w.t.Helper()
	keys, err := c.Credentials.Retrieve(context.Background())
	w.must(err)
	return keys
}

func TestTemporaryKeysGoWithTheirOwnTokenOnly(t *testing.T) {
	t.Parallel()
	w := newAWSWorld(t)
	ctx := t.Context()
	user := w.AddUser("user", may("sts:* cognito-identity:*", "*"))
	role, other := w.AddRole("role", trusts(home), may("*", "*")), w.AddRole("other", trusts(home))
	one, two, late := w.assume(user, role), w.assume(user, role), w.assume(user, other, lasting(900))
	foreign := &awsWorld{Treaty: &Treaty{t: w.t, AWSConfig: w.away, HTTPClient: w.HTTPClient, server: w.server}}
	theirs := foreign.AddUser("user", may("sts:*", "*"))
	theirRole := foreign.AddRole("role", trusts(away), may("*", "*"))
	away1 := w.assume(theirs, theirRole)
	elsewhere := newAWSWorld(t)
	stranger := elsewhere.assume(elsewhere.AddUser("user", may("sts:*", "*")), elsewhere.AddRole("role", trusts(home), may("*", "*")))
	a, b, x, s, long := w.keysOf(one), w.keysOf(two), w.keysOf(away1), w.keysOf(stranger), w.keysOf(user)
	if account, ok := credential.AccountOf(a.AccessKeyID); !ok || account != home {
		t.Errorf("the key id says account %s", account)
	}
	if account, ok := credential.AccountOf(x.AccessKeyID); !ok || account != away {
		t.Errorf("the other account's key id says account %s", account)
	}
	who := url.Values{"Action": {"GetCallerIdentity"}, "Version": {"2011-06-15"}}
	mixed := func(id, secret, token string) func() error {
		return func() error { return w.call(w.As(id, secret, token), "sts", who) }
	}
	json11 := func(id, secret, token string) func() error { return w.listPools(w.As(id, secret, token)) }
	bits, err := base64.StdEncoding.DecodeString(a.SessionToken)
	w.must(err)
	bits[len(bits)-1] ^= 1
	turned := base64.StdEncoding.EncodeToString(bits)
	moved := "ASIA" + x.AccessKeyID[4:14] + a.AccessKeyID[14:] // the other account's bits, this one's rest
	const invalid = "InvalidClientTokenId: The security token included in the request is invalid."
	const unknown = "UnrecognizedClientException: The security token included in the request is invalid."
	withstand(t, 24, []attack{
		{"a key with its token", "", mixed(a.AccessKeyID, a.SecretAccessKey, a.SessionToken)},
		{"a key with another session's token of the same role", invalid, mixed(a.AccessKeyID, a.SecretAccessKey, b.SessionToken)},
		{"another's key id with my secret and token", invalid, mixed(b.AccessKeyID, a.SecretAccessKey, a.SessionToken)},
		{"another's key id and token with my secret", "SignatureDoesNotMatch", mixed(b.AccessKeyID, a.SecretAccessKey, b.SessionToken)},
		{"a key id of the other account with my token", invalid, mixed(moved, a.SecretAccessKey, a.SessionToken)},
		{"the other account's key with my token", invalid, mixed(x.AccessKeyID, x.SecretAccessKey, a.SessionToken)},
		{"my key with the other account's token", invalid, mixed(a.AccessKeyID, a.SecretAccessKey, x.SessionToken)},
		{"a key without its token", invalid, mixed(a.AccessKeyID, a.SecretAccessKey, "")},
		{"a token with one bit turned", invalid, mixed(a.AccessKeyID, a.SecretAccessKey, turned)},
		{"a token cut short", invalid, mixed(a.AccessKeyID, a.SecretAccessKey, a.SessionToken[:len(a.SessionToken)-4])},
		{"a token with something behind", invalid, mixed(a.AccessKeyID, a.SecretAccessKey, a.SessionToken+"AAAA")},
		{"a token that is no base64", invalid, mixed(a.AccessKeyID, a.SecretAccessKey, "!"+a.SessionToken[1:])},
		{"a token beyond all tokens", invalid, mixed(a.AccessKeyID, a.SecretAccessKey, strings.Repeat("A", 8192))},
		{"a token of another server", invalid, mixed(s.AccessKeyID, s.SecretAccessKey, s.SessionToken)},
		{"a key id in small letters", invalid, mixed(strings.ToLower(a.AccessKeyID), a.SecretAccessKey, a.SessionToken)},
		{"a temporary key id as a long-term one", invalid, mixed("AKIA"+a.AccessKeyID[4:], a.SecretAccessKey, a.SessionToken)},
		{"a long-term key with a token", invalid, mixed(long.AccessKeyID, long.SecretAccessKey, a.SessionToken)},
		{"a long-term key as a temporary one", invalid, mixed("ASIA"+long.AccessKeyID[4:], long.SecretAccessKey, a.SessionToken)},
		{"a key id with SQL in it", invalid, mixed("AKIA'or'1'='1", "x", "")},
		{"a key id with spaces", "IncompleteSignature", mixed("AKIA' or 1=1 --", "x", "")},
		{"a key that is nobody's", invalid, mixed("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "")},
		{"the other account's key cannot see this one's pools", "ResourceNotFoundException", func() error {
			pool := w.AddPool("mine", "my.dev.provider")
			return w.describe(away1, pool.ID)()
		}},
		{"the JSON services: another session's token", unknown, json11(a.AccessKeyID, a.SecretAccessKey, b.SessionToken)},
		{"the JSON services: no token", unknown, json11(a.AccessKeyID, a.SecretAccessKey, "")},
		{"the JSON services: a wrong secret", "InvalidSignatureException", json11(a.AccessKeyID, b.SecretAccessKey, a.SessionToken)},
		{"the JSON services: a turned token", unknown, json11(a.AccessKeyID, a.SecretAccessKey, turned)},
		{"a session whose policy is taken away may nothing at once", "AccessDenied", func() error {
			w.must(w.getRole(one, "role")())
			_, err := w.iam(w.root).DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: aws.String("role"), PolicyName: aws.String("policya")})
			w.must(err)
			return w.getRole(one, "role")()
		}},
		{"and once it is attached again, may again", "", func() error {
			_, err := w.iam(w.root).AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: aws.String("role"), PolicyArn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")})
			w.must(err)
			return w.getRole(one, "role")()
		}},
		{"and under a boundary that is set now, nothing", "AccessDenied", func() error {
			_, err := w.iam(w.root).PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: aws.String("role"), PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/AmazonCognitoReadOnly")})
			w.must(err)
			return w.getRole(one, "role")()
		}},
		{"and after it is detached, nothing", "AccessDeniedException", func() error {
			w.must(w.listPools(one)())
			_, err := w.iam(w.root).DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: aws.String("role"), PolicyArn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")})
			w.must(err)
			return w.listPools(one)()
		}},
		{"a deleted role's session is nobody's", invalid, func() error {
			_, err := w.iam(w.root).DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String("role")})
			w.must(err)
			return mixed(a.AccessKeyID, a.SecretAccessKey, a.SessionToken)()
		}},
		{"nor when the role is made again", invalid, func() error {
			w.AddRole("role", trusts(home), may("*", "*"))
			return mixed(a.AccessKeyID, a.SecretAccessKey, a.SessionToken)()
		}},
		{"an expired session", "ExpiredToken: The security token included in the request is expired", func() error {
			w.Advance(15 * time.Minute)
			return w.call(late, "sts", who)
		}},
		{"an expired session and a wrong secret", "ExpiredToken", func() error {
			l := w.keysOf(late)
			return mixed(l.AccessKeyID, "wrong", l.SessionToken)()
		}},
	})
}
