package iam

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

const (
	maxSAMLProviders = 100 // IAM user guide, "IAM and STS quotas"
	maxSAMLKeys      = 2   // API reference, UpdateSAMLProvider: a key and the one that takes its place
	samlYears        = 100 // AWS gives every provider's ValidUntil as a hundred years on, whatever its metadata says
)

// samlOperations are the SAML identity providers of an account.
func (s *Service) samlOperations() []op.Operation {
	return []op.Operation{
		op.On(s.createSAMLProvider, op.Target[iam.CreateSAMLProviderInput]{
			Resource: func(_ context.Context, c op.Caller, in *iam.CreateSAMLProviderInput) (string, error) {
				return samlARN(c.Account, *in.Name), nil
			},
			Keys: func(_ context.Context, _ op.Caller, in *iam.CreateSAMLProviderInput, k policy.Context) error {
				access.RequestTags(k, directoryTags(in.Tags))
				return nil
			},
		}),
		op.On(s.getSAMLProvider, onSAML(s, func(in *iam.GetSAMLProviderInput) *string { return in.SAMLProviderArn })),
		op.On(s.updateSAMLProvider, onSAML(s, func(in *iam.UpdateSAMLProviderInput) *string { return in.SAMLProviderArn })),
		op.On(s.listSAMLProviders, op.Target[iam.ListSAMLProvidersInput]{
			Resource: func(_ context.Context, c op.Caller, _ *iam.ListSAMLProvidersInput) (string, error) {
				return samlARN(c.Account, "*"), nil
			},
		}),
		op.On(s.deleteSAMLProvider, onSAML(s, func(in *iam.DeleteSAMLProviderInput) *string { return in.SAMLProviderArn })),
		op.On(s.tagSAMLProvider, withRequestTags(onSAML(s, func(in *iam.TagSAMLProviderInput) *string { return in.SAMLProviderArn }), func(in *iam.TagSAMLProviderInput) []types.Tag { return in.Tags })),
		op.On(s.untagSAMLProvider, withTagKeys(onSAML(s, func(in *iam.UntagSAMLProviderInput) *string { return in.SAMLProviderArn }), func(in *iam.UntagSAMLProviderInput) []string { return in.TagKeys })),
		op.On(s.listSAMLProviderTags, onSAML(s, func(in *iam.ListSAMLProviderTagsInput) *string { return in.SAMLProviderArn })),
	}
}

// onSAML is the target of an operation on one provider, with the provider's tags as condition keys.
func onSAML[In any](s *Service, arn func(*In) *string) op.Target[In] {
	return op.Target[In]{
		Resource: func(_ context.Context, _ op.Caller, in *In) (string, error) { return *arn(in), nil },
		Keys: func(ctx context.Context, c op.Caller, in *In, k policy.Context) error {
			p, err := s.SAML.WithARN(ctx, *arn(in))
			if errors.Is(err, fault.NotFound) || err == nil && p.AccountID != c.Account {
				return nil
			}
			resourceTags(k, p.Tags)
			return err
		},
	}
}

func samlARN(account, name string) string {
	return "arn:aws:iam::" + account + ":saml-provider/" + name
}

// samlProvider finds a provider of the caller's account by ARN.
func (s *Service) samlProvider(ctx context.Context, arn string) (directory.SAMLProvider, error) {
	if !strings.HasPrefix(arn, "arn:aws:iam::") || !strings.Contains(arn, ":saml-provider/") {
		return directory.SAMLProvider{}, refusal(validationError, "Invalid ARN:  Could not be parsed!")
	}
	missing := noSAML(arn)
	p, err := s.SAML.WithARN(ctx, arn)
	if err == nil && p.AccountID != op.CallerOf(ctx).Account {
		return directory.SAMLProvider{}, missing
	}
	return p, orMissing(err, missing)
}

func noSAML(arn string) error { return refusal(noSuchEntity, "Manifest not found for arn "+arn) }

