package iam

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// Quotas of OIDC providers (IAM user guide, "IAM and STS quotas"; API reference,
// CreateOpenIDConnectProvider).
const (
	maxOIDCProviders = 100
	maxClientIDs     = 100
	maxThumbprints   = 5
)

// oidcOperations are the OIDC identity providers of an account.
func (s *Service) oidcOperations() []op.Operation {
	return []op.Operation{
		op.On(s.createOpenIDConnectProvider, op.Target[iam.CreateOpenIDConnectProviderInput]{
			Resource: func(_ context.Context, c op.Caller, in *iam.CreateOpenIDConnectProviderInput) (string, error) {
				name, _ := providerName(*in.Url)
				return oidcARN(c.Account, name), nil
			},
			Keys: func(_ context.Context, _ op.Caller, in *iam.CreateOpenIDConnectProviderInput, k policy.Context) error {
				access.RequestTags(k, directoryTags(in.Tags))
				return nil
			},
		}),
		op.On(s.getOpenIDConnectProvider, onOIDC(s, func(in *iam.GetOpenIDConnectProviderInput) *string { return in.OpenIDConnectProviderArn })),
		op.On(s.listOpenIDConnectProviders, op.Target[iam.ListOpenIDConnectProvidersInput]{
			Resource: func(_ context.Context, c op.Caller, _ *iam.ListOpenIDConnectProvidersInput) (string, error) {
				return oidcARN(c.Account, "*"), nil
			},
		}),
		op.On(s.deleteOpenIDConnectProvider, onOIDC(s, func(in *iam.DeleteOpenIDConnectProviderInput) *string { return in.OpenIDConnectProviderArn })),
		op.On(s.updateOpenIDConnectProviderThumbprint, onOIDC(s, func(in *iam.UpdateOpenIDConnectProviderThumbprintInput) *string { return in.OpenIDConnectProviderArn })),
		op.On(s.addClientIDToOpenIDConnectProvider, onOIDC(s, func(in *iam.AddClientIDToOpenIDConnectProviderInput) *string { return in.OpenIDConnectProviderArn })),
		op.On(s.removeClientIDFromOpenIDConnectProvider, onOIDC(s, func(in *iam.RemoveClientIDFromOpenIDConnectProviderInput) *string { return in.OpenIDConnectProviderArn })),
		op.On(s.tagOpenIDConnectProvider, withRequestTags(onOIDC(s, func(in *iam.TagOpenIDConnectProviderInput) *string { return in.OpenIDConnectProviderArn }), func(in *iam.TagOpenIDConnectProviderInput) []types.Tag { return in.Tags })),
		op.On(s.untagOpenIDConnectProvider, withTagKeys(onOIDC(s, func(in *iam.UntagOpenIDConnectProviderInput) *string { return in.OpenIDConnectProviderArn }), func(in *iam.UntagOpenIDConnectProviderInput) []string { return in.TagKeys })),
		op.On(s.listOpenIDConnectProviderTags, onOIDC(s, func(in *iam.ListOpenIDConnectProviderTagsInput) *string { return in.OpenIDConnectProviderArn })),
	}
}

// onOIDC is the target of an operation on one provider, with the provider's tags as condition keys.
func onOIDC[In any](s *Service, arn func(*In) *string) op.Target[In] {
	return op.Target[In]{
		Resource: func(_ context.Context, _ op.Caller, in *In) (string, error) { return *arn(in), nil },
		Keys: func(ctx context.Context, c op.Caller, in *In, k policy.Context) error {
			p, err := s.OIDC.WithARN(ctx, *arn(in))
			if errors.Is(err, fault.NotFound) || err == nil && p.AccountID != c.Account {
				return nil
			}
			resourceTags(k, p.Tags)
			return err
		},
	}
}

func oidcARN(account, name string) string {
	return "arn:aws:iam::" + account + ":oidc-provider/" + name
}

// oidcProvider finds a provider of the caller's account by ARN.
func (s *Service) oidcProvider(ctx context.Context, arn string) (directory.OIDCProvider, error) {
	return s.oidcOr(ctx, arn, refusal(noSuchEntity, "OpenIDConnect Provider not found for arn "+arn))
}

func (s *Service) oidcOr(ctx context.Context, arn string, missing error) (directory.OIDCProvider, error) {
	if !strings.HasPrefix(arn, "arn:aws:iam::") || !strings.Contains(arn, ":oidc-provider/") {
		return directory.OIDCProvider{}, refusal(validationError, "Invalid ARN:  Could not be parsed!")
	}
	p, err := s.OIDC.WithARN(ctx, arn)
	if err == nil && p.AccountID != op.CallerOf(ctx).Account {
		return directory.OIDCProvider{}, missing
	}
	return p, orMissing(err, missing)
}

func (s *Service) createOpenIDConnectProvider(ctx context.Context, in *iam.CreateOpenIDConnectProviderInput) (*iam.CreateOpenIDConnectProviderOutput, error) {
	account := op.CallerOf(ctx).Account
	name, err := providerName(*in.Url)
	if err != nil {
		return nil, err
	}
	arn := oidcARN(account, name)
	tags, err := s.newTagged(ctx, "iam:TagOpenIDConnectProvider", arn, arn, in.Tags)
	if err != nil {
		return nil, err
	}
	clients, err := addClients(nil, in.ClientIDList...)
	if err != nil {
		return nil, err
	}
	prints, err := s.thumbprints(ctx, name, in.ThumbprintList)
	if err != nil {
		return nil, err
	}
	id, err := s.providerID("OIDC")
	if err != nil {
		return nil, err
	}
	p := directory.OIDCProvider{
		IAMEntity: directory.IAMEntity{
			ID: id, AccountID: account, ARN: arn, Path: "/", Name: name, Tags: tags, CreatedAt: s.Now().UTC(),
		},
		ClientIDs: clients, Thumbprints: prints,
	}
	err = s.OIDC.Create(ctx, p, maxOIDCProviders)
	switch {
	case errors.Is(err, fault.Conflict):
		return nil, refusal(entityAlreadyExists, "Provider with url https://"+name+" already exists.")
	case errors.Is(err, fault.LimitExceeded):
		return nil, refusal(limitExceeded, "Cannot exceed quota for OpenIdConnectProvidersPerAccount: 100")
	case err != nil:
		return nil, err
	}
	return &iam.CreateOpenIDConnectProviderOutput{OpenIDConnectProviderArn: &p.ARN, Tags: someTags(tags)}, nil
}

