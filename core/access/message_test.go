package access

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

func messages(t testing.TB, master byte) *credential.Sealer {
	t.Helper()
	s, err := credential.NewSealer(bytes.Repeat([]byte{master}, credential.MasterKeySize), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// refusal is a decision with so many statements, every second of which applies.
func refusal(statements int) policy.Decision {
	d := policy.Decision{Result: policy.ExplicitDeny, Action: "ec2:StopInstances", Resource: "*", Caller: "arn:aws:iam::123456789012:user/bob"}
	for i := range statements {
		d.Statements = append(d.Statements, policy.Matched{
			SID: fmt.Sprint("S", i), Effect: policy.Deny, Type: policy.IdentityBased, Applies: i%2 == 0,
			Checks: evidence.Checks{{Name: "action", Want: []string{"ec2:*"}, OK: true}},
		})
	}
	return d
}

var bob = Subject{Principal: policy.Principal{Type: policy.User, Account: "123456789012", ID: "AIDABOB", ARN: "arn:aws:iam::123456789012:user/bob"}, UserName: "bob"}

func TestMessagesComeBack(t *testing.T) {
	t.Parallel()
	s := messages(t, 1)
	k := policy.Context{}
	k.Set("ec2:Region", "us-east-1")
	k.SetMany("aws:TagKeys", "a", "b")
	text, err := EncodeDecision(s, bob, refusal(3), k)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeDecision(s, "123456789012", text)
	if err != nil {
		t.Fatal(err)
	}
	want := Denial{ID: "AIDABOB", Name: "bob", ARN: bob.Principal.ARN, Decision: refusal(3), Keys: k}
	want.Decision.Statements = []policy.Matched{want.Decision.Statements[0], want.Decision.Statements[2]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for name, tt := range map[string]struct {
		sealer  *credential.Sealer
		account string
		text    string
	}{
		"for another account": {s, "210987654321", text},
		"sealed elsewhere":    {messages(t, 2), "123456789012", text},
		"cut":                 {s, "123456789012", text[:len(text)-4]},
		"longer":              {s, "123456789012", text + "AAAA"},
		"empty":               {s, "123456789012", ""},
		"no base64":           {s, "123456789012", "!" + text[1:]},
		"too long":            {s, "123456789012", strings.Repeat("A", maxMessage+1)},
	} {
		if _, err := DecodeDecision(tt.sealer, tt.account, tt.text); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMessagesFitWhateverTheDecision(t *testing.T) {
	t.Parallel()
	s := messages(t, 1)
	k := policy.Context{}
	for i := range 500 {
		k.Set(fmt.Sprint("aws:requesttag/", i), strings.Repeat("x", 20))
	}
	text, err := EncodeDecision(s, bob, refusal(1000), k)
	if err != nil || len(text) > maxMessage {
		t.Fatalf("%d characters, %v", len(text), err)
	}
	got, err := DecodeDecision(s, "123456789012", text)
	if err != nil || got.Decision.Action != "ec2:StopInstances" || got.Decision.Result != policy.ExplicitDeny {
		t.Errorf("%+v, %v", got, err)
	}
	text, err = EncodeDecision(s, bob, refusal(1000), nil)
	if err != nil || len(text) > maxMessage {
		t.Fatalf("%d characters, %v", len(text), err)
	}
	if got, err = DecodeDecision(s, "123456789012", text); err != nil || len(got.Decision.Statements) < 10 {
		t.Errorf("%d statements, %v", len(got.Decision.Statements), err)
	}
}

func FuzzDecodeDecision(f *testing.F) {
	s := messages(f, 1)
	text, err := EncodeDecision(s, bob, refusal(1), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, message string) {
		got, err := DecodeDecision(s, "123456789012", message)
		want := Denial{}
		if err == nil { // sealed by us, in this process or another
			want = Denial{ID: "AIDABOB", Name: "bob", ARN: bob.Principal.ARN, Decision: refusal(1)}
		}
		if !cmp.Equal(want, got) {
			t.Errorf("%q: %+v, %v", message, got, err)
		}
	})
}
