package clients

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// terraform is a folder with a configuration, and who applies it. The core is OpenTofu, the provider is the AWS
// provider of the Go module proxy: scripts/install-clients.sh builds both.
type terraform struct {
	caller
	core, folder string
}

const (
	// How OpenTofu ends: https://opentofu.org/docs/cli/commands/plan/ under -detailed-exitcode.
	planEmpty, tofuFailed, planFull = 0, 1, 2
)

// newTerraform makes a folder with one file of configuration. A development override stands in for the registry, so
// that no provider is downloaded.
func newTerraform(t *testing.T, k caller, configuration string) terraform {
	t.Helper()
	bin, err := filepath.Abs(filepath.Join(repository, "bin", "clients"))
	if err != nil {
		t.Fatal(err)
	}
	core := need(t, filepath.Join(bin, "tofu"))
	need(t, filepath.Join(bin, "terraform-provider-aws"))
	config := file(t, "tofurc", fmt.Sprintf("provider_installation {\n  dev_overrides {\n    \"hashicorp/aws\" = %q\n  }\n}\n", bin))
	tf := terraform{core: core, folder: filepath.Dir(file(t, "main.tf", configuration))}
	tf.caller = k.with("HOME="+t.TempDir(), "TF_CLI_CONFIG_FILE="+config, "TF_IN_AUTOMATION=1", "TF_INPUT=0")
	return tf
}

// ends runs a command of OpenTofu, which has to end as wanted, and returns all that it said.
func (tf terraform) ends(t *testing.T, want int, command string, args ...string) string {
	t.Helper()
	argv := append([]string{tf.core, "-chdir=" + tf.folder, command, "-no-color"}, args...)
	r := tf.twin().exec(t, nil, tf.argv(argv...)...)
	if r.code != want {
		t.Fatalf("tofu %s %s: exit %d, want %d\n%s%s", command, strings.Join(args, " "), r.code, want, r.stdout, r.stderr)
	}
	return r.stdout + r.stderr
}

// outputs are what the state says of the configuration's outputs.
func (tf terraform) outputs(t *testing.T) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(tf.folder, "terraform.tfstate"))
	if err != nil {
		t.Fatal(err)
	}
	var state struct {
		Outputs map[string]struct{ Value string }
	}
	if err := json.Unmarshal(b, &state); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for name, o := range state.Outputs {
		out[name] = o.Value
	}
	return out
}

// Terraform sets up what Entra's tokens need in an account of AWS: nothing is left to plan then, AWS and its own
// command line have what was written, the trust works, a change by somebody else is seen and undone, and destroy
// leaves nothing. The account is the other one, where no other test registers an issuer.
func TestTerraformSetsUpFederation(t *testing.T) {
	t.Parallel()
	configuration, err := os.ReadFile(filepath.Join("testdata", "terraform", "federation.tf"))
	if err != nil {
		t.Fatal(err)
	}
	need(t, boto3)
	n := unique("tf")
	tf := newTerraform(t, other.with("TF_VAR_name="+n, "TF_VAR_issuer="+v2Issuer, "TF_VAR_audience="+reading, "TF_VAR_subject="+readingObject), string(configuration))
	if said := tf.ends(t, 0, "apply", "-auto-approve"); !strings.Contains(said, "Apply complete! Resources: 8 added, 0 changed, 0 destroyed.") {
		t.Errorf("apply: %s", said)
	}
	tf.ends(t, planEmpty, "plan", "-detailed-exitcode")
	made := tf.outputs(t)
	madeByTerraform(t, n, made)

	assume := []string{"sts", "assume-role-with-web-identity", "--role-arn", made["role"], "--role-session-name", "app", "--web-identity-token", entraToken(t, shared, reading, "api://aws-v2")}
	var root caller // signs nothing here: the token is what counts
	temporary(root.do(t, assume...)).is(t, "arn:aws:sts::"+otherAccount+":assumed-role/"+n+"/app")

	other.do(t, "iam", "update-assume-role-policy", "--role-name", n, "--policy-document", federates(made["provider"], reading, "somebody-else"))
	other.do(t, "iam", "detach-role-policy", "--role-name", n, "--policy-arn", made["policy"])
	root.fails(t, "AccessDenied", notAuthorized, assume...)
	if said := tf.ends(t, planFull, "plan", "-detailed-exitcode"); !strings.Contains(said, "somebody-else") || !strings.Contains(said, "Plan: 1 to add, 1 to change, 0 to destroy.") {
		t.Errorf("plan after a change by hand: %s", said)
	}
	tf.ends(t, 0, "apply", "-auto-approve")
	madeByTerraform(t, n, made)

	if said := tf.ends(t, 0, "destroy", "-auto-approve"); !strings.Contains(said, "Destroy complete! Resources: 8 destroyed.") {
		t.Errorf("destroy: %s", said)
	}
	const gone = "NoSuchEntity"
	same(t, "destroyed", ofTerraform(t, n, made), map[string]any{
		"provider": gone, "role": gone, "own": gone, "attached": gone, "policy": gone, "version": gone, "pool": "ResourceNotFoundException", "roles": "ResourceNotFoundException",
	})
}

// ofTerraform is what boto3 finds of what testdata/terraform/federation.tf makes.
func ofTerraform(t *testing.T, n string, made map[string]string) object {
	t.Helper()
	k := other.with("ROLE="+n, "PROVIDER="+made["provider"], "POLICY="+made["policy"], "POOL="+made["pool"])
	return must[object](t, shared, nil, k.argv(python, "testdata/terraform.py")...)
}

