package sts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/core/directory"
)

func TestDurationsOfSessionTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, tt := range map[string]struct {
		key     aws.Credentials
		seconds *int32
		want    time.Duration
	}{
		"a user's, by default":        {w.user, nil, 12 * time.Hour},
		"a user's shortest":           {w.user, new(int32(900)), 15 * time.Minute},
		"a user's longest":            {w.user, new(int32(129600)), 36 * time.Hour},
		"the root's, by default":      {w.root, nil, time.Hour},
		"the root's shortest":         {w.root, new(int32(900)), 15 * time.Minute},
		"the root's, cut to its hour": {w.root, new(int32(129600)), time.Hour},
	} {
		out, err := w.client(tt.key).GetSessionToken(t.Context(), &sdk.GetSessionTokenInput{DurationSeconds: tt.seconds})
		if err != nil || !out.Credentials.Expiration.Equal(start.Add(tt.want)) {
			t.Errorf("%s: %v", name, err)
		}
		federated, err := w.client(tt.key).GetFederationToken(t.Context(), &sdk.GetFederationTokenInput{Name: new("x1"), DurationSeconds: tt.seconds})
		if tt.key == w.root && (err != nil || !federated.Credentials.Expiration.Equal(start.Add(tt.want))) {
			t.Errorf("%s, federated: %v", name, err)
		}
	}
}

// What sessions may not call (STS API reference, GetSessionToken and GetFederationToken).
func TestSessionsThatMayNotCallSTS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, key := w.newUser("admin", func(u *directory.IAMUser) { u.Managed = []string{administrator} })
	r := w.role("Admin", trusts(root, everyTrust), func(r *directory.IAMRole) { r.Managed = []string{administrator} })
	session, err := w.client(key).GetSessionToken(t.Context(), nil)
	must(t, err)
	federated, err := w.client(key).GetFederationToken(t.Context(), &sdk.GetFederationTokenInput{Name: new("carol"), Policy: new(everything)})
	must(t, err)
	assumed, err := w.assume(temporary(session.Credentials), r.ARN)
	must(t, err)
	kinds := map[string]aws.Credentials{"session": temporary(session.Credentials), "federated": temporary(federated.Credentials), "role": temporary(assumed.Credentials)}
	for _, tt := range []struct {
		operation string
		call      func(c *sdk.Client) error
		barred    string // kinds
	}{
		{"GetSessionToken", func(c *sdk.Client) error { _, err := c.GetSessionToken(t.Context(), nil); return err }, "session federated role"},
		{"GetFederationToken", func(c *sdk.Client) error {
			_, err := c.GetFederationToken(t.Context(), &sdk.GetFederationTokenInput{Name: new("dave")})
			return err
		}, "session federated role"},
		{"AssumeRole", func(c *sdk.Client) error {
			_, err := c.AssumeRole(t.Context(), &sdk.AssumeRoleInput{RoleArn: &r.ARN, RoleSessionName: new("again")})
			return err
		}, "federated"},
		{"AssumeRoot", func(c *sdk.Client) error { _, err := c.AssumeRoot(t.Context(), rootTask(stranger)); return err }, "session federated"},
		{"GetDelegatedAccessToken", func(c *sdk.Client) error {
			_, err := c.GetDelegatedAccessToken(t.Context(), &sdk.GetDelegatedAccessTokenInput{TradeInToken: new("token")})
			return err
		}, "session federated"},
	} {
		for kind, credentials := range kinds {
			err := tt.call(w.client(credentials))
			if strings.Contains(tt.barred, kind) {
				refused(t, err, "AccessDenied", "Cannot call "+tt.operation+" with session credentials")
				if e := w.event(); e.Code != "AccessDenied" || !strings.Contains(string(e.Evidence), "kind of session") {
					t.Errorf("%s by %s: event %s", tt.operation, kind, e.Evidence)
				}
			} else if err != nil && strings.Contains(err.Error(), "with session credentials") {
				t.Errorf("%s by %s: %v", tt.operation, kind, err)
			}
		}
	}
}

func TestGetSessionTokenTakesNoPermission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, key := w.newUser("denied", func(u *directory.IAMUser) {
		u.Inline = []directory.InlinePolicy{{Name: "deny", Document: `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"sts:GetSessionToken","Resource":"*"}]}`}}
	})
	out, err := w.client(key).GetSessionToken(t.Context(), nil)
	must(t, err)
	if s := w.session(temporary(out.Credentials)); s.Limited || s.Chained || !s.MFAAt.IsZero() {
		t.Errorf("%+v", s)
	}
	if *out.SessionTokenSize != int32(len(*out.Credentials.SessionToken)) {
		t.Errorf("size %d", *out.SessionTokenSize)
	}
}
