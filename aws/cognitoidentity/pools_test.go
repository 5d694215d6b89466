package cognitoidentity_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity/types"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/treatyfed/treaty/aws/cognitoidentity"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// plain compares outputs of the SDK by their exported members but the transport's metadata.
var plain = cmp.Options{
	cmpopts.IgnoreUnexported(ci.DescribeIdentityPoolOutput{}, types.CognitoIdentityProvider{}, types.RoleMapping{}, types.RulesConfigurationType{},
		types.MappingRule{}, ci.GetIdentityPoolRolesOutput{}, ci.GetPrincipalTagAttributeMapOutput{}, ci.LookupDeveloperIdentityOutput{}),
	cmpopts.IgnoreFields(ci.DescribeIdentityPoolOutput{}, "ResultMetadata"),
	cmpopts.IgnoreFields(ci.GetIdentityPoolRolesOutput{}, "ResultMetadata"),
	cmpopts.IgnoreFields(ci.GetPrincipalTagAttributeMapOutput{}, "ResultMetadata"),
	cmpopts.IgnoreFields(ci.LookupDeveloperIdentityOutput{}, "ResultMetadata"),
}

func TestPoolIsShownAsItWasMadeAndThenReplacedAsAWhole(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	made, err := w.CreateIdentityPool(ctx, &ci.CreateIdentityPoolInput{
		IdentityPoolName:               new("first name"),
		AllowUnauthenticatedIdentities: true,
		AllowClassicFlow:               new(false),
		DeveloperProviderName:          new(developer),
		SupportedLoginProviders:        map[string]string{"accounts.google.com": "g"},
		OpenIdConnectProviderARNs:      []string{"arn:aws:iam::123456789012:oidc-provider/login.example.org/t/v2.0"},
		SamlProviderARNs:               []string{"arn:aws:iam::123456789012:saml-provider/adfs"},
		CognitoIdentityProviders: []types.CognitoIdentityProvider{{
			ProviderName: new("cognito-idp.us-east-1.amazonaws.com/us-east-1_abc"), ClientId: new("client"), ServerSideTokenCheck: new(true)}},
		IdentityPoolTags: map[string]string{"team": "x"},
	})
	must(t, err)
	if id := *made.IdentityPoolId; !regexp.MustCompile(`^us-east-1:[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("id %q is not REGION:GUID", id)
	}
	shown, err := w.DescribeIdentityPool(ctx, &ci.DescribeIdentityPoolInput{IdentityPoolId: made.IdentityPoolId})
	must(t, err)
	if d := cmp.Diff(ci.DescribeIdentityPoolOutput(*made), *shown, plain); d != "" {
		t.Errorf("described differs from made (-made +described):\n%s", d)
	}

	role := w.role("reader", trustPool("x", "authenticated"))
	_, err = w.SetIdentityPoolRoles(ctx, &ci.SetIdentityPoolRolesInput{IdentityPoolId: made.IdentityPoolId, Roles: map[string]string{"authenticated": role}})
	must(t, err)
	replaced, err := w.UpdateIdentityPool(ctx, &ci.UpdateIdentityPoolInput{
		IdentityPoolId: made.IdentityPoolId, IdentityPoolName: new("second name")})
	must(t, err)
	want := ci.DescribeIdentityPoolOutput{
		IdentityPoolId: made.IdentityPoolId, IdentityPoolName: new("second name"), DeveloperProviderName: new(developer), IdentityPoolTags: map[string]string{"team": "x"}}
	if d := cmp.Diff(want, ci.DescribeIdentityPoolOutput(*replaced), plain); d != "" {
		t.Errorf("what an update leaves out, but for tags and developer, should fall back to its default (-want +got):\n%s", d)
	}
	roles, err := w.GetIdentityPoolRoles(ctx, &ci.GetIdentityPoolRolesInput{IdentityPoolId: made.IdentityPoolId})
	must(t, err)
	if roles.Roles["authenticated"] != role {
		t.Errorf("an update should leave the roles alone, they are %v", roles.Roles)
	}

	_, err = w.DeleteIdentityPool(ctx, &ci.DeleteIdentityPoolInput{IdentityPoolId: made.IdentityPoolId})
	must(t, err)
	_, err = w.DescribeIdentityPool(ctx, &ci.DescribeIdentityPoolInput{IdentityPoolId: made.IdentityPoolId})
	refused(t, err, "ResourceNotFoundException", "IdentityPool '"+*made.IdentityPoolId+"' not found.")
}

func TestPoolsThatAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	tags := func(n int) map[string]string {
		m := map[string]string{}
		for i := range n {
			m[fmt.Sprintf("k%02d", i)] = ""
		}
		return m
	}
	for name, c := range map[string]struct {
		edit          func(*ci.CreateIdentityPoolInput)
		code, message string
	}{
		"a name with a character that is not admitted": {
			func(in *ci.CreateIdentityPoolInput) { in.IdentityPoolName = new("a/b") }, "ValidationException",
			`1 validation error detected: Value 'a/b' at 'identityPoolName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w\s+=,.@-]+`},
		"a login provider that nobody knows": {
			func(in *ci.CreateIdentityPoolInput) {
				in.SupportedLoginProviders = map[string]string{"example.org": "x"}
			}, "InvalidParameterException", "Please provide a valid public provider"},
		"an OIDC provider that is no ARN": {
			func(in *ci.CreateIdentityPoolInput) {
				in.OpenIdConnectProviderARNs = []string{"https://login.example.org"}
			}, "InvalidParameterException", ""},
		"an OIDC provider of another account": {
			func(in *ci.CreateIdentityPoolInput) {
				in.OpenIdConnectProviderARNs = []string{"arn:aws:iam::210987654321:oidc-provider/login.example.org"}
			}, "InvalidParameterException", ""},
		"a SAML provider that is an OIDC provider": {
			func(in *ci.CreateIdentityPoolInput) {
				in.SamlProviderARNs = []string{"arn:aws:iam::123456789012:oidc-provider/login.example.org"}
			}, "InvalidParameterException", ""},
		"a user pool without its client": {
			func(in *ci.CreateIdentityPoolInput) {
				in.CognitoIdentityProviders = []types.CognitoIdentityProvider{{ProviderName: new("cognito-idp.us-east-1.amazonaws.com/us-east-1_abc")}}
			}, "InvalidParameterException", ""},
		"a user pool that is none": {
			func(in *ci.CreateIdentityPoolInput) {
				in.CognitoIdentityProviders = []types.CognitoIdentityProvider{{ProviderName: new("login.example.org/pool"), ClientId: new("c")}}
			}, "InvalidParameterException", ""},
		"a developer provider of a public provider's name": {func(in *ci.CreateIdentityPoolInput) { in.DeveloperProviderName = new("accounts.google.com") }, "InvalidParameterException", ""},
		"fifty-one tags": {func(in *ci.CreateIdentityPoolInput) { in.IdentityPoolTags = tags(51) }, "LimitExceededException", ""},
		"a reserved tag": {func(in *ci.CreateIdentityPoolInput) { in.IdentityPoolTags = map[string]string{"AWS:x": ""} }, "InvalidParameterException", ""},
		"too many SAML providers": {func(in *ci.CreateIdentityPoolInput) {
			in.SamlProviderARNs = slices.Repeat([]string{"arn:aws:iam::123456789012:saml-provider/a"}, 51)
		}, "LimitExceededException", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in := &ci.CreateIdentityPoolInput{IdentityPoolName: new("p")}
			c.edit(in)
			_, err := w.CreateIdentityPool(context.Background(), in)
			refused(t, err, c.code, c.message)
		})
	}
	_, err := w.as(account, "mars-north-1").CreateIdentityPool(context.Background(), &ci.CreateIdentityPoolInput{IdentityPoolName: new("p")})
	if err == nil {
		t.Error("a pool was made in a region that does not exist")
	}
}

