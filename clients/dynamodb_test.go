package clients

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// dynalite starts the npm package of that name, an unmodified server that speaks DynamoDB and takes any
// signature, and gives its port.
func dynalite(t *testing.T, tw *twin) int {
	t.Helper()
	node := need(t, "/usr/bin/node")
	program := need(t, filepath.Join(tw.node, "node_modules", "dynalite", "cli.js"))
	port := freePort(t)
	cmd := exec.Command(node, program, "--host", "127.0.0.1", "--port", fmt.Sprint(port), "--createTableMs", "0", "--deleteTableMs", "0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.Contains(line, "listening") {
		t.Fatalf("dynalite says %q, %v", line, err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return port
}

// freePort is a port of loopback that nobody has. It lies below those that a system gives to who names none (49152 and
// above by RFC 6335 section 6, on Linux 32768), so that nobody gets it before the server that is told of it.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := 20000 + rand.IntN(10000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatal("there is no free port")
	return 0
}

// another starts a server of its own, with a configuration.
func (tw *twin) another(t *testing.T, configuration string) *twin {
	t.Helper()
	own := tw.started(t, "--config", file(t, "config.yaml", configuration), "--listen", "127.0.0.1:0", "--proxy", "127.0.0.1:0")
	printed, err := exec.Command(own.bin, "env", "--data", own.data, "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(printed, &own.env); err != nil {
		t.Fatal(err)
	}
	return own
}

// started is a server that goes with the test, started with these arguments. It has no environment yet.
func (tw *twin) started(t *testing.T, args ...string) *twin {
	t.Helper()
	dir := t.TempDir()
	own := &twin{bin: tw.bin, node: tw.node, data: filepath.Join(dir, "data")}
	log, err := os.Create(filepath.Join(dir, "serve.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(own.bin, append([]string{"serve", "--data", own.data}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			text, _ := os.ReadFile(log.Name())
			t.Errorf("the server ended with %v:\n%s", err, text)
		}
	})
	if err := await(own.data, log.Name()); err != nil {
		t.Fatal(err)
	}
	return own
}

// fail runs a command that has to be refused, and gives what it says.
func (tw *twin) fail(t *testing.T, argv ...string) string {
	t.Helper()
	r := tw.exec(t, nil, argv...)
	if r.code == 0 {
		t.Fatalf("%s\nwas not refused: %s", strings.Join(argv, " "), r.stdout)
	}
	return r.stderr
}

// A role's session reaches only those items of a table whose key is its own name; the table is dynalite's,
// which is called with a key that the session never sees.
func TestASessionReachesItsItemsInDynamoDB(t *testing.T) {
	need(t, aws)
	port := dynalite(t, shared)
	tw := shared.another(t, fmt.Sprintf(`
resources:
  dynamodb: {endpoint: "http://127.0.0.1:%d", access_key_id: dynalite, secret_access_key: its-own, account: "123456789012"}
`, port))
	must[object](t, tw, nil, aws, "dynamodb", "create-table", "--table-name", "notes", "--billing-mode", "PAY_PER_REQUEST",
		"--attribute-definitions", "AttributeName=who,AttributeType=S", "AttributeName=at,AttributeType=S", "--key-schema", "AttributeName=who,KeyType=HASH", "AttributeName=at,KeyType=RANGE")
	if r := tw.exec(t, nil, aws, "dynamodb", "wait", "table-exists", "--table-name", "notes"); r.code != 0 {
		t.Fatal(r.stderr)
	}
	must[object](t, tw, nil, aws, "iam", "create-role", "--role-name", "writer", "--assume-role-policy-document",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":["sts:AssumeRole","sts:TagSession"]}}`)
	must[object](t, tw, nil, aws, "iam", "put-role-policy", "--role-name", "writer", "--policy-name", "own", "--policy-document",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["dynamodb:PutItem","dynamodb:GetItem","dynamodb:Query","dynamodb:BatchWriteItem"],
		"Resource":"arn:aws:dynamodb:us-east-1:123456789012:table/notes","Condition":{"ForAllValues:StringEquals":{"dynamodb:LeadingKeys":["${aws:PrincipalTag/who}"]}}}}`)
	must[object](t, tw, nil, aws, "iam", "create-user", "--user-name", "assumer")
	must[object](t, tw, nil, aws, "iam", "put-user-policy", "--user-name", "assumer", "--policy-name", "assume", "--policy-document",
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Resource":"*"}}`)
	key := must[object](t, tw, nil, aws, "iam", "create-access-key", "--user-name", "assumer")
	user := caller{id: text(key, "AccessKey.AccessKeyId"), secret: text(key, "AccessKey.SecretAccessKey")}
	held := must[object](t, tw, nil, user.argv(aws, "sts", "assume-role", "--role-arn", "arn:aws:iam::123456789012:role/writer", "--role-session-name", "ada", "--tags", "Key=who,Value=ada")...)
	session := temporary(held)

	item := func(who string) string {
		return `{"who":{"S":"` + who + `"},"at":{"S":"noon"},"text":{"S":"<ünï & code>"}}`
	}
	must[object](t, tw, nil, session.argv(aws, "dynamodb", "put-item", "--table-name", "notes", "--item", item("ada"))...)
	got := must[object](t, tw, nil, session.argv(aws, "dynamodb", "get-item", "--table-name", "notes", "--key", `{"who":{"S":"ada"},"at":{"S":"noon"}}`)...)
	wants(t, "the item", got, map[string]any{"Item.text.S": "<ünï & code>"})
	got = must[object](t, tw, nil, session.argv(aws, "dynamodb", "query", "--table-name", "notes", "--key-condition-expression", "who = :w", "--expression-attribute-values", `{":w":{"S":"ada"}}`)...)
	wants(t, "the query", got, map[string]any{"Items.0.at.S": "noon"})
	for name, argv := range map[string][]string{
		"writing for another":          {"put-item", "--table-name", "notes", "--item", item("bob")},
		"writing for another in a lot": {"batch-write-item", "--request-items", `{"notes":[{"PutRequest":{"Item":` + item("ada") + `}},{"PutRequest":{"Item":` + item("bob") + `}}]}`},
		"asking for another's":         {"query", "--table-name", "notes", "--key-condition-expression", "who = :w", "--expression-attribute-values", `{":w":{"S":"bob"}}`},
		"reading everything":           {"scan", "--table-name", "notes"},
	} {
		if said := tw.fail(t, session.argv(append([]string{aws, "dynamodb"}, argv...)...)...); !strings.Contains(said, "AccessDeniedException") || !strings.Contains(said, "assumed-role/writer/ada is not authorized to perform: dynamodb:") {
			t.Errorf("%s: %s", name, said)
		}
	}
	if said := tw.fail(t, aws, "dynamodb", "get-item", "--table-name", "none", "--key", `{"who":{"S":"ada"},"at":{"S":"x"}}`); !strings.Contains(said, "ResourceNotFoundException") {
		t.Errorf("a table that nobody has: %s", said)
	}
}

