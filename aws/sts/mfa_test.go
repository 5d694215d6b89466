package sts_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
)

const (
	noPair   = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
	noDevice = "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user."
	noCode   = "MultiFactorAuthentication failed with invalid MFA one time pass code."
)

// device gives a user, or the root with the account's number, a virtual device.
func (w *world) device(name, owner string, edit ...func(*directory.MFADevice)) (serial string, seed []byte) {
	w.t.Helper()
	seed = make([]byte, 20)
	_, err := rand.Read(seed)
	must(w.t, err)
	d := directory.MFADevice{UserID: owner, EnabledAt: start, IAMEntity: directory.IAMEntity{
		ID: "mfa-" + name, AccountID: account, ARN: "arn:aws:iam::" + account + ":mfa/" + name, Path: "/", Name: name, CreatedAt: start,
	}}
	d.Sealed, err = w.sealer.Seal("mfa "+d.ARN, seed)
	must(w.t, err)
	for _, e := range edit {
		e(&d)
	}
	must(w.t, w.store.MFADevices.Create(w.t.Context(), d, 1000))
	return d.ARN, seed
}

// code is what a device shows so much from now.
func (w *world) code(seed []byte, later time.Duration) string {
	return credential.TOTP(seed, credential.TOTPStep(w.now().Add(later)))
}

func (w *world) sessionToken(c aws.Credentials, serial, code string) (*sdk.GetSessionTokenOutput, error) {
	in := &sdk.GetSessionTokenInput{}
	if serial != "" {
		in.SerialNumber = &serial
	}
	if code != "" {
		in.TokenCode = &code
	}
	return w.client(c).GetSessionToken(w.t.Context(), in)
}

func TestSecondFactors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u, key := w.newUser("bob")
	other, _ := w.newUser("other")
	serial, seed := w.device("bob", u.ID)
	others, otherSeed := w.device("other", other.ID)
	fresh, freshSeed := w.device("fresh", "")
	for name, tt := range map[string]struct{ serial, code, message string }{
		"no code":                    {serial, "", noPair},
		"no serial number":           {"", w.code(seed, 0), noPair},
		"a device that is not there": {serial + "x", w.code(seed, 0), noDevice},
		"another's device":           {others, w.code(otherSeed, 0), noDevice},
		"a device not enabled":       {fresh, w.code(freshSeed, 0), noDevice},
		"a hardware device":          {"GAHT12345678", "123456", noDevice},
		"another device's code":      {serial, w.code(otherSeed, 0), noCode},
		"a code that is too old":     {serial, w.code(seed, -5*time.Minute), noCode},
		"a code of the future":       {serial, w.code(seed, 5*time.Minute), noCode},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := w.sessionToken(key, tt.serial, tt.code)
			refused(t, err, "AccessDenied", tt.message)
			if e := w.event(); tt.code != "" && strings.Contains(string(e.Evidence), `"`+tt.code+`"`) {
				t.Errorf("the event has the code: %s", e.Evidence)
			}
		})
	}
	out, err := w.sessionToken(key, serial, w.code(seed, 0))
	must(t, err)
	if s := w.session(temporary(out.Credentials)); !s.MFAAt.Equal(start) {
		t.Errorf("proved at %v", s.MFAAt)
	}
	_, err = w.sessionToken(key, serial, w.code(seed, 0))
	refused(t, err, "AccessDenied", noCode)
	_, err = w.sessionToken(key, serial, w.code(seed, -30*time.Second))
	refused(t, err, "AccessDenied", noCode) // older than the one that was used
	w.pass(30 * time.Second)
	if _, err = w.sessionToken(key, serial, w.code(seed, 0)); err != nil {
		t.Error(err)
	}
}

func TestACodeIsGoodOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u, key := w.newUser("bob")
	serial, seed := w.device("bob", u.ID)
	r := w.role("Guarded", trusts(u.ARN, assuming, `"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}`))
	code := w.code(seed, 0)
	for _, call := range []func() error{
		func() error { _, err := w.sessionToken(key, serial, code); return err },
		func() error {
			_, err := w.assume(key, r.ARN, func(in *sdk.AssumeRoleInput) { in.SerialNumber, in.TokenCode = &serial, &code })
			return err
		},
	} {
		succeeded, failed := eight(call)
		if succeeded != 1 {
			t.Errorf("%d of eight succeeded", succeeded)
		}
		for _, err := range failed {
			refused(t, err, "AccessDenied", noCode)
		}
		w.pass(30 * time.Second)
		code = w.code(seed, 0)
	}
}

func TestRolesThatWantASecondFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	u, key := w.newUser("bob")
	serial, seed := w.device("bob", u.ID)
	guarded := w.role("Guarded", trusts(u.ARN, assuming, `"Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"},"NumericLessThan":{"aws:MultiFactorAuthAge":"3600"}}`))
	next := w.role("Next", trusts(guarded.ARN, assuming))

	_, err := w.assume(key, guarded.ARN)
	refused(t, err, "AccessDenied", "User: "+u.ARN+" is not authorized to perform: sts:AssumeRole on resource: "+guarded.ARN)
	plain, err := w.sessionToken(key, "", "")
	must(t, err)
	_, err = w.assume(temporary(plain.Credentials), guarded.ARN)
	refused(t, err, "AccessDenied", "")

	proved, err := w.sessionToken(key, serial, w.code(seed, 0))
	must(t, err)
	out, err := w.assume(temporary(proved.Credentials), guarded.ARN)
	must(t, err)
	if s := w.session(temporary(out.Credentials)); !s.MFAAt.IsZero() || s.Chained {
		t.Errorf("a role's session has a second factor: %+v", s)
	}
	w.pass(time.Hour)
	_, err = w.assume(temporary(proved.Credentials), guarded.ARN)
	refused(t, err, "AccessDenied", "") // proved too long ago

	code := w.code(seed, 0)
	out, err = w.assume(temporary(plain.Credentials), guarded.ARN, func(in *sdk.AssumeRoleInput) { in.SerialNumber, in.TokenCode = &serial, &code })
	must(t, err)
	chained, err := w.assume(temporary(out.Credentials), next.ARN)
	must(t, err)
	if s := w.session(temporary(chained.Credentials)); !s.MFAAt.IsZero() {
		t.Errorf("a chained session has a second factor: %+v", s)
	}
	w.pass(30 * time.Second)
	code = w.code(seed, 0)
	_, err = w.assume(temporary(out.Credentials), next.ARN, func(in *sdk.AssumeRoleInput) { in.SerialNumber, in.TokenCode = &serial, &code })
	refused(t, err, "AccessDenied", noDevice) // a role has no device
}

func TestTheRootsSecondFactor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	serial, seed := w.device("root-account-mfa-device", account)
	out, err := w.sessionToken(w.root, serial, w.code(seed, 0))
	must(t, err)
	if s := w.session(temporary(out.Credentials)); s.MFAAt.IsZero() {
		t.Errorf("%+v", s)
	}
	_, err = w.sessionToken(w.user, serial, w.code(seed, 30*time.Second))
	refused(t, err, "AccessDenied", noDevice)
}