func TestDeveloperProviderNameStaysOnceItIsSet(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	id := w.pool(func(in *ci.CreateIdentityPoolInput) { in.DeveloperProviderName = nil })
	update := func(name *string) (string, error) {
		out, err := w.UpdateIdentityPool(ctx, &ci.UpdateIdentityPoolInput{IdentityPoolId: &id, IdentityPoolName: new("p"), DeveloperProviderName: name})
		if err != nil || out.DeveloperProviderName == nil {
			return "", err
		}
		return *out.DeveloperProviderName, nil
	}
	for _, c := range []struct {
		name *string
		want string
	}{{nil, ""}, {new(developer), developer}, {new(developer), developer}, {nil, developer}} {
		got, err := update(c.name)
		must(t, err)
		if got != c.want {
			t.Errorf("the provider's name is %q, want %q", got, c.want)
		}
	}
	_, err := update(new("other.provider"))
	refused(t, err, "InvalidParameterException", "")
}

func TestPoolsOfOthersDoNotExist(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	id := w.pool()
	user := w.user(id, "u")
	for name, c := range map[string]*ci.Client{"another account": w.as(stranger, region), "another region": w.as(account, "eu-west-1")} {
		t.Run(name, func(t *testing.T) {
			missing := "IdentityPool '" + id + "' not found."
			_, err := c.DescribeIdentityPool(ctx, &ci.DescribeIdentityPoolInput{IdentityPoolId: &id})
			refused(t, err, "ResourceNotFoundException", missing)
			_, err = c.UpdateIdentityPool(ctx, &ci.UpdateIdentityPoolInput{IdentityPoolId: &id, IdentityPoolName: new("mine")})
			refused(t, err, "ResourceNotFoundException", missing)
			_, err = c.DeleteIdentityPool(ctx, &ci.DeleteIdentityPoolInput{IdentityPoolId: &id})
			refused(t, err, "ResourceNotFoundException", missing)
			_, err = c.GetOpenIdTokenForDeveloperIdentity(ctx, &ci.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: &id, Logins: map[string]string{developer: "u"}})
			refused(t, err, "ResourceNotFoundException", missing)
			_, err = c.ListIdentities(ctx, &ci.ListIdentitiesInput{IdentityPoolId: &id, MaxResults: new(int32(60))})
			refused(t, err, "ResourceNotFoundException", missing)
			_, err = c.DescribeIdentity(ctx, &ci.DescribeIdentityInput{IdentityId: &user})
			refused(t, err, "ResourceNotFoundException", "Identity '"+user+"' not found.")
			out, err := c.DeleteIdentities(ctx, &ci.DeleteIdentitiesInput{IdentityIdsToDelete: []string{user}})
			must(t, err)
			if len(out.UnprocessedIdentityIds) != 1 || out.UnprocessedIdentityIds[0].ErrorCode != types.ErrorCodeAccessDenied {
				t.Errorf("unprocessed: %v", out.UnprocessedIdentityIds)
			}
			list, err := c.ListIdentityPools(ctx, &ci.ListIdentityPoolsInput{MaxResults: new(int32(60))})
			must(t, err)
			if len(list.IdentityPools) != 0 {
				t.Errorf("the list shows pools of others: %v", list.IdentityPools)
			}
		})
	}
}

