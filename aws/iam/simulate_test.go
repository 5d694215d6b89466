package iam_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"
)

// shown are statements as "ID line:column-line:column".
func shown(statements []types.Statement) []string {
	out := []string{}
	for _, s := range statements {
		out = append(out, fmt.Sprintf("%s %s %d:%d-%d:%d", *s.SourcePolicyId, s.SourcePolicyType, s.StartPosition.Line, s.StartPosition.Column, s.EndPosition.Line, s.EndPosition.Column))
	}
	return out
}

func TestSimulatingPoliciesOfTheRequest(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	// As the AWS CLI's manual shows it (simulate-custom-policy), with its positions.
	timed := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"dynamodb:*","Resource":"*","Condition":{"DateGreaterThan":{"aws:CurrentTime":"2018-08-16T12:00:00Z"}}}}`
	simulate := func(in sdk.SimulateCustomPolicyInput) types.EvaluationResult {
		t.Helper()
		out, err := w.SimulateCustomPolicy(ctx, &in)
		must(t, err)
		if len(out.EvaluationResults) != len(in.ActionNames) {
			t.Fatalf("%d results", len(out.EvaluationResults))
		}
		return out.EvaluationResults[0]
	}
	at := func(when string) []types.ContextEntry {
		return []types.ContextEntry{{ContextKeyName: new("aws:CurrentTime"), ContextKeyType: types.ContextKeyTypeEnumDate, ContextKeyValues: []string{when}}}
	}
	r := simulate(sdk.SimulateCustomPolicyInput{PolicyInputList: []string{timed}, ActionNames: []string{"dynamodb:CreateBackup"}, ContextEntries: at("2019-04-25T11:00:00Z")})
	w.has("MatchedStatements", "MissingContextValues", "-EvalDecisionDetails", "-ResourceSpecificResults", "-PermissionsBoundaryDecisionDetail")
	if d := cmp.Diff([]string{"PolicyInputList.1 IAM Policy 1:38-1:167"}, shown(r.MatchedStatements)); r.EvalDecision != "allowed" || *r.EvalResourceName != "*" || *r.EvalActionName != "dynamodb:CreateBackup" || d != "" {
		t.Errorf("%s %s %s", r.EvalDecision, *r.EvalResourceName, d)
	}
	r = simulate(sdk.SimulateCustomPolicyInput{PolicyInputList: []string{timed}, ActionNames: []string{"dynamodb:CreateBackup"}, ContextEntries: at("2014-04-25T11:00:00Z")})
	if r.EvalDecision != "implicitDeny" || len(r.MatchedStatements) != 0 || len(r.MissingContextValues) != 0 {
		t.Errorf("%+v", r)
	}
	r = simulate(sdk.SimulateCustomPolicyInput{PolicyInputList: []string{timed}, ActionNames: []string{"dynamodb:CreateBackup"}})
	if d := cmp.Diff([]string{"aws:CurrentTime"}, r.MissingContextValues); r.EvalDecision != "implicitDeny" || d != "" {
		t.Errorf("%s %s", r.EvalDecision, d)
	}
}

func TestSimulatingSeveralResources(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	mixed := `{
  "Version": "2012-10-17",
  "Statement": [
    {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
    {
      "Effect": "Deny", "Action": "s3:DeleteObject",
      "Resource": "arn:aws:s3:::b/kept"
    }
  ]
}`
	out, err := w.SimulateCustomPolicy(ctx, &sdk.SimulateCustomPolicyInput{
		PolicyInputList: []string{mixed}, ActionNames: []string{"s3:DeleteObject", "s3:GetObject", "sqs:SendMessage"},
		ResourceArns: []string{"arn:aws:s3:::b/kept", "arn:aws:s3:::b/free"},
	})
	must(t, err)
	w.has("EvalDecisionDetails", "ResourceSpecificResults")
	var got []string
	for _, r := range out.EvaluationResults {
		got = append(got, fmt.Sprint(*r.EvalActionName, " ", r.EvalDecision, " ", *r.EvalResourceName, " ", shown(r.MatchedStatements)))
		for _, s := range r.ResourceSpecificResults {
			got = append(got, fmt.Sprint("- ", *s.EvalResourceName, " ", s.EvalResourceDecision, " ", shown(s.MatchedStatements)))
		}
	}
	const first, second = "PolicyInputList.1 IAM Policy 3:17-4:59", "PolicyInputList.1 IAM Policy 4:60-8:6"
	want := []string{
		"s3:DeleteObject explicitDeny arn:${Partition}:s3:::${BucketName}/${KeyName} [" + second + "]",
		"- arn:aws:s3:::b/kept explicitDeny [" + second + "]",
		"- arn:aws:s3:::b/free allowed [" + first + "]",
		"s3:GetObject allowed arn:${Partition}:s3:::${BucketName}/${KeyName} [" + first + "]",
		"- arn:aws:s3:::b/kept allowed [" + first + "]",
		"- arn:aws:s3:::b/free allowed [" + first + "]",
		"sqs:SendMessage implicitDeny arn:${Partition}:s3:::${BucketName}/${KeyName} []",
		"- arn:aws:s3:::b/kept implicitDeny []",
		"- arn:aws:s3:::b/free implicitDeny []",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestSimulationsComeInPages(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	in := &sdk.SimulateCustomPolicyInput{PolicyInputList: []string{readsBucket}, ActionNames: []string{"s3:GetObject", "s3:PutObject", "s3:ListBucket"}, ResourceArns: []string{"arn:aws:s3:::b/k"}, MaxItems: new(int32(2))}
	var got []string
	for pages := sdk.NewSimulateCustomPolicyPaginator(w, in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		must(t, err)
		got = append(got, fmt.Sprint(len(page.EvaluationResults), page.IsTruncated))
		for _, r := range page.EvaluationResults {
			got = append(got, *r.EvalActionName+" "+string(r.EvalDecision))
		}
	}
	if d := cmp.Diff([]string{"2 true", "s3:GetObject allowed", "s3:PutObject implicitDeny", "1 false", "s3:ListBucket implicitDeny"}, got); d != "" {
		t.Error(d)
	}
}

func TestSimulatingABoundaryAndAResourcePolicy(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	ann := "arn:aws:iam::" + account + ":user/ann"
	bucket := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + ann + `"},"Action":"s3:PutObject","Resource":"arn:aws:s3:::b/*"}]}`
	out, err := w.SimulateCustomPolicy(ctx, &sdk.SimulateCustomPolicyInput{
		PolicyInputList: []string{document(allow("s3:*", "*"))}, PermissionsBoundaryPolicyInputList: []string{document(allow("s3:GetObject", "*"))},
		ActionNames: []string{"s3:GetObject", "s3:DeleteObject"},
	})
	must(t, err)
	for i, want := range []bool{true, false} {
		r := out.EvaluationResults[i]
		if r.PermissionsBoundaryDecisionDetail == nil || r.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary != want || (r.EvalDecision == "allowed") != want {
			t.Errorf("%+v", r)
		}
		if want && (len(r.MatchedStatements) != 1 || *r.MatchedStatements[0].SourcePolicyId != "PolicyInputList.1") {
			t.Errorf("%v", shown(r.MatchedStatements))
		}
	}
	// Between accounts both sides must allow, and the details say what each says.
	in := &sdk.SimulateCustomPolicyInput{
		PolicyInputList: []string{document(allow("s3:GetObject", "*"))}, ResourcePolicy: &bucket, CallerArn: &ann,
		ResourceOwner: new("arn:aws:iam::" + stranger + ":root"), ActionNames: []string{"s3:PutObject"}, ResourceArns: []string{"arn:aws:s3:::b/k"},
	}
	out, err = w.SimulateCustomPolicy(ctx, in)
	must(t, err)
	r := out.EvaluationResults[0]
	want := map[string]types.PolicyEvaluationDecisionType{"IAM Policy": "implicitDeny", "Resource Policy": "allowed"}
	if d := cmp.Diff(want, r.EvalDecisionDetails); r.EvalDecision != "implicitDeny" || d != "" {
		t.Errorf("%s %s", r.EvalDecision, d)
	}
	in.ResourceOwner = nil
	out, err = w.SimulateCustomPolicy(ctx, in)
	must(t, err)
	if r = out.EvaluationResults[0]; r.EvalDecision != "allowed" || len(r.EvalDecisionDetails) != 0 || *r.MatchedStatements[0].SourcePolicyId != "ResourcePolicy" {
		t.Errorf("%+v", r)
	}
}

func TestSimulatingAPrincipal(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	w.user("ann", map[string]any{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/${aws:username}/*", "Condition": map[string]any{"Bool": map[string]any{"aws:MultiFactorAuthPresent": "true"}}})
	_, err := w.CreateGroup(ctx, &sdk.CreateGroupInput{GroupName: new("g")})
	must(t, err)
	_, err = w.PutGroupPolicy(ctx, &sdk.PutGroupPolicyInput{GroupName: new("g"), PolicyName: new("lists"), PolicyDocument: new(document(allow("s3:ListBucket", "*")))})
	must(t, err)
	_, err = w.AddUserToGroup(ctx, &sdk.AddUserToGroupInput{GroupName: new("g"), UserName: new("ann")})
	must(t, err)
	_, err = w.AttachGroupPolicy(ctx, &sdk.AttachGroupPolicyInput{GroupName: new("g"), PolicyArn: new(awsPolicies + "IAMReadOnlyAccess")})
	must(t, err)
	source := "arn:aws:iam::" + account + ":user/ann"
	simulate := func(edit func(*sdk.SimulatePrincipalPolicyInput)) string {
		t.Helper()
		in := &sdk.SimulatePrincipalPolicyInput{PolicySourceArn: &source}
		edit(in)
		out, err := w.SimulatePrincipalPolicy(ctx, in)
		must(t, err)
		r := out.EvaluationResults[0]
		var ids []string
		for _, s := range r.MatchedStatements {
			ids = append(ids, *s.SourcePolicyId)
		}
		return strings.Join([]string{string(r.EvalDecision), strings.Join(ids, ","), strings.Join(r.MissingContextValues, ",")}, "|")
	}
	mfa := types.ContextEntry{ContextKeyName: new("aws:MultiFactorAuthPresent"), ContextKeyType: types.ContextKeyTypeEnumBoolean, ContextKeyValues: []string{"true"}}
	for _, tt := range []struct {
		name string
		edit func(*sdk.SimulatePrincipalPolicyInput)
		want string
	}{
		{"a key that is not given", func(in *sdk.SimulatePrincipalPolicyInput) {
			in.ActionNames, in.ResourceArns = []string{"s3:GetObject"}, []string{"arn:aws:s3:::b/ann/x"}
		}, "implicitDeny||aws:MultiFactorAuthPresent"},
		{"an inline policy", func(in *sdk.SimulatePrincipalPolicyInput) {
			in.ActionNames, in.ResourceArns, in.ContextEntries = []string{"s3:GetObject"}, []string{"arn:aws:s3:::b/ann/x"}, []types.ContextEntry{mfa}
		}, "allowed|user_ann_given|"},
		{"another's folder", func(in *sdk.SimulatePrincipalPolicyInput) {
			in.ActionNames, in.ResourceArns, in.ContextEntries = []string{"s3:GetObject"}, []string{"arn:aws:s3:::b/bob/x"}, []types.ContextEntry{mfa}
		}, "implicitDeny||"},
		{"a group's inline policy", func(in *sdk.SimulatePrincipalPolicyInput) { in.ActionNames = []string{"s3:ListBucket"} }, "allowed|group_g_lists|"},
		{"a group's managed policy", func(in *sdk.SimulatePrincipalPolicyInput) { in.ActionNames = []string{"iam:GetRole"} }, "allowed|IAMReadOnlyAccess|"},
		{"a policy that comes on top", func(in *sdk.SimulatePrincipalPolicyInput) {
			in.ActionNames, in.PolicyInputList = []string{"sqs:SendMessage"}, []string{document(allow("sqs:*", "*"))}
		}, "allowed|PolicyInputList.1|"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := simulate(tt.edit); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
	_, err = w.user("nobody").SimulatePrincipalPolicy(ctx, &sdk.SimulatePrincipalPolicyInput{PolicySourceArn: &source, ActionNames: []string{"s3:GetObject"}})
	refused(t, err, "AccessDenied", "User: arn:aws:iam::"+account+":user/nobody is not authorized to perform: iam:SimulatePrincipalPolicy on resource: "+source+" because no identity-based policy allows the iam:SimulatePrincipalPolicy action")

	role := w.role("bound", func(in *sdk.CreateRoleInput) { in.PermissionsBoundary = new(awsPolicies + "AmazonS3ReadOnlyAccess") })
	_, err = w.AttachRolePolicy(ctx, &sdk.AttachRolePolicyInput{RoleName: new("bound"), PolicyArn: new(awsPolicies + "AdministratorAccess")})
	must(t, err)
	out, err := w.SimulatePrincipalPolicy(ctx, &sdk.SimulatePrincipalPolicyInput{PolicySourceArn: &role, ActionNames: []string{"s3:GetObject", "s3:PutObject"}})
	must(t, err)
	if a, b := out.EvaluationResults[0], out.EvaluationResults[1]; a.EvalDecision != "allowed" || !a.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary || b.EvalDecision != "implicitDeny" || b.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary {
		t.Errorf("%+v\n%+v", a, b)
	} else if d := cmp.Diff([]string{"AdministratorAccess IAM Policy 3:17-8:6"}, shown(a.MatchedStatements)); d != "" {
		t.Error(d) // the positions that AWS is known to give for this policy
	}
}

func TestSimulationsThatAreRefused(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	custom := func(edit func(*sdk.SimulateCustomPolicyInput)) error {
		in := &sdk.SimulateCustomPolicyInput{PolicyInputList: []string{readsBucket}, ActionNames: []string{"s3:GetObject"}}
		edit(in)
		_, err := w.SimulateCustomPolicy(ctx, in)
		return err
	}
	entry := func(kind types.ContextKeyTypeEnum, values ...string) func(*sdk.SimulateCustomPolicyInput) {
		return func(in *sdk.SimulateCustomPolicyInput) {
			in.ContextEntries = []types.ContextEntry{{ContextKeyName: new("aws:test"), ContextKeyType: kind, ContextKeyValues: values}}
		}
	}
	for name, edit := range map[string]func(*sdk.SimulateCustomPolicyInput){
		"a broken policy":         func(in *sdk.SimulateCustomPolicyInput) { in.PolicyInputList = []string{"{"} },
		"a wildcard action":       func(in *sdk.SimulateCustomPolicyInput) { in.ActionNames = []string{"s3:Get*"} },
		"an action of no service": func(in *sdk.SimulateCustomPolicyInput) { in.ActionNames = []string{"GetObject"} },
		"two boundaries": func(in *sdk.SimulateCustomPolicyInput) {
			in.PermissionsBoundaryPolicyInputList = []string{readsBucket, readsBucket}
		},
		"a resource policy without caller": func(in *sdk.SimulateCustomPolicyInput) { in.ResourcePolicy = new(readsBucket) },
		"a session as caller": func(in *sdk.SimulateCustomPolicyInput) {
			in.CallerArn = new("arn:aws:sts::" + account + ":assumed-role/r/s")
		},
		"an owner that is no account":        func(in *sdk.SimulateCustomPolicyInput) { in.ResourceOwner = new(account) },
		"an unknown way to handle resources": func(in *sdk.SimulateCustomPolicyInput) { in.ResourceHandlingOption = new("EC2-Moon") },
		"a way that needs resources":         func(in *sdk.SimulateCustomPolicyInput) { in.ResourceHandlingOption = new("EC2-VPC-EBS") },
		"policies of an organisation": func(in *sdk.SimulateCustomPolicyInput) {
			in.OrderedOrganizationPolicyInputList = []types.OrderedOrganizationPolicyType{{ServiceControlPolicyInputList: []string{readsBucket}}}
		},
		"text for a number":   entry("numeric", "ten"),
		"text for a boolean":  entry("boolean", "yes"),
		"text for an address": entry("ip", "localhost"),
		"text for a date":     entry("dateList", "2026-01-01", "today"),
		"text for bytes":      entry("binary", "*"),
	} {
		t.Run(name, func(t *testing.T) { refused(t, custom(edit), "InvalidInput", "") })
	}
	for name, edit := range map[string]func(*sdk.SimulateCustomPolicyInput){
		"numbers": entry("numericList", "1", "-2.5"), "addresses": entry("ipList", "192.0.2.1", "2001:db8::/32"), "dates": entry("dateList", "2026-01-01T10:00:00Z", "1700000000"),
		"a scenario": func(in *sdk.SimulateCustomPolicyInput) {
			in.ResourceHandlingOption = new("EC2-VPC-InstanceStore")
			for _, kind := range []string{"instance", "image", "security-group", "network-interface"} {
				in.ResourceArns = append(in.ResourceArns, "arn:aws:ec2:us-east-1:"+account+":"+kind+"/x")
			}
		},
	} {
		if err := custom(edit); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for arn, want := range map[string]string{
		"arn:aws:iam::" + account + ":user/nobody":            "NoSuchEntity",
		"arn:aws:iam::" + account + ":role/nobody":            "NoSuchEntity",
		"arn:aws:iam::" + account + ":group/nobody":           "NoSuchEntity",
		"arn:aws:sts::" + account + ":assumed-role/r/session": "InvalidInput",
		"arn:aws:iam::" + account + ":policy/p":               "InvalidInput",
	} {
		_, err := w.SimulatePrincipalPolicy(ctx, &sdk.SimulatePrincipalPolicyInput{PolicySourceArn: &arn, ActionNames: []string{"s3:GetObject"}})
		refused(t, err, want, "")
	}
}

func TestTheContextKeysOfPolicies(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	conditional := document(map[string]any{
		"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/${aws:username}/${aws:PrincipalTag/team, 'none'}/${*}",
		"Condition": map[string]any{"StringEquals": map[string]any{"AWS:UserName": "x", "s3:prefix": "${aws:userid}"}, "Bool": map[string]any{"aws:SecureTransport": "true"}},
	})
	old := `{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${aws:SourceVpc}"}}`
	out, err := w.GetContextKeysForCustomPolicy(ctx, &sdk.GetContextKeysForCustomPolicyInput{PolicyInputList: []string{conditional, old}})
	must(t, err)
	want := []string{"aws:PrincipalTag/team", "aws:SecureTransport", "aws:userid", "AWS:UserName", "s3:prefix"}
	if d := cmp.Diff(want, out.ContextKeyNames); d != "" {
		t.Error(d)
	}
	w.user("ann", map[string]any{"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": map[string]any{"IpAddress": map[string]any{"aws:SourceIp": "192.0.2.0/24"}}})
	principal, err := w.GetContextKeysForPrincipalPolicy(ctx, &sdk.GetContextKeysForPrincipalPolicyInput{PolicySourceArn: new("arn:aws:iam::" + account + ":user/ann"), PolicyInputList: []string{old}})
	must(t, err)
	if d := cmp.Diff([]string{"aws:SourceIp"}, principal.ContextKeyNames); d != "" {
		t.Error(d)
	}
	_, err = w.GetContextKeysForCustomPolicy(ctx, &sdk.GetContextKeysForCustomPolicyInput{PolicyInputList: []string{"{"}})
	refused(t, err, "InvalidInput", "")
	empty, err := w.GetContextKeysForCustomPolicy(ctx, &sdk.GetContextKeysForCustomPolicyInput{PolicyInputList: []string{readsBucket}})
	if err != nil || len(empty.ContextKeyNames) != 0 {
		t.Errorf("%v %v", empty, err)
	}
	w.has("ContextKeyNames")
}
