package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// byEntra is a caller whom the tools get keys for by themselves: a role for the reading application's token of
// Entra, as the third article has it. policies are what the role may do.
func byEntra(t *testing.T, tw *twin, name string, policies ...string) caller {
	t.Helper()
	need(t, aws)
	root := caller{at: tw}
	arn := provider(t, root, v1Issuer, "api://aws-v1")
	roleARN := role(t, root, name, federates(arn, "api://aws-v1", readingObject), policies...)
	k := keyless(t, "AWS_ROLE_ARN="+roleARN, "AWS_WEB_IDENTITY_TOKEN_FILE="+file(t, "token", entraToken(t, tw, reading, "api://aws-v1")), "AWS_ROLE_SESSION_NAME=app")
	k.at = tw
	return k
}

// s3 runs `aws s3`, which prints text.
func (k caller) s3(t *testing.T, args ...string) string {
	t.Helper()
	r := k.run(t, append([]string{"s3"}, args...)...)
	if r.code != 0 {
		t.Errorf("aws s3 %s: exit %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// s3Fails runs `aws s3`, which has to fail and say so.
func (k caller) s3Fails(t *testing.T, want string, args ...string) {
	t.Helper()
	if r := k.run(t, append([]string{"s3"}, args...)...); r.code == 0 || !strings.Contains(r.stderr, want) {
		t.Errorf("aws s3 %s: exit %d, want %s\n%s%s", strings.Join(args, " "), r.code, want, r.stdout, r.stderr)
	}
}

// The end of article 003: the keys got for a token of Entra open S3, by the command line and by boto3, as far as
// the role's policy goes and no further.
func TestEntraTokenOpensS3(t *testing.T) {
	need(t, boto3)
	n := unique("entra-s3")
	var root caller
	policy := `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::` + n + `*/app/*"},
		{"Effect":"Allow","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::` + n + `/app/*"},
		{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::` + n + `*","Condition":{"StringLike":{"s3:prefix":"app/*"}}}]}`
	entra := byEntra(t, shared, n, policy)
	me := arnSTS + "assumed-role/" + n + "/app"

	root.s3(t, "mb", "s3://"+n)
	up, down := file(t, "a.txt", "from Entra"), filepath.Join(t.TempDir(), "b.txt")
	entra.s3(t, "cp", "--no-progress", up, "s3://"+n+"/app/a.txt")
	entra.s3(t, "cp", "--no-progress", "s3://"+n+"/app/a.txt", down)
	if back, err := os.ReadFile(down); err != nil || string(back) != "from Entra" {
		t.Errorf("%q came back, %v", back, err)
	}
	if out := entra.s3(t, "ls", "s3://"+n+"/app/"); !strings.HasSuffix(out, " 10 a.txt\n") {
		t.Errorf("aws s3 ls: %q", out)
	}
	because := func(action, resource string) string {
		return "An error occurred (AccessDenied) when calling the " + action + ` operation: User: ` + me + " is not authorized to perform: s3:" + strings.TrimSuffix(action, "ObjectsV2") +
			resource + " because no identity-based policy allows the s3:"
	}
	entra.s3Fails(t, because("PutObject", ` on resource: "arn:aws:s3:::`+n+`/other/a.txt"`)+"PutObject action", "cp", "--no-progress", up, "s3://"+n+"/other/a.txt")
	entra.s3Fails(t, because("ListObjectsV2", `Bucket on resource: "arn:aws:s3:::`+n+`"`)+"ListBucket action", "ls", "s3://"+n+"/")
	url := strings.TrimSpace(entra.s3(t, "presign", "s3://"+n+"/app/a.txt", "--expires-in", "60"))
	if got := shared.exec(t, nil, need(t, curl), "-sS", url); got.stdout != "from Entra" {
		t.Errorf("presigned: %q%s", got.stdout, got.stderr)
	}
	entra.s3(t, "rm", "s3://"+n+"/app/a.txt")
	gone := shared.exec(t, nil, curl, "-sS", "-w", " %{http_code}", url)
	if !strings.Contains(gone.stdout, "<Code>AccessDenied</Code>") || !strings.HasSuffix(gone.stdout, " 403") {
		t.Errorf("who may not list the bucket does not learn that the object is gone: %s", gone.stdout)
	}
	root.s3(t, "rb", "s3://"+n)
	byBoto3(t, root, entra, n)
}

func byBoto3(t *testing.T, root, entra caller, n string) {
	bucket, me := n+"-boto", arnSTS+"assumed-role/"+n+"/app"
	root.s3(t, "mb", "s3://"+bucket)
	k := entra.with("BUCKET="+bucket, "ROOT_ID="+shared.env["AWS_ACCESS_KEY_ID"], "ROOT_SECRET="+shared.env["AWS_SECRET_ACCESS_KEY"],
		"OTHER_ID="+other.id, "OTHER_SECRET="+other.secret, "OTHER_ACCOUNT="+otherAccount)
	out := must[object](t, shared, nil, k.argv(python, "testdata/s3.py")...)
	refused := func(code string, status int, message string) any { return []any{"ClientError", code, message, status} }
	object1 := func(key string) string { return `"arn:aws:s3:::` + bucket + "/" + key + `"` }
	without := func(action, resource string) any { return refused("AccessDenied", 403, denied(me, action, resource)) }
	same(t, "boto3", out, map[string]any{
		"method": "assume-role-with-web-identity", "get": []any{"grüezi", "text/plain; charset=utf-8", object{"who": "entra"}, true}, "range": "gr",
		"multipart": []bool{true, true}, "copy": "grüezi", "pages": [][]string{{"app/a b+ü.txt", "app/big"}, {"app/copy"}},
		"another prefix": without("s3:ListBucket", `"arn:aws:s3:::`+bucket+`"`), "another object": without("s3:GetObject", object1("other/secret")),
		"HEAD has no reason": refused("403", 403, "Forbidden"), "copied from elsewhere": without("s3:GetObject", object1("other/secret")),
		"no object":      []any{"NoSuchKey", "NoSuchKey", "The specified key does not exist.", 404},
		"no bucket":      []any{"NoSuchBucket", "NoSuchBucket", "The specified bucket does not exist", 404},
		"delete":         without("s3:DeleteObject", object1("app/copy")),
		"delete several": [][]string{{"app/copy", "AccessDenied"}, {"other/secret", "AccessDenied"}}, "a bucket": without("s3:CreateBucket", `"arn:aws:s3:::`+bucket+`-x"`),
		"a bucket that is not empty": refused("BucketNotEmpty", 409, "The bucket you tried to delete is not empty."),
		"list buckets":               refused("AccessDenied", 403, "User: "+me+" is not authorized to perform: s3:ListAllMyBuckets because no identity-based policy allows the s3:ListAllMyBuckets action"),
		"presigned get":              []any{200, "grüezi"}, "presigned put": []any{200, ""}, "was put": "by URL",
		"presigned denied": []any{403, "AccessDenied", denied(me, "s3:GetObject", object1("other/secret"))}, "presigned and changed": []any{403, "SignatureDoesNotMatch"},
		"another account": refused("AccessDenied", 403, "Access Denied"), "nobody": refused("AccessDenied", 403, "Access Denied"),
		"another account by the policy": "grüezi", "everybody by the policy": "public",
		"denied by the policy": refused("AccessDenied", 403, "User: "+me+" is not authorized to perform: s3:PutObject on resource: "+object1("app/closed")+" with an explicit deny in a resource-based policy"),
		"policy status":        true, "gone": refused("404", 404, "Not Found"),
	})
	wants(t, "boto3", out, map[string]any{"the same bucket by another.1": "BucketAlreadyExists", "no policy.1": "MalformedPolicy"})
}

// The same keys open DynamoDB, which is dynalite: by the command line the table is made, by boto3 used.
func TestEntraTokenOpensDynamoDB(t *testing.T) {
	need(t, boto3)
	seed, err := filepath.Abs(filepath.Join("testdata", "seed.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	tw := shared.another(t, fmt.Sprintf("seed: %s\nresources:\n  dynamodb: {endpoint: \"http://127.0.0.1:%d\", access_key_id: dynalite, secret_access_key: its-own, account: %q}\n",
		seed, dynalite(t, shared), account))
	root, n := caller{at: tw}, unique("orders")
	const table = "arn:aws:dynamodb:us-east-1:" + account + ":table/orders"
	root.do(t, "dynamodb", "create-table", "--table-name", "orders", "--billing-mode", "PAY_PER_REQUEST", "--key-schema", "AttributeName=owner,KeyType=HASH", "AttributeName=number,KeyType=RANGE",
		"--attribute-definitions", "AttributeName=owner,AttributeType=S", "AttributeName=number,AttributeType=N")
	entra := byEntra(t, tw, n, allows(table, "dynamodb:GetItem", "dynamodb:Query"), document(object{
		"Effect": "Allow", "Action": []string{"dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:BatchWriteItem"}, "Resource": table,
		"Condition": object{"ForAllValues:StringEquals": object{"dynamodb:LeadingKeys": []string{readingObject}}},
	}))
	me := arnSTS + "assumed-role/" + n + "/app"
	out := must[object](t, tw, nil, entra.with("SUBJECT="+readingObject).argv(python, "testdata/dynamodb.py")...)
	without := func(action, table string) any {
		return []any{"ClientError", "AccessDeniedException", denied(me, "dynamodb:"+action, table), 400}
	}
	same(t, "boto3", out, map[string]any{
		"got": []any{"tea", 3, true}, "updated": false, "pages": []int{2, 2, 1},
		"a condition": []any{"ConditionalCheckFailedException", "ConditionalCheckFailedException", "The conditional request failed", 400},
		"another's":   without("PutItem", table), "delete": without("DeleteItem", table), "scan": without("Scan", table),
		"another table": without("DescribeTable", strings.Replace(table, "orders", "others", 1)), "create": without("CreateTable", strings.Replace(table, "orders", "mine", 1)),
	})
	entra.fails(t, "AccessDeniedException", denied(me, "dynamodb:DeleteTable", table), "dynamodb", "delete-table", "--table-name", "orders")
}
