package access_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/store"
)

const (
	account = "123456789012"
	other   = "210987654321"
	everyS3 = `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}`
)

var start = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

// world is a decider over a store in memory.
type world struct {
	*access.Decider
	t     *testing.T
	store *store.Store
	mu    sync.Mutex
	clock time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	sealer, err := credential.NewSealer(make([]byte, credential.MasterKeySize), rand.Reader)
	must(t, err)
	st, err := store.Open(t.Context(), store.Config{Sealer: sealer})
	must(t, err)
	t.Cleanup(func() { must(t, st.Close()) })
	w := &world{t: t, store: st, clock: start}
	w.Decider = &access.Decider{
		Accounts: st.Accounts, Roles: st.IAMRoles, Users: st.IAMUsers, Policies: st.IAMPolicies, Memberships: st.Memberships, Usage: st.Usage, Sealer: sealer,
		Managed: func(arn string) (string, bool) { return everyS3, arn == "arn:aws:iam::aws:policy/AmazonS3FullAccess" },
		Now:     w.now, Rand: rand.Reader,
	}
	for _, a := range []string{account, other} {
		must(t, st.Accounts.PutAccount(t.Context(), directory.Account{ID: a, CreatedAt: start}))
	}
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// allow is a policy of one statement.
func allow(action string) string {
	return `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"` + action + `","Resource":"*"}}`
}

func inline(documents ...string) directory.Grants {
	var g directory.Grants
	for i, d := range documents {
		g.Inline = append(g.Inline, directory.InlinePolicy{Name: string(rune('a' + i)), Document: d})
	}
	return g
}

// user stores a user with policies and gives it as a caller.
func (w *world) user(name string, g directory.Grants, tags ...directory.Tag) access.Subject {
	w.t.Helper()
	arn := "arn:aws:iam::" + account + ":user/" + name
	must(w.t, w.store.IAMUsers.Create(w.t.Context(), directory.IAMUser{
		IAMEntity: directory.IAMEntity{ID: "AIDA" + strings.ToUpper(name), AccountID: account, ARN: arn, Path: "/", Name: name, Tags: tags, CreatedAt: start}, Grants: g,
	}, 100))
	s, err := w.Named(w.t.Context(), arn)
	must(w.t, err)
	return s
}

// role stores a role of the first account.
func (w *world) role(name, trust string, g directory.Grants, tags ...directory.Tag) directory.IAMRole {
	w.t.Helper()
	r := directory.IAMRole{
		IAMEntity: directory.IAMEntity{ID: "AROA" + strings.ToUpper(name), AccountID: account, ARN: "arn:aws:iam::" + account + ":role/" + name, Path: "/", Name: name, Tags: tags, CreatedAt: start},
		Grants:    g, Trust: trust, MaxSession: 7200,
	}
	must(w.t, w.store.IAMRoles.Create(w.t.Context(), r, 100))
	return r
}

// trusting is a trust policy that admits an ARN with the actions of a session with tags.
func trusting(arn string) string {
	b, _ := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": map[string]any{
		"Effect": "Allow", "Principal": map[string]string{"AWS": arn}, "Action": []string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"},
	}})
	return string(b)
}

// may asks whether a subject may do something.
func (w *world) may(s access.Subject, action string) policy.Decision {
	w.t.Helper()
	d, err := w.Decide(context.Background(), access.Ask{Subject: s, Action: action, Resource: "arn:aws:s3:::bucket/key"})
	must(w.t, err)
	return d
}