func (s *Service) createSAMLProvider(ctx context.Context, in *iam.CreateSAMLProviderInput) (*iam.CreateSAMLProviderOutput, error) {
	account := op.CallerOf(ctx).Account
	arn := samlARN(account, *in.Name)
	tags, err := s.newTagged(ctx, "iam:TagSAMLProvider", arn, arn, in.Tags)
	if err != nil {
		return nil, err
	}
	if err := checkSAMLMetadata(*in.SAMLMetadataDocument); err != nil {
		return nil, err
	}
	id, err := s.providerID("SAMLSP")
	if err != nil {
		return nil, err
	}
	now := s.Now().UTC()
	p := directory.SAMLProvider{
		IAMEntity: directory.IAMEntity{ID: id, AccountID: account, ARN: arn, Path: "/", Name: *in.Name, Tags: tags, CreatedAt: now},
		UUID:      id, Metadata: *in.SAMLMetadataDocument, Encryption: string(types.AssertionEncryptionModeTypeAllowed), ValidUntil: now.AddDate(samlYears, 0, 0),
	}
	if err := s.editSAML(&p, in.AssertionEncryptionMode, in.AddPrivateKey, nil); err != nil {
		return nil, err
	}
	err = s.SAML.Create(ctx, p, maxSAMLProviders)
	switch {
	case errors.Is(err, fault.Conflict):
		return nil, refusal(entityAlreadyExists, "SAMLProvider with name "+p.Name+" already exists.")
	case errors.Is(err, fault.LimitExceeded):
		return nil, refusal(limitExceeded, "Cannot exceed quota for SAMLProvidersPerAccount: 100")
	case err != nil:
		return nil, err
	}
	return &iam.CreateSAMLProviderOutput{SAMLProviderArn: &p.ARN, Tags: someTags(tags)}, nil
}

// editSAML makes the changes that both CreateSAMLProvider and UpdateSAMLProvider know.
func (s *Service) editSAML(p *directory.SAMLProvider, mode types.AssertionEncryptionModeType, add, remove *string) error {
	if mode != "" {
		p.Encryption = string(mode)
	}
	if remove != nil {
		if err := removeSAMLKey(p, *remove); err != nil {
			return err
		}
	}
	if add == nil {
		return nil
	}
	return s.addSAMLKey(p, *add)
}

func (s *Service) getSAMLProvider(ctx context.Context, in *iam.GetSAMLProviderInput) (*iam.GetSAMLProviderOutput, error) {
	p, err := s.samlProvider(ctx, *in.SAMLProviderArn)
	if err != nil {
		return nil, err
	}
	out := &iam.GetSAMLProviderOutput{
		SAMLProviderUUID: &p.UUID, SAMLMetadataDocument: &p.Metadata, CreateDate: &p.CreatedAt, ValidUntil: &p.ValidUntil,
		Tags: wireTags(p.Tags), AssertionEncryptionMode: types.AssertionEncryptionModeType(p.Encryption), PrivateKeyList: []types.SAMLPrivateKey{},
	}
	for _, k := range p.Keys {
		out.PrivateKeyList = append(out.PrivateKeyList, types.SAMLPrivateKey{KeyId: &k.ID, Timestamp: &k.CreatedAt})
	}
	return out, nil
}

func (s *Service) updateSAMLProvider(ctx context.Context, in *iam.UpdateSAMLProviderInput) (*iam.UpdateSAMLProviderOutput, error) {
	if in.SAMLMetadataDocument != nil {
		if err := checkSAMLMetadata(*in.SAMLMetadataDocument); err != nil {
			return nil, err
		}
	}
	err := s.changeSAML(ctx, *in.SAMLProviderArn, func(p *directory.SAMLProvider) error {
		if in.SAMLMetadataDocument != nil {
			p.Metadata = *in.SAMLMetadataDocument
		}
		return s.editSAML(p, in.AssertionEncryptionMode, in.AddPrivateKey, in.RemovePrivateKey)
	})
	return &iam.UpdateSAMLProviderOutput{SAMLProviderArn: in.SAMLProviderArn}, err
}

// changeSAML edits a provider and stores it.
func (s *Service) changeSAML(ctx context.Context, arn string, edit func(*directory.SAMLProvider) error) error {
	return again(func() error {
		p, err := s.samlProvider(ctx, arn)
		if err != nil {
			return err
		}
		if err := edit(&p); err != nil {
			return err
		}
		return orMissing(s.SAML.Update(ctx, p), noSAML(arn))
	})
}

func (s *Service) listSAMLProviders(ctx context.Context, _ *iam.ListSAMLProvidersInput) (*iam.ListSAMLProvidersOutput, error) {
	all, err := everything(ctx, s.SAML, op.CallerOf(ctx).Account, func(p directory.SAMLProvider) string { return p.Name })
	out := &iam.ListSAMLProvidersOutput{SAMLProviderList: []types.SAMLProviderListEntry{}}
	for _, p := range all {
		out.SAMLProviderList = append(out.SAMLProviderList, types.SAMLProviderListEntry{Arn: &p.ARN, CreateDate: &p.CreatedAt, ValidUntil: &p.ValidUntil})
	}
	return out, err
}

func (s *Service) deleteSAMLProvider(ctx context.Context, in *iam.DeleteSAMLProviderInput) (*iam.DeleteSAMLProviderOutput, error) {
	return &iam.DeleteSAMLProviderOutput{}, again(func() error {
		p, err := s.samlProvider(ctx, *in.SAMLProviderArn)
		if err != nil {
			return err
		}
		return orMissing(s.SAML.Delete(ctx, p.ID, p.Version), noSAML(p.ARN))
	})
}