// Objects go up and come down in several parts under S3's own names, and a session stays within its policy.
func TestASessionReachesItsObjectsInS3(t *testing.T) {
	need(t, aws)
	tw := shared.another(t, "{}")
	dir := t.TempDir()
	big := strings.Repeat("0123456789abcdef", 9<<20/16)
	if err := os.WriteFile(filepath.Join(dir, "big"), []byte(big), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(as caller, argv ...string) string {
		t.Helper()
		r := tw.exec(t, nil, as.argv(append([]string{aws, "s3"}, argv...)...)...)
		if r.code != 0 {
			t.Fatalf("aws s3 %s: %s", strings.Join(argv, " "), r.stderr)
		}
		return r.stdout
	}
	run(caller{}, "mb", "s3://parts")
	run(caller{}, "cp", "--no-progress", filepath.Join(dir, "big"), "s3://parts/ada/big")
	run(caller{}, "cp", "--no-progress", "s3://parts/ada/big", "s3://parts/bob/big")
	must[object](t, tw, nil, aws, "iam", "create-user", "--user-name", "ada")
	must[object](t, tw, nil, aws, "iam", "put-user-policy", "--user-name", "ada", "--policy-name", "own", "--policy-document",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::parts/${aws:username}/*"},
		{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::parts","Condition":{"StringLike":{"s3:prefix":"${aws:username}/*"}}}]}`)
	key := must[object](t, tw, nil, aws, "iam", "create-access-key", "--user-name", "ada")
	ada := caller{id: text(key, "AccessKey.AccessKeyId"), secret: text(key, "AccessKey.SecretAccessKey")}
	run(ada, "cp", "--no-progress", "s3://parts/ada/big", filepath.Join(dir, "back"))
	if back, err := os.ReadFile(filepath.Join(dir, "back")); err != nil || string(back) != big {
		t.Errorf("%d bytes came back, %v", len(back), err)
	}
	if out := run(ada, "ls", "s3://parts/ada/"); !strings.Contains(out, "big") {
		t.Errorf("the list is %s", out)
	}
	for _, argv := range [][]string{{"cp", "s3://parts/bob/big", filepath.Join(dir, "no")}, {"ls", "s3://parts/"}, {"ls"}, {"rm", "s3://parts/ada/big"}, {"cp", filepath.Join(dir, "big"), "s3://parts/bob/new"}} {
		if said := tw.fail(t, ada.argv(append([]string{aws, "s3"}, argv...)...)...); !strings.Contains(said, "AccessDenied") && !strings.Contains(said, "403") {
			t.Errorf("aws s3 %s: %s", strings.Join(argv, " "), said)
		}
	}
	run(caller{}, "rb", "--force", "s3://parts")
}
