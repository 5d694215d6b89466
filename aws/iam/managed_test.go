package iam_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/iam"
	"github.com/treatyfed/treaty/core/policy"
)

const awsPolicies = "arn:aws:iam::aws:policy/"

func TestThePoliciesThatAWSOffers(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"AdministratorAccess", "ReadOnlyAccess", "PowerUserAccess", "IAMFullAccess", "IAMReadOnlyAccess", "SecurityAudit",
		"job-function/ViewOnlyAccess", "AmazonS3FullAccess", "AmazonS3ReadOnlyAccess", "AmazonDynamoDBFullAccess",
		"AmazonDynamoDBReadOnlyAccess", "AmazonCognitoPowerUser", "AmazonCognitoReadOnly",
		"AmazonCognitoDeveloperAuthenticatedIdentities", "AmazonCognitoUnauthenticatedIdentities",
		"service-role/AWSLambdaBasicExecutionRole", "AmazonEC2ReadOnlyAccess", "CloudWatchReadOnlyAccess",
		"root-task/IAMAuditRootUserCredentials", "root-task/IAMCreateRootUserPassword", "root-task/IAMDeleteRootUserCredentials",
		"root-task/S3UnlockBucketPolicy", "root-task/SQSUnlockQueuePolicy",
	} {
		if _, ok := iam.Managed(awsPolicies + name); !ok {
			t.Errorf("%s is missing", name)
		}
	}
	if d, ok := iam.Managed(awsPolicies + "NoSuchAccess"); ok || d != "" {
		t.Errorf("a policy that AWS does not offer: %q", d)
	}
	const admin = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": "*",
      "Resource": "*"
    }
  ]
}`
	if got, _ := iam.Managed(awsPolicies + "AdministratorAccess"); got != admin {
		t.Errorf("AdministratorAccess:\n%s", got)
	}
}

func TestEveryPolicyOfAWSCanBeReadAndParsed(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	n, last := 0, ""
	for pages := sdk.NewListPoliciesPaginator(w, &sdk.ListPoliciesInput{Scope: types.PolicyScopeTypeAws, MaxItems: new(int32(50))}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		must(t, err)
		for _, p := range page.Policies {
			n++
			if !strings.HasPrefix(*p.PolicyId, "ANPA") || len(*p.PolicyId) != 21 || *p.Arn != awsPolicies+(*p.Path)[1:]+*p.PolicyName || !p.IsAttachable || p.Description != nil {
				t.Errorf("%s: %+v", *p.Arn, p)
			}
			if name := strings.ToLower(*p.PolicyName); name <= last {
				t.Errorf("%s comes after %s", name, last)
			} else {
				last = name
			}
			v, err := w.GetPolicyVersion(ctx, &sdk.GetPolicyVersionInput{PolicyArn: p.Arn, VersionId: p.DefaultVersionId})
			must(t, err)
			got, err := url.PathUnescape(*v.PolicyVersion.Document)
			must(t, err)
			want, _ := iam.Managed(*p.Arn)
			if got != want || !v.PolicyVersion.IsDefaultVersion {
				t.Errorf("%s: another document", *p.Arn)
			}
			if _, err := policy.Parse(got, policy.Accepted); err != nil {
				t.Errorf("%s: %v", *p.Arn, err)
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d policies", n)
	}
}

func TestAWSsOwnPoliciesCannotBeChanged(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	arn := new(awsPolicies + "ReadOnlyAccess")
	text := func(action string) string {
		return "User: arn:aws:iam::" + account + ":root is not authorized to perform: iam:" + action + " on resource: policy " + *arn
	}
	_, err := w.DeletePolicy(ctx, &sdk.DeletePolicyInput{PolicyArn: arn})
	refused(t, err, "AccessDenied", text("DeletePolicy"))
	_, err = w.CreatePolicyVersion(ctx, &sdk.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: new(document(allow("s3:*", "*")))})
	refused(t, err, "AccessDenied", text("CreatePolicyVersion"))
	_, err = w.SetDefaultPolicyVersion(ctx, &sdk.SetDefaultPolicyVersionInput{PolicyArn: arn, VersionId: new("v1")})
	refused(t, err, "AccessDenied", "")
	_, err = w.DeletePolicyVersion(ctx, &sdk.DeletePolicyVersionInput{PolicyArn: arn, VersionId: new("v1")})
	refused(t, err, "AccessDenied", "")
	_, err = w.TagPolicy(ctx, &sdk.TagPolicyInput{PolicyArn: arn, Tags: []types.Tag{{Key: new("a"), Value: new("b")}}})
	refused(t, err, "AccessDenied", "")
	_, err = w.UntagPolicy(ctx, &sdk.UntagPolicyInput{PolicyArn: arn, TagKeys: []string{"a"}})
	refused(t, err, "AccessDenied", "")
	_, err = w.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: new(awsPolicies + "NoSuchAccess")})
	refused(t, err, "NoSuchEntity", "Policy "+awsPolicies+"NoSuchAccess was not found.")

	versions, err := w.ListPolicyVersions(ctx, &sdk.ListPolicyVersionsInput{PolicyArn: arn})
	must(t, err)
	if len(versions.Versions) != 1 || !versions.Versions[0].IsDefaultVersion || *versions.Versions[0].VersionId == "v1" {
		t.Errorf("%+v", versions.Versions)
	}
	tags, err := w.ListPolicyTags(ctx, &sdk.ListPolicyTagsInput{PolicyArn: arn})
	if err != nil || len(tags.Tags) != 0 {
		t.Errorf("%v, %v", tags, err)
	}
}

func TestUsersReadAWSsPoliciesAsTheirOwnPoliciesAllow(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	reader := w.user("reader", allow("iam:GetPolicy", awsPolicies+"*"))
	arn := awsPolicies + "AdministratorAccess"
	_, err := reader.GetPolicy(ctx, &sdk.GetPolicyInput{PolicyArn: &arn})
	must(t, err)
	w.has("Description", "Tags", "AttachmentCount")
	_, err = reader.GetPolicyVersion(ctx, &sdk.GetPolicyVersionInput{PolicyArn: &arn, VersionId: new("v1")})
	refused(t, err, "AccessDenied", "User: arn:aws:iam::"+account+":user/reader is not authorized to perform: iam:GetPolicyVersion on resource: policy "+arn+" version v1 because no identity-based policy allows the iam:GetPolicyVersion action")
}