// thumbprints checks those given, or asks for the one of the CA that the provider's certificate comes from.
func (s *Service) thumbprints(ctx context.Context, name string, given []string) ([]string, error) {
	if len(given) > maxThumbprints {
		return nil, refusal(invalidInput, "Thumbprint list must contain fewer than 5 entries.")
	}
	if len(given) == 0 && s.Thumbprint != nil {
		found, err := s.Thumbprint(ctx, "https://"+name)
		if err != nil {
			return nil, refusal(issuerUnreachable, "The connection to the identity provider https://"+name+" failed.")
		}
		given = []string{found}
	}
	out := make([]string, len(given))
	for i, p := range given {
		out[i] = lower(p)
	}
	return out, nil
}

func (s *Service) getOpenIDConnectProvider(ctx context.Context, in *iam.GetOpenIDConnectProviderInput) (*iam.GetOpenIDConnectProviderOutput, error) {
	p, err := s.oidcProvider(ctx, *in.OpenIDConnectProviderArn)
	if err != nil {
		return nil, err
	}
	return &iam.GetOpenIDConnectProviderOutput{
		Url: &p.Name, ClientIDList: orEmpty(p.ClientIDs), ThumbprintList: orEmpty(p.Thumbprints),
		CreateDate: &p.CreatedAt, Tags: wireTags(p.Tags),
	}, nil
}

func (s *Service) listOpenIDConnectProviders(ctx context.Context, _ *iam.ListOpenIDConnectProvidersInput) (*iam.ListOpenIDConnectProvidersOutput, error) {
	all, err := everything(ctx, s.OIDC, op.CallerOf(ctx).Account, func(p directory.OIDCProvider) string { return p.Name })
	out := &iam.ListOpenIDConnectProvidersOutput{OpenIDConnectProviderList: []types.OpenIDConnectProviderListEntry{}}
	for _, p := range all {
		out.OpenIDConnectProviderList = append(out.OpenIDConnectProviderList, types.OpenIDConnectProviderListEntry{Arn: &p.ARN})
	}
	return out, err
}

func (s *Service) deleteOpenIDConnectProvider(ctx context.Context, in *iam.DeleteOpenIDConnectProviderInput) (*iam.DeleteOpenIDConnectProviderOutput, error) {
	arn := *in.OpenIDConnectProviderArn
	missing := refusal(noSuchEntity, "OpenId connect Provider "+arn+" cannot be found.")
	return &iam.DeleteOpenIDConnectProviderOutput{}, again(func() error {
		p, err := s.oidcOr(ctx, arn, missing)
		if err != nil {
			return err
		}
		return orMissing(s.OIDC.Delete(ctx, p.ID, p.Version), missing)
	})
}

// changeOIDC edits a provider and stores it.
func (s *Service) changeOIDC(ctx context.Context, arn string, edit func(*directory.OIDCProvider) error) error {
	return again(func() error {
		p, err := s.oidcProvider(ctx, arn)
		if err != nil {
			return err
		}
		if err := edit(&p); err != nil {
			return err
		}
		return s.OIDC.Update(ctx, p)
	})
}

func (s *Service) updateOpenIDConnectProviderThumbprint(ctx context.Context, in *iam.UpdateOpenIDConnectProviderThumbprintInput) (*iam.UpdateOpenIDConnectProviderThumbprintOutput, error) {
	return &iam.UpdateOpenIDConnectProviderThumbprintOutput{}, s.changeOIDC(ctx, *in.OpenIDConnectProviderArn, func(p *directory.OIDCProvider) (err error) {
		if len(in.ThumbprintList) == 0 {
			return refusal(invalidInput, "Thumbprint list must contain at least one entry.")
		}
		p.Thumbprints, err = s.thumbprints(ctx, p.Name, in.ThumbprintList)
		return err
	})
}

func (s *Service) addClientIDToOpenIDConnectProvider(ctx context.Context, in *iam.AddClientIDToOpenIDConnectProviderInput) (*iam.AddClientIDToOpenIDConnectProviderOutput, error) {
	return &iam.AddClientIDToOpenIDConnectProviderOutput{}, s.changeOIDC(ctx, *in.OpenIDConnectProviderArn, func(p *directory.OIDCProvider) (err error) {
		p.ClientIDs, err = addClients(p.ClientIDs, *in.ClientID)
		return err
	})
}

func (s *Service) removeClientIDFromOpenIDConnectProvider(ctx context.Context, in *iam.RemoveClientIDFromOpenIDConnectProviderInput) (*iam.RemoveClientIDFromOpenIDConnectProviderOutput, error) {
	return &iam.RemoveClientIDFromOpenIDConnectProviderOutput{}, s.changeOIDC(ctx, *in.OpenIDConnectProviderArn, func(p *directory.OIDCProvider) error {
		p.ClientIDs = slices.DeleteFunc(slices.Clone(p.ClientIDs), func(id string) bool { return id == *in.ClientID })
		return nil
	})
}
