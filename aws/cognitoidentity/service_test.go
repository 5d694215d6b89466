package cognitoidentity_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/aws/cognitoidentity"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

func TestEveryOperationOfTheSDKsClientIsServed(t *testing.T) {
	t.Parallel()
	var want, got []string
	client := reflect.TypeFor[*ci.Client]()
	for i := range client.NumMethod() {
		m := client.Method(i)
		if m.Type.NumIn() == 4 && strings.HasSuffix(m.Type.In(2).String(), m.Name+"Input") {
			want = append(want, m.Name)
		}
	}
	for _, o := range (cognitoidentity.Service{}).Describe().Operations {
		got = append(got, o.Name())
	}
	slices.Sort(got)
	if d := cmp.Diff(want, got); d != "" || len(want) != 23 {
		t.Errorf("%d operations (-client +served):\n%s", len(want), d)
	}
}

func TestPublicOperationsNeedNoSignatureAndTheOthersDo(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	pool := w.pool(withGuests)
	nobody := ci.NewFromConfig(aws.Config{Region: region, BaseEndpoint: &w.url, RetryMaxAttempts: 1, Credentials: aws.AnonymousCredentials{}})
	id, err := nobody.GetId(ctx, &ci.GetIdInput{IdentityPoolId: &pool})
	must(t, err)
	_, err = nobody.GetOpenIdToken(ctx, &ci.GetOpenIdTokenInput{IdentityId: id.IdentityId})
	must(t, err)
	_, err = nobody.GetCredentialsForIdentity(ctx, &ci.GetCredentialsForIdentityInput{IdentityId: id.IdentityId})
	refused(t, err, "InvalidIdentityPoolConfigurationException", noRoles)
	_, err = nobody.UnlinkIdentity(ctx, &ci.UnlinkIdentityInput{IdentityId: id.IdentityId, Logins: map[string]string{}, LoginsToRemove: []string{}})
	refused(t, err, "NotAuthorizedException", noMatch)

	req, err := http.NewRequest("POST", w.url, strings.NewReader(`{"IdentityPoolId":"`+pool+`"}`))
	must(t, err)
	req.Header.Set("X-Amz-Target", "AWSCognitoIdentityService.DescribeIdentityPool")
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	if res.StatusCode != 400 || !strings.HasPrefix(res.Header.Get("X-Amzn-Errortype"), "MissingAuthenticationToken") {
		t.Errorf("unsigned: %s, %s", res.Status, res.Header.Get("X-Amzn-Errortype"))
	}
}

// lost is an audit that cannot be written.
type lost struct{}

func (lost) Record(context.Context, audit.Event) error {
	return fault.New(fault.Unavailable, "audit", "disk full")
}

func TestWithoutItsEventNoTokenIsGiven(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(s *cognitoidentity.Service) { s.Audit = lost{} })
	pool := w.pool()
	out, err := w.GetOpenIdTokenForDeveloperIdentity(context.Background(), &ci.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: &pool, Logins: map[string]string{developer: "u"}})
	if err == nil || out != nil {
		t.Errorf("a token that nobody knows of: %v", out)
	}
}

func TestSimultaneousLoginsOfGuestsEndInOneIdentity(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, vouched), context.Background()
	pool := w.pool(withGuests, withGoogle)
	logins := map[string]string{"accounts.google.com": "good:ann", "appleid.apple.com": "good:ann"}
	var all sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		id := w.guest(pool)
		all.Go(func() {
			_, errs[i] = w.GetOpenIdToken(ctx, &ci.GetOpenIdTokenInput{IdentityId: &id, Logins: logins})
		})
	}
	all.Wait()
	must(t, errors.Join(errs...))
	list, err := w.ListIdentities(ctx, &ci.ListIdentitiesInput{IdentityPoolId: &pool, MaxResults: new(int32(60)), HideDisabled: true})
	must(t, err)
	known := 0
	for _, i := range list.Identities {
		if len(i.Logins) > 0 {
			known++
		}
	}
	if known != 1 || len(list.Identities) != 1 {
		t.Errorf("%d identities are left, %d with logins, want one", len(list.Identities), known)
	}
}

// overtaken is a store in which a rival links every login to an identity of its own just before we do.
type overtaken struct {
	repositoryOfIdentities
	rival *string
}

type repositoryOfIdentities = directory.Identities

func (o overtaken) Link(ctx context.Context, seen directory.Identity, at time.Time, logins ...directory.Login) error {
	if rival := *o.rival; rival != "" {
		*o.rival = ""
		theirs, err := o.Identity(ctx, rival)
		if err == nil {
			err = o.repositoryOfIdentities.Link(ctx, theirs, at, logins...)
		}
		if err != nil {
			return err
		}
	}
	return o.repositoryOfIdentities.Link(ctx, seen, at, logins...)
}

func TestALoginThatARivalLinksFirst(t *testing.T) {
	t.Parallel()
	var rival string
	w, ctx := newWorld(t, vouched, func(s *cognitoidentity.Service) { s.Identities = overtaken{s.Identities, &rival} }), context.Background()
	pool := w.pool(withGuests, withGoogle)
	mine, others := w.guest(pool), w.guest(pool)
	rival = others
	out, err := w.GetOpenIdToken(ctx, &ci.GetOpenIdTokenInput{IdentityId: &mine, Logins: map[string]string{"accounts.google.com": "good:ann"}})
	must(t, err)
	if *out.IdentityId != others {
		t.Errorf("the identity is %s, want the rival's %s", *out.IdentityId, others)
	}

	mine, others = w.guest(pool), w.guest(pool)
	rival = others
	_, err = w.GetOpenIdTokenForDeveloperIdentity(ctx, &ci.GetOpenIdTokenForDeveloperIdentityInput{IdentityPoolId: &pool, IdentityId: &mine, Logins: map[string]string{developer: "bob"}})
	refused(t, err, "DeveloperUserAlreadyRegisteredException", "")
}