func TestPoolsAreListedPageByPage(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	var want []string
	for i := range 5 {
		want = append(want, w.pool(func(in *ci.CreateIdentityPoolInput) { in.IdentityPoolName = new(fmt.Sprint("pool ", i)) }))
	}
	slices.Sort(want)
	var got []string
	pager := ci.NewListIdentityPoolsPaginator(w, &ci.ListIdentityPoolsInput{MaxResults: new(int32(2))})
	pages := 0
	var token *string
	for pager.HasMorePages() {
		page, err := pager.NextPage(ctx)
		must(t, err)
		for _, p := range page.IdentityPools {
			got = append(got, *p.IdentityPoolId)
		}
		if pages++; page.NextToken != nil {
			token = page.NextToken
		}
	}
	if d := cmp.Diff(want, got); d != "" || pages != 3 {
		t.Errorf("%d pages, want 3; pools (-want +got):\n%s", pages, d)
	}
	for name, c := range map[string]*ci.Client{"another account": w.as(stranger, region), "another region": w.as(account, "eu-west-1")} {
		_, err := c.ListIdentityPools(ctx, &ci.ListIdentityPoolsInput{MaxResults: new(int32(2)), NextToken: token})
		if err == nil {
			t.Errorf("a page token was taken from %s", name)
		}
	}
	for _, bad := range []string{"x", "!!!", *token + "A", strings.Repeat("A", 9000)} {
		_, err := w.ListIdentityPools(ctx, &ci.ListIdentityPoolsInput{MaxResults: new(int32(2)), NextToken: &bad})
		refused(t, err, "InvalidParameterException", "")
	}
	_, err := w.ListIdentityPools(ctx, &ci.ListIdentityPoolsInput{MaxResults: new(int32(61))})
	refused(t, err, "ValidationException", "1 validation error detected: Value '61' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 60")
}

