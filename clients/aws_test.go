package clients

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	boto3   = "/usr/lib/python3/dist-packages/boto3"
	curl    = "/usr/bin/curl"
	account = "123456789012"
	arnIAM  = "arn:aws:iam::" + account + ":"
	arnSTS  = "arn:aws:sts::" + account + ":"

	// The account of testdata/seed.yaml, for what an account has once only and for trust between accounts.
	otherAccount = "210987654321"
)

// caller is whose keys the aws command line calls with. The zero value is the root of the twin's own account, with
// the keys that `treaty exec` gives. more are further variables ("NAME=value").
type caller struct {
	id, secret, token string
	more              []string
	at                *twin // nil is the shared one
}

// other is the root of the other account.
var other = caller{id: "AKIATCH6YDSYQAISEM2E", secret: "otherOther/other+other/otherOther0other0"}

// argv runs a command as the holder of the keys.
func (k caller) argv(command ...string) []string {
	out := []string{"/usr/bin/env"}
	if k.id != "" {
		out = append(out, "AWS_ACCESS_KEY_ID="+k.id, "AWS_SECRET_ACCESS_KEY="+k.secret)
	}
	if k.token != "" {
		out = append(out, "AWS_SESSION_TOKEN="+k.token)
	}
	return append(append(out, k.more...), command...)
}

// with is the keys' holder with further variables.
func (k caller) with(variables ...string) caller {
	k.more = append(k.more[:len(k.more):len(k.more)], variables...)
	return k
}

// keyless has no keys but what the variables lead to, and a home of its own: that is where aws keeps the keys that
// it got for a role, by the role's name.
func keyless(t *testing.T, variables ...string) caller {
	t.Helper()
	return caller{more: append([]string{"-u", "AWS_ACCESS_KEY_ID", "-u", "AWS_SECRET_ACCESS_KEY", "HOME=" + t.TempDir()}, variables...)}
}

func (k caller) twin() *twin {
	if k.at == nil {
		return shared
	}
	return k.at
}

// run runs aws and returns what came of it.
func (k caller) run(t *testing.T, args ...string) result {
	t.Helper()
	need(t, aws)
	return k.twin().exec(t, nil, k.argv(append([]string{aws}, args...)...)...)
}

// do runs aws, which has to succeed, and decodes its output.
func (k caller) do(t *testing.T, args ...string) object {
	t.Helper()
	need(t, aws)
	return must[object](t, k.twin(), nil, k.argv(append([]string{aws}, args...)...)...)
}

// fails runs aws, which has to be refused by the service with this code and exactly this message.
func (k caller) fails(t *testing.T, code, message string, args ...string) {
	t.Helper()
	const refusedByService = 254 // aws CLI user guide, "Return codes"
	r := k.run(t, args...)
	said := strings.TrimSpace(r.stderr)
	if r.code != refusedByService || !strings.HasPrefix(said, "An error occurred ("+code+") when calling the ") || !strings.HasSuffix(said, " operation: "+message) {
		t.Errorf("aws %s: exit %d, want %d with (%s) … %s\n%s%s", strings.Join(args, " "), r.code, refusedByService, code, message, r.stdout, r.stderr)
	}
}

// is compares who the keys' holder is.
func (k caller) is(t *testing.T, arn string) {
	t.Helper()
	wants(t, "get-caller-identity", k.do(t, "sts", "get-caller-identity"), map[string]any{"Arn": arn})
}

// temporary are the keys of an STS answer.
func temporary(v any) caller {
	return caller{id: text(v, "Credentials.AccessKeyId"), secret: text(v, "Credentials.SecretAccessKey"), token: text(v, "Credentials.SessionToken")}
}

// unique makes a name that no other test has, nor the same test run again.
func unique(name string) string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return name + "-" + hex.EncodeToString(b)
}

// document is a policy with one statement.
func document(statement object) string {
	b, _ := json.Marshal(object{"Version": "2012-10-17", "Statement": []any{statement}}) // maps of texts and lists do not fail
	return string(b)
}

// allows is a policy that allows actions on one resource.
func allows(resource string, actions ...string) string {
	return document(object{"Effect": "Allow", "Action": actions, "Resource": resource})
}

// trusts is a role's trust policy in an AWS principal.
func trusts(principal string) string {
	return document(object{"Effect": "Allow", "Principal": object{"AWS": principal}, "Action": []string{"sts:AssumeRole", "sts:TagSession"}})
}

// denied is the cloud's refusal of a permission that no policy of a caller gives.
func denied(caller, action, resource string) string {
	return "User: " + caller + " is not authorized to perform: " + action + " on resource: " + resource +
		" because no identity-based policy allows the " + action + " action"
}

// role makes a role with inline policies and returns its ARN.
func role(t *testing.T, k caller, name, trust string, policies ...string) string {
	t.Helper()
	out := k.do(t, "iam", "create-role", "--role-name", name, "--assume-role-policy-document", trust)
	for i, p := range policies {
		k.do(t, "iam", "put-role-policy", "--role-name", name, "--policy-name", "p"+string(rune('0'+i)), "--policy-document", p)
	}
	return text(out, "Role.Arn")
}

// user makes a user with inline policies and an access key.
func user(t *testing.T, k caller, name string, policies ...string) caller {
	t.Helper()
	k.do(t, "iam", "create-user", "--user-name", name)
	for i, p := range policies {
		k.do(t, "iam", "put-user-policy", "--user-name", name, "--policy-name", "p"+string(rune('0'+i)), "--policy-document", p)
	}
	key := k.do(t, "iam", "create-access-key", "--user-name", name)
	return caller{id: text(key, "AccessKey.AccessKeyId"), secret: text(key, "AccessKey.SecretAccessKey")}
}

// provider registers an issuer for the time of a test: there is one provider for an issuer in an account.
func provider(t *testing.T, k caller, url string, clients ...string) (arn string) {
	t.Helper()
	out := k.do(t, append([]string{"iam", "create-open-id-connect-provider", "--url", url, "--thumbprint-list", someThumbprint, "--client-id-list"}, clients...)...)
	arn = text(out, "OpenIDConnectProviderArn")
	t.Cleanup(func() { k.do(t, "iam", "delete-open-id-connect-provider", "--open-id-connect-provider-arn", arn) })
	return arn
}

// someThumbprint fills --thumbprint-list, which aws 2.9 requires. It counts only for issuers whose certificate no
// authority vouches for.
const someThumbprint = "6938fd4d98bab03faadb97b34396831e3780aea1"

// file writes a text for a tool to read.
func file(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
