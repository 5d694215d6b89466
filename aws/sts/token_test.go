package sts_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/core/credential"
)

const badToken = "The security token included in the request is invalid."

func (w *world) who(c aws.Credentials) error {
	_, err := w.client(c).GetCallerIdentity(w.t.Context(), nil)
	return err
}

func TestSessionsEndAtTheirExpiration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("Short", trusts(user, assuming))
	out, err := w.assume(w.user, r.ARN, seconds(900))
	must(t, err)
	key := temporary(out.Credentials)
	w.pass(900*time.Second - time.Nanosecond)
	must(t, w.who(key))
	w.pass(time.Nanosecond)
	refused(t, w.who(key), "ExpiredToken", "The security token included in the request is expired")
	if w.last().status != 403 {
		t.Errorf("status %d", w.last().status)
	}
	_, err = w.assume(key, r.ARN)
	refused(t, err, "ExpiredToken", "The security token included in the request is expired")
}

// Somebody who changes a single bit of a session token has none.
func TestAlteredSessionTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("Reader", trusts(user, tagging))
	out, err := w.assume(w.user, r.ARN, tagged("Team", "red"))
	must(t, err)
	key := temporary(out.Credentials)
	raw, err := base64.StdEncoding.DecodeString(key.SessionToken)
	must(t, err)
	for i := range raw {
		altered := append([]byte(nil), raw...)
		altered[i] ^= 1 << (i % 8)
		forged := key
		forged.SessionToken = base64.StdEncoding.EncodeToString(altered)
		if _, found, err := w.access.Key(t.Context(), forged.AccessKeyID, forged.SessionToken); err != nil || found.Checks.OK() {
			t.Fatalf("bit flipped in byte %d of %d: %+v, %v", i, len(raw), found, err)
		}
		if i%32 == 0 { // by the wire as well
			refused(t, w.who(forged), "InvalidClientTokenId", badToken)
		}
	}
}

func TestForeignSessionTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("Reader", trusts(user, assuming))
	out, err := w.assume(w.user, r.ARN)
	must(t, err)
	key := temporary(out.Credentials)
	out, err = w.assume(w.user, r.ARN)
	must(t, err)
	other := temporary(out.Credentials)
	elsewhere, err := credential.NewSealer(bytes.Repeat([]byte{7}, credential.MasterKeySize), rand.Reader)
	must(t, err)
	foreign, err := elsewhere.SessionToken(w.session(key), 0)
	must(t, err)
	label, err := w.sealer.Seal("mfa x", []byte("j{}"))
	must(t, err)
	for name, tt := range map[string]struct{ id, secret, token string }{
		"no token":                        {key.AccessKeyID, key.SecretAccessKey, ""},
		"another's token":                 {key.AccessKeyID, key.SecretAccessKey, other.SessionToken},
		"another's token and secret":      {key.AccessKeyID, other.SecretAccessKey, other.SessionToken},
		"a token with a long-term key":    {w.user.AccessKeyID, w.user.SecretAccessKey, key.SessionToken},
		"a token that is cut":             {key.AccessKeyID, key.SecretAccessKey, key.SessionToken[:len(key.SessionToken)-4]},
		"a token with more":               {key.AccessKeyID, key.SecretAccessKey, key.SessionToken + "AAAA"},
		"a token of AWS":                  {key.AccessKeyID, key.SecretAccessKey, "IQoJb3JpZ2luX2VjEJz//////////wEaCXVzLWVhc3QtMSJHMEUCIQ"},
		"a token sealed elsewhere":        {key.AccessKeyID, key.SecretAccessKey, foreign},
		"another thing sealed here":       {key.AccessKeyID, key.SecretAccessKey, base64.StdEncoding.EncodeToString(label)},
		"a token that is far too long":    {key.AccessKeyID, key.SecretAccessKey, strings.Repeat("A", 8192)},
		"a key id that is another's form": {"ASIA" + strings.Repeat("A", 16), key.SecretAccessKey, key.SessionToken},
		"an id in lower case":             {strings.ToLower(key.AccessKeyID), key.SecretAccessKey, key.SessionToken},
	} {
		t.Run(name, func(t *testing.T) {
			refused(t, w.who(aws.Credentials{AccessKeyID: tt.id, SecretAccessKey: tt.secret, SessionToken: tt.token}), "InvalidClientTokenId", badToken)
		})
	}
	wrong := key
	wrong.SecretAccessKey = other.SecretAccessKey
	refused(t, w.who(wrong), "SignatureDoesNotMatch", "")
}

// A session ends with the role or user behind it.
func TestSessionsOfWhomThereIsNoMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.role("Gone", trusts(user, assuming))
	out, err := w.assume(w.user, r.ARN)
	must(t, err)
	key := temporary(out.Credentials)
	must(t, w.who(key))
	r, err = w.store.IAMRoles.WithID(t.Context(), r.ID)
	must(t, err)
	must(t, w.store.IAMRoles.Delete(t.Context(), r.ID, r.Version))
	again := w.role("Gone", trusts(user, assuming)) // of the same name
	refused(t, w.who(key), "InvalidClientTokenId", badToken)
	if _, err := w.assume(w.user, again.ARN); err != nil {
		t.Error(err)
	}
}

func TestSessionTokensOfEveryMaker(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, tt := range w.callers(t) {
		if tt.key.SessionToken == "" {
			continue
		}
		other := tt.key
		other.SessionToken = strings.ToUpper(other.SessionToken)
		if other.SessionToken != tt.key.SessionToken {
			refused(t, w.who(other), "InvalidClientTokenId", badToken)
		}
		if err := w.who(tt.key); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := w.client(w.user).GetSessionToken(t.Context(), &sdk.GetSessionTokenInput{MinimumSessionTokenSize: new(int32(4096))})
	must(t, err)
}