// rushed is a store in which somebody else changes every pool between reading and writing, rivals times.
type rushed struct {
	repository
	rivals *atomic.Int32
}

// repository is embedded under a name that leaves its method Pools reachable.
type repository = directory.Pools

func (r rushed) UpdatePool(ctx context.Context, p directory.IdentityPool) error {
	if r.rivals.Add(-1) >= 0 {
		current, err := r.repository.Pool(ctx, p.ID)
		if err != nil {
			return err
		}
		if err := r.repository.UpdatePool(ctx, current); err != nil {
			return err
		}
	}
	return r.repository.UpdatePool(ctx, p)
}

func TestConcurrentChangesOfPools(t *testing.T) {
	t.Parallel()
	var rivals atomic.Int32
	w, ctx := newWorld(t, func(s *cognitoidentity.Service) { s.Pools = rushed{s.Pools, &rivals} }), context.Background()
	id := w.pool()
	arn := "arn:aws:cognito-identity:us-east-1:123456789012:identitypool/" + id

	rivals.Store(1)
	_, err := w.UpdateIdentityPool(ctx, &ci.UpdateIdentityPoolInput{IdentityPoolId: &id, IdentityPoolName: new("p"), DeveloperProviderName: new(developer)})
	refused(t, err, "ConcurrentModificationException", "")
	rivals.Store(1)
	_, err = w.SetIdentityPoolRoles(ctx, &ci.SetIdentityPoolRolesInput{IdentityPoolId: &id, Roles: map[string]string{}})
	refused(t, err, "ConcurrentModificationException", "")

	rivals.Store(3)
	_, err = w.TagResource(ctx, &ci.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"a": "b"}})
	must(t, err) // its operation has no such error: it tries again
	out, err := w.ListTagsForResource(ctx, &ci.ListTagsForResourceInput{ResourceArn: &arn})
	must(t, err)
	if out.Tags["a"] != "b" {
		t.Errorf("tags are %v", out.Tags)
	}
	rivals.Store(1000)
	_, err = w.TagResource(ctx, &ci.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{"a": "c"}})
	refused(t, err, "TooManyRequestsException", "Rate exceeded")
}

// crowded is a store in which every account has 1000 pools.
type crowded struct{ repository }

func (crowded) Pools(_ context.Context, _, _, _ string, limit int) ([]directory.IdentityPool, error) {
	return make([]directory.IdentityPool, min(limit, 1000)), nil
}

func TestAnAccountHasAThousandPoolsInARegion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *cognitoidentity.Service) { s.Pools = crowded{s.Pools} })
	_, err := w.CreateIdentityPool(context.Background(), &ci.CreateIdentityPoolInput{IdentityPoolName: new("one too many")})
	refused(t, err, "LimitExceededException", "")
}

// broken is a store whose reads fail in one way.
type broken struct {
	repository
	kind *fault.Kind
}

func (b broken) Pool(context.Context, string) (directory.IdentityPool, error) {
	return directory.IdentityPool{}, fault.New(*b.kind, "pool", "disk on fire in /var/lib/secret")
}

func TestInternalTextsDoNotLeave(t *testing.T) {
	t.Parallel()
	var kind fault.Kind
	w := newWorld(t, func(s *cognitoidentity.Service) { s.Pools = broken{s.Pools, &kind} })
	for k, code := range map[fault.Kind]string{
		fault.NotFound: "ResourceNotFoundException", fault.Conflict: "ResourceConflictException", fault.Invalid: "InvalidParameterException",
		fault.Denied: "NotAuthorizedException", fault.Throttled: "TooManyRequestsException", fault.LimitExceeded: "LimitExceededException",
		fault.Unavailable: "ExternalServiceException", fault.Internal: "InternalErrorException",
	} {
		kind = k
		_, err := w.GetId(context.Background(), &ci.GetIdInput{IdentityPoolId: new("us-east-1:0")})
		refused(t, err, code, "")
		if regexp.MustCompile(`fire|secret`).MatchString(fmt.Sprint(err)) {
			t.Errorf("the store's own words are in the answer: %v", err)
		}
		if e := w.lastEvent(); e.Code != code || k != fault.NotFound && !strings.Contains(string(e.Evidence), "disk on fire") {
			t.Errorf("audited as %s, %s", e.Code, e.Evidence)
		}
	}
}
