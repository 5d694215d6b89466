package cognitoidentity

import (
	"context"
	"maps"
	"slices"
	"time"

	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/webidentity"
)

// sessionName is that of every session of the enhanced flow, sessionDuration how long it lasts (developer
// guide, "Identity pools authentication flow").
const (
	sessionName     = "CognitoIdentityCredentials"
	sessionDuration = time.Hour
)

// What sessions of guests are limited to, beside their role (developer guide, "IAM roles", "Access policies
// for unauthenticated users"): a list of services, and a managed policy. Together they are one limit.
const (
	guestServices = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["cloudwatch:*","logs:*","dynamodb:*","kinesis:*",` +
		`"mobileanalytics:*","s3:*","ses:*","sns:*","sqs:*","lambda:*","machinelearning:*","execute-api:*","iot:*","gamelift:*","cognito-identity:*",` +
		`"cognito-idp:*","lex:*","polly:*","comprehend:*","translate:*","transcribe:*","rekognition:*","mobiletargeting:*","firehose:*","appsync:*",` +
		`"personalize:*","sagemaker:InvokeEndpoint","cognito-sync:*","codewhisperer:*","textract:DetectDocumentText","textract:AnalyzeDocument","sdb:*"],"Resource":["*"]}]}`
	guestPolicy = "arn:aws:iam::aws:policy/AmazonCognitoUnAuthedIdentitiesSessionPolicy"
)

// errBadConfiguration says that a pool's role is missing or cannot be assumed.
var errBadConfiguration = refusal(badConfiguration, "Invalid identity pool configuration. Check assigned IAM roles for this pool.")

// assumer turns an identity into the session of a role.
type assumer struct{ Access *access.Decider }

// bearer is whom a session is made for: an identity with the proof that it came with.
type bearer struct {
	pool     directory.IdentityPool
	identity string
	amr      []string
	tags     map[string]string
}

// credentials is the enhanced flow: the pool chooses the role and assumes it. The identity in the answer may
// be another than the one asked for: a login that belongs to another identity merges the two.
func (g guests) credentials(ctx context.Context, in *ci.GetCredentialsForIdentityInput, tried *attempt) (*ci.GetCredentialsForIdentityOutput, error) {
	i, pool, s, err := g.anyIdentity(ctx, *in.IdentityId)
	if err != nil {
		return nil, err
	}
	tried.about(pool, i.ID)
	b := bearer{pool: pool, amr: []string{"unauthenticated"}}
	var logins []login
	if raw, ok := in.Logins[ownProvider]; ok && len(in.Logins) == 1 {
		var c token.Claims
		if c, err = g.own(ctx, pool, i, raw, tried); err == nil {
			b.amr, b.tags = c.Texts("amr"), tagsOf(c)
		}
		if err == nil && !slices.Contains(b.amr, authenticated) { // a guest's token is no better than none
			_, err = g.enter(ctx, pool, s, i, *in.IdentityId, nil, tried)
		}
	} else if logins, err = g.enter(ctx, pool, s, i, *in.IdentityId, in.Logins, tried); err == nil {
		if i, err = g.settle(ctx, pool, i, linked(logins)); len(logins) > 0 {
			b.amr, b.tags = amr(logins), sessionTags(s, logins)
		}
	}
	if err != nil {
		return nil, err
	}
	b.identity, tried.Identity = i.ID, i.ID
	role, err := s.chooseRole(slices.Contains(b.amr, authenticated), logins, value(in.CustomRoleArn), tried)
	if err != nil {
		return nil, err
	}
	c, err := g.assume(ctx, b, role, tried)
	if err != nil {
		return nil, err
	}
	return &ci.GetCredentialsForIdentityOutput{IdentityId: &i.ID, Credentials: c}, nil
}

// tagsOf are the session tags that a token of ours carries.
func tagsOf(c token.Claims) map[string]string {
	out := map[string]string{}
	all, _ := c[claimTags].(map[string]any)
	principal, _ := all["principal_tags"].(map[string]any)
	for key, values := range principal {
		if list, _ := values.([]any); len(list) == 1 {
			if v, ok := list[0].(string); ok {
				out[key] = v
			}
		}
	}
	return out
}

// assume has the role assumed for the bearer, as by AssumeRoleWithWebIdentity with the pool's own token. A
// token's claims may name roles of other accounts and tags that STS does not take: neither gets through.
func (a assumer) assume(ctx context.Context, b bearer, role string, tried *attempt) (*types.Credentials, error) {
	owner, _, _ := iamResource(role, "role")
	tried.require(evidence.Check{Name: "role", Operator: "is of account", Want: []string{b.pool.AccountID}, Got: []string{role}, OK: owner == b.pool.AccountID}, forbiddenRole(role))
	why := webidentity.BadTag(tagList(b.tags))
	tried.require(evidence.Check{Name: "session tags", Operator: "are well formed", OK: why == "", Note: why}, errBadConfiguration)
	if tried.refused != nil {
		return nil, tried.refused
	}
	k := op.RequestContext(ctx)
	k.Set(ownProvider+":aud", b.pool.ID)
	k.Set(ownProvider+":sub", b.identity)
	k.SetMany(ownProvider+":amr", b.amr...)
	ask := access.Assume{
		Subject: access.Subject{Principal: policy.Principal{Type: policy.WebIdentity, Federated: ownProvider}},
		Action:  access.ActionWithWebIdentity, RoleARN: role, SessionName: sessionName, Duration: sessionDuration,
		Tags: tagList(b.tags), Context: k, Federated: ownProvider,
		Kept: map[string][]string{ownProvider + ":aud": {b.pool.ID}, ownProvider + ":sub": {b.identity}, ownProvider + ":amr[]": b.amr},
	}
	if !slices.Contains(b.amr, authenticated) {
		ask.Policies, ask.PolicyARNs = []string{guestServices}, []string{guestPolicy}
	}
	out, err := a.Access.Assume(ctx, ask)
	if err != nil {
		return nil, err
	}
	tried.Decisions = append(tried.Decisions, out.Decisions...)
	tried.require(evidence.Check{Name: "role", Operator: "can be assumed", Want: []string{role}, OK: out.Reason == "", Note: string(out.Reason)},
		errBadConfiguration)
	if tried.refused != nil {
		return nil, tried.refused
	}
	return &types.Credentials{
		AccessKeyId: &out.Session.KeyID, SecretKey: new(out.Session.Secret.Reveal()), SessionToken: &out.Token, Expiration: &out.Session.Expires,
	}, nil
}

// passable checks that every role of the request exists and that the caller may pass it on to the pool.
func (r roles) passable(ctx context.Context, in *ci.SetIdentityPoolRolesInput, tried *attempt) error {
	all := slices.Collect(maps.Values(in.Roles))
	for _, m := range in.RoleMappings {
		if m.RulesConfiguration != nil {
			for _, rule := range m.RulesConfiguration.Rules {
				all = append(all, value(rule.RoleARN))
			}
		}
	}
	slices.Sort(all)
	for _, role := range slices.Compact(all) {
		_, err := r.Access.Roles.WithARN(ctx, role)
		if err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
		tried.require(evidence.Check{Name: "role", Operator: "exists", Want: []string{role}, OK: err == nil}, forbiddenRole(role))
		k := op.RequestContext(ctx)
		k.Set("iam:PassedToService", ownProvider)
		d, err := op.By(r.Access)(ctx, op.Access{Caller: op.CallerOf(ctx), Action: "iam:PassRole", Resource: role, Context: k})
		if err != nil {
			return err
		}
		tried.Decisions = append(tried.Decisions, d)
		tried.require(evidence.Check{Name: "iam:PassRole", Operator: "is allowed", Want: []string{role}, OK: d.Allows(), Note: d.Because}, forbiddenRole(role))
	}
	return tried.refused
}

// forbiddenRole has the text reported in boto/boto3 issue 73.
func forbiddenRole(role string) *op.Error {
	return refusal(notAuthorized, "Access to Role '"+role+"' is forbidden.")
}
