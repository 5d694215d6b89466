package iam_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"

	"github.com/treatyfed/treaty/aws/iam"
)

const print40 = "990F4193972F2BECF12DDEDA5237F9C952F20D9E"

// provider makes an OIDC provider; edit changes the request.
func (w *world) provider(url string, edit ...func(*sdk.CreateOpenIDConnectProviderInput)) (arn string, err error) {
	in := &sdk.CreateOpenIDConnectProviderInput{Url: &url}
	for _, e := range edit {
		e(in)
	}
	out, err := w.CreateOpenIDConnectProvider(context.Background(), in)
	if err != nil {
		return "", err
	}
	return *out.OpenIDConnectProviderArn, nil
}

func TestTheNamesOfOIDCProviders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		url, name     string
		code, message string
	}{
		{url: "https://issuer.example", name: "issuer.example"},
		{url: "https://issuer.example/", name: "issuer.example/"},
		{url: "https://issuer.example/Tenant/v2.0", name: "issuer.example/Tenant/v2.0"},
		{url: "https://issuer.example:443/a", name: "issuer.example/a"},
		{url: "https://localhost:8443", name: "localhost:8443"},
		{url: "https://issuer.example:443", code: "EntityAlreadyExists", message: "Provider with url https://issuer.example already exists."},
		{url: "http://issuer.example", code: "ValidationError", message: "Invalid Open ID Connect Provider URL"},
		{url: "issuer.example", code: "ValidationError", message: "Invalid Open ID Connect Provider URL"},
		{url: "https://", code: "ValidationError", message: "Invalid Open ID Connect Provider URL"},
		{url: "https://user@issuer.example", code: "ValidationError", message: "Invalid Open ID Connect Provider URL"},
		{url: "https://issuer.example?a=b", code: "InvalidInput", message: "Unknown"},
		{url: "https://issuer.example/#f", code: "InvalidInput", message: "Unknown"},
	} {
		arn, err := w.provider(tt.url)
		if tt.code != "" {
			refused(t, err, tt.code, tt.message)
			continue
		}
		must(t, err)
		out, err := w.GetOpenIDConnectProvider(context.Background(), &sdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
		must(t, err)
		if arn != "arn:aws:iam::"+account+":oidc-provider/"+tt.name || *out.Url != tt.name {
			t.Errorf("%s: %s, %s", tt.url, arn, *out.Url)
		}
	}
}

func TestTheLifeOfAnOIDCProvider(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	w.pass(507 * time.Millisecond)
	arn, err := w.provider("https://issuer.example/t", func(in *sdk.CreateOpenIDConnectProviderInput) {
		in.ClientIDList, in.ThumbprintList = []string{"b", "a", "b"}, []string{print40, print40}
		in.Tags = []types.Tag{{Key: new("Team"), Value: new("x")}, {Key: new("team"), Value: new("y")}}
	})
	must(t, err)
	w.has("Tags")
	got, err := w.GetOpenIDConnectProvider(ctx, &sdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	must(t, err)
	small := strings.ToLower(print40)
	if d := cmp.Diff([]string{"b", "a"}, got.ClientIDList); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{small, small}, got.ThumbprintList); d != "" {
		t.Error(d)
	}
	if body := w.last().body; !strings.Contains(body, "<CreateDate>2026-11-21T09:30:00.507Z</CreateDate>") {
		t.Errorf("the time has no milliseconds in %s", body)
	}
}