// madeByTerraform compares what boto3 finds with testdata/terraform/federation.tf.
func madeByTerraform(t *testing.T, n string, made map[string]string) {
	t.Helper()
	issuer, iam := strings.TrimPrefix(v2Issuer, "https://"), "arn:aws:iam::"+otherAccount+":"
	same(t, "outputs", object{"role": made["role"], "provider": made["provider"], "policy": made["policy"]}, map[string]any{
		"role": iam + "role/shop/" + n, "provider": iam + "oidc-provider/" + issuer, "policy": iam + "policy/shop/" + n + "-read",
	})
	found := ofTerraform(t, n, made)
	wants(t, "boto3", found, map[string]any{
		"provider.Url": issuer, "provider.ClientIDList": []string{reading, "second"}, "provider.ThumbprintList": []string{someThumbprint},
		"role.Arn": made["role"], "role.Description": "for a token of Entra", "role.MaxSessionDuration": 7200, "role.Tags": []object{{"Key": "team", "Value": "shop"}},
		"role.AssumeRolePolicyDocument.Statement.0.Action":    "sts:AssumeRoleWithWebIdentity",
		"role.AssumeRolePolicyDocument.Statement.0.Principal": object{"Federated": made["provider"]},
		"role.AssumeRolePolicyDocument.Statement.0.Condition": object{"StringEquals": object{issuer + ":aud": reading, issuer + ":sub": readingObject}},

		"policy.Description": "reads roles", "policy.AttachmentCount": 1, "policy.DefaultVersionId": "v1",
		"version.Document.Statement.0": object{"Sid": "Read", "Effect": "Allow", "Action": []string{"iam:GetRole", "iam:ListRoles"}, "Resource": "*"},
		"own.Statement.0":              object{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"},
		"attached":                     []string{made["policy"], "arn:aws:iam::aws:policy/AmazonCognitoReadOnly"},

		"pool.IdentityPoolName": strings.ReplaceAll(n, "-", " "), "pool.AllowUnauthenticatedIdentities": false, "pool.DeveloperProviderName": "my.dev.provider",
		"pool.OpenIdConnectProviderARNs": []string{made["provider"]}, "pool.SupportedLoginProviders": object{"accounts.google.com": "123456789012.apps.googleusercontent.com"},
		"roles.Roles": object{"authenticated": made["role"]},
		"roles.RoleMappings": object{made["provider"]: object{"Type": "Rules", "AmbiguousRoleResolution": "AuthenticatedRole", "RulesConfiguration": object{
			"Rules": []object{{"Claim": "roles", "MatchType": "Contains", "Value": "Orders.Read", "RoleARN": made["role"]}},
		}}},
	})
}

// backend is a configuration whose state lies in S3, where a token of Entra leads by a role.
func backend(bucket, key, role, token string) string {
	return fmt.Sprintf(`terraform {
  backend "s3" {
    bucket       = %q
    key          = %q
    region       = "us-east-1"
    use_lockfile = true
    assume_role_with_web_identity = {
      role_arn                = %q
      session_name            = "terraform"
      web_identity_token_file = %q
    }
  }
}
resource "terraform_data" "x" { input = "kept in S3" }
output "x" { value = terraform_data.x.output }
`, bucket, key, role, token)
}

// The core keeps its state in S3 by itself (aws-sdk-go-v2) with nothing but a token of Entra, as far as the role's
// policy goes and no further.
func TestTerraformStateInS3ByEntra(t *testing.T) {
	t.Parallel()
	n := unique("states")
	token := func(application string) string {
		return file(t, "token", entraToken(t, shared, application, "api://aws-v1"))
	}
	nobody := keyless(t)
	probe := newTerraform(t, nobody, "") // skips before anything is made
	other.s3(t, "mb", "s3://"+n)
	arn := provider(t, other, v1Issuer, "api://aws-v1")
	roleARN := role(t, other, n, federates(arn, "api://aws-v1", readingObject),
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::`+n+`"},
			{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject","s3:DeleteObject"],"Resource":"arn:aws:s3:::`+n+`/shop/*"}]}`)

	with := func(key, application string) terraform {
		tf := newTerraform(t, nobody, backend(n, key, roleARN, token(application)))
		tf.core = probe.core
		return tf
	}
	tf := with("shop/terraform.tfstate", reading)
	tf.ends(t, 0, "init")
	tf.ends(t, 0, "apply", "-auto-approve")
	tf.ends(t, planEmpty, "plan", "-detailed-exitcode")

	listed := other.do(t, "s3api", "list-objects-v2", "--bucket", n, "--query", "{Keys: Contents[].Key}")
	wants(t, "the bucket", listed, map[string]any{"Keys": []string{"shop/terraform.tfstate"}}) // the lock is gone
	kept := must[object](t, shared, nil, other.argv(aws, "s3", "cp", "s3://"+n+"/shop/terraform.tfstate", "-")...)
	wants(t, "the state in S3", kept, map[string]any{"version": 4, "outputs.x.value": "kept in S3", "resources.0.type": "terraform_data"})

	said := flat(with("other/terraform.tfstate", reading).ends(t, tofuFailed, "init"))
	if !strings.Contains(said, "StatusCode: 403") || !strings.Contains(said, "api error Forbidden: Forbidden") { // it asks by HEAD, whose answer has no body
		t.Errorf("another key: %s", said)
	}
	said = flat(with("shop/terraform.tfstate", administrator).ends(t, tofuFailed, "init"))
	if !strings.Contains(said, "StatusCode: 403") || !strings.Contains(said, "AccessDenied: "+notAuthorized) {
		t.Errorf("another subject: %s", said)
	}
}

// flat undoes the frame and the line breaks that OpenTofu gives its errors.
func flat(said string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(said, "│", " ")), " ")
}
