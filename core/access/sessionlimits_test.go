package access

import (
	"strings"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/policy"
)

func TestWhatSessionsMayNotCall(t *testing.T) {
	t.Parallel()
	of := func(kind policy.PrincipalType, s *credential.Session) Subject {
		return Subject{Principal: policy.Principal{Type: kind}, Session: s}
	}
	plain, proved := &credential.Session{}, &credential.Session{MFAAt: time.Unix(1, 0)}
	for name, tt := range map[string]struct {
		subject Subject
		barred  string // operations
		spared  string
	}{
		"a user's long-term key":         {of(policy.User, nil), "", "iam:GetUser sts:GetSessionToken sts:GetFederationToken s3:GetObject"},
		"a root's long-term key":         {of(policy.Account, nil), "", "iam:GetUser sts:GetSessionToken"},
		"a user's session":               {of(policy.User, plain), "iam:GetUser sts:GetSessionToken sts:GetFederationToken sts:DecodeAuthorizationMessage sts:GetAccessKeyInfo", "sts:AssumeRole sts:GetWebIdentityToken sts:GetCallerIdentity s3:GetObject"},
		"a user's session after MFA":     {of(policy.User, proved), "sts:GetSessionToken sts:GetFederationToken", "iam:GetUser sts:AssumeRole sts:GetCallerIdentity"},
		"a root's session":               {of(policy.Account, plain), "iam:GetUser sts:GetSessionToken", "sts:GetCallerIdentity s3:GetObject"},
		"a federated user's session":     {of(policy.FederatedUser, proved), "iam:GetUser sts:AssumeRole sts:GetSessionToken", "sts:GetWebIdentityToken sts:GetCallerIdentity s3:GetObject"},
		"a role's session":               {of(policy.AssumedRole, plain), "sts:GetSessionToken sts:GetFederationToken", "iam:GetUser sts:AssumeRole sts:GetWebIdentityToken sts:DecodeAuthorizationMessage"},
		"somebody without a session yet": {of(policy.WebIdentity, nil), "", "sts:AssumeRoleWithWebIdentity"},
	} {
		for want, list := range map[bool]string{true: tt.barred, false: tt.spared} {
			for action := range strings.FieldsSeq(list) {
				service, operation, _ := strings.Cut(action, ":")
				if why, got := tt.subject.Barred(service, operation); got != want || got != (why != "") {
					t.Errorf("%s: %s is barred: %v %q", name, action, got, why)
				}
			}
		}
	}
}