func TestChangingAnOIDCProvider(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	arn, err := w.provider("https://issuer.example/t", func(in *sdk.CreateOpenIDConnectProviderInput) {
		in.ClientIDList = []string{"b", "a"}
		in.Tags = []types.Tag{{Key: new("Team"), Value: new("x")}, {Key: new("team"), Value: new("y")}}
	})
	must(t, err)
	get := func() *sdk.GetOpenIDConnectProviderOutput {
		t.Helper()
		out, err := w.GetOpenIDConnectProvider(ctx, &sdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
		must(t, err)
		return out
	}
	for range 2 {
		_, err = w.AddClientIDToOpenIDConnectProvider(ctx, &sdk.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn, ClientID: new("c")})
		must(t, err)
		_, err = w.RemoveClientIDFromOpenIDConnectProvider(ctx, &sdk.RemoveClientIDFromOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn, ClientID: new("b")})
		must(t, err)
	}
	if d := cmp.Diff([]string{"a", "c"}, get().ClientIDList); d != "" {
		t.Error(d)
	}
	update := func(prints ...string) error {
		_, err := w.UpdateOpenIDConnectProviderThumbprint(ctx, &sdk.UpdateOpenIDConnectProviderThumbprintInput{OpenIDConnectProviderArn: &arn, ThumbprintList: append([]string{}, prints...)})
		return err
	}
	must(t, update(strings.Repeat("Z", 40)))
	if d := cmp.Diff([]string{strings.Repeat("z", 40)}, get().ThumbprintList); d != "" {
		t.Error(d)
	}
	refused(t, update(), "InvalidInput", "Thumbprint list must contain at least one entry.")
	refused(t, update(print40, print40, print40, print40, print40, print40), "InvalidInput", "Thumbprint list must contain fewer than 5 entries.")

	_, err = w.TagOpenIDConnectProvider(ctx, &sdk.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn, Tags: []types.Tag{{Key: new("team"), Value: new("z")}}})
	must(t, err)
	_, err = w.UntagOpenIDConnectProvider(ctx, &sdk.UntagOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn, TagKeys: []string{"Team"}})
	must(t, err)
	tags, err := w.ListOpenIDConnectProviderTags(ctx, &sdk.ListOpenIDConnectProviderTagsInput{OpenIDConnectProviderArn: &arn})
	must(t, err)
	w.has("IsTruncated", "-Marker")
	if len(tags.Tags) != 1 || *tags.Tags[0].Key != "team" || *tags.Tags[0].Value != "z" {
		t.Errorf("%+v", tags.Tags)
	}
	list, err := w.ListOpenIDConnectProviders(ctx, &sdk.ListOpenIDConnectProvidersInput{})
	must(t, err)
	if len(list.OpenIDConnectProviderList) != 1 || *list.OpenIDConnectProviderList[0].Arn != arn {
		t.Errorf("%+v", list.OpenIDConnectProviderList)
	}
	_, err = w.DeleteOpenIDConnectProvider(ctx, &sdk.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	must(t, err)
	_, err = w.DeleteOpenIDConnectProvider(ctx, &sdk.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	refused(t, err, "NoSuchEntity", "OpenId connect Provider "+arn+" cannot be found.")
	_, err = w.GetOpenIDConnectProvider(ctx, &sdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	refused(t, err, "NoSuchEntity", "OpenIDConnect Provider not found for arn "+arn)
	_, err = w.AddClientIDToOpenIDConnectProvider(ctx, &sdk.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn, ClientID: new("c")})
	refused(t, err, "NoSuchEntity", "")
	list, err = w.ListOpenIDConnectProviders(ctx, &sdk.ListOpenIDConnectProvidersInput{})
	must(t, err)
	if body := w.last().body; len(list.OpenIDConnectProviderList) != 0 || !strings.Contains(body, "<OpenIDConnectProviderList/>") {
		t.Error(body)
	}
}

func TestAProviderWithoutListsHasEmptyOnes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn, err := w.provider("https://issuer.example")
	must(t, err)
	w.has("-Tags")
	_, err = w.GetOpenIDConnectProvider(context.Background(), &sdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	must(t, err)
	w.has("ClientIDList", "ThumbprintList", "Tags", "Url", "CreateDate")
}

func TestThumbprintsThatAreNotGivenAreFetched(t *testing.T) {
	t.Parallel()
	var asked string
	w := newWorld(t, func(s *iam.Service) {
		s.Thumbprint = func(_ context.Context, url string) (string, error) {
			asked = url
			if strings.Contains(url, "down") {
				return "", errors.New("no route to host 10.0.0.1")
			}
			return print40, nil
		}
	})
	arn, err := w.provider("https://issuer.example/t")
	must(t, err)
	out, err := w.GetOpenIDConnectProvider(context.Background(), &sdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	must(t, err)
	if asked != "https://issuer.example/t" || len(out.ThumbprintList) != 1 || out.ThumbprintList[0] != strings.ToLower(print40) {
		t.Errorf("asked %s, got %v", asked, out.ThumbprintList)
	}
	_, err = w.provider("https://down.example")
	refused(t, err, "OpenIdIdpCommunicationError", "")
	if strings.Contains(w.last().body, "10.0.0.1") {
		t.Error("the cause is told")
	}
	_, err = w.provider("https://down.example", func(in *sdk.CreateOpenIDConnectProviderInput) { in.ThumbprintList = []string{print40} })
	must(t, err)
}

func TestAHundredClientIDsAreTheMost(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	var ids []string
	for i := range 97 {
		ids = append(ids, fmt.Sprint(i))
	}
	arn, err := w.provider("https://issuer.example", func(in *sdk.CreateOpenIDConnectProviderInput) { in.ClientIDList = ids })
	must(t, err)
	done, failed := eight(func(i int) error {
		_, err := w.AddClientIDToOpenIDConnectProvider(ctx, &sdk.AddClientIDToOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn, ClientID: new(fmt.Sprint("new", i))})
		return err
	})
	if done != 3 {
		t.Errorf("%d were added", done)
	}
	for _, err := range failed {
		refused(t, err, "LimitExceeded", "Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: 100")
	}
}

func TestProvidersOfOthersDoNotExist(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t), context.Background()
	arn, err := w.provider("https://issuer.example")
	must(t, err)
	_, err = w.root(stranger).GetOpenIDConnectProvider(ctx, &sdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	if err == nil {
		t.Error("another account sees it")
	}
	reader := w.user("reader", allow("iam:GetOpenIDConnectProvider", "arn:aws:iam::"+account+":oidc-provider/issuer.example"))
	_, err = reader.GetOpenIDConnectProvider(ctx, &sdk.GetOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	must(t, err)
	_, err = reader.DeleteOpenIDConnectProvider(ctx, &sdk.DeleteOpenIDConnectProviderInput{OpenIDConnectProviderArn: &arn})
	refused(t, err, "AccessDenied", "User: arn:aws:iam::"+account+":user/reader is not authorized to perform: iam:DeleteOpenIDConnectProvider on resource: "+arn+" because no identity-based policy allows the iam:DeleteOpenIDConnectProvider action")
}

func TestOIDCProvidersAreTaggedExactlyWhoeverAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.provider("https://issuer.example", func(in *sdk.CreateOpenIDConnectProviderInput) {
		in.Tags = []types.Tag{{Key: new("aws:x"), Value: new("1")}}
	})
	refused(t, err, "InvalidInput", "Tag keys beginning with aws: are reserved for system use.")
}
