package iam

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
)

// The tags of managed policies and of OIDC and SAML providers, whose keys differ by their case of letters
// as well.

// withRequestTags adds to a target the condition keys of tags that a request brings.
func withRequestTags[In any](t op.Target[In], tags func(*In) []types.Tag) op.Target[In] {
	return withKeys(t, func(in *In, k policy.Context) { access.RequestTags(k, directoryTags(tags(in))) })
}

// withTagKeys adds to a target the condition key of tags that a request takes away.
func withTagKeys[In any](t op.Target[In], keys func(*In) []string) op.Target[In] {
	return withKeys(t, func(in *In, k policy.Context) { k.SetMany("aws:TagKeys", keys(in)...) })
}

func withKeys[In any](t op.Target[In], add func(*In, policy.Context)) op.Target[In] {
	base := t.Keys
	t.Keys = func(ctx context.Context, c op.Caller, in *In, k policy.Context) error {
		add(in, k)
		if base == nil {
			return nil
		}
		return base(ctx, c, in, k)
	}
	return t
}

// newTagged checks the tags of something that is about to be made; to give it some, the caller needs the
// permission to tag it as well (IAM user guide, "Tags for AWS Identity and Access Management resources").
func (s *Service) newTagged(ctx context.Context, action, arn, shown string, tags []types.Tag) ([]directory.Tag, error) {
	checked, err := newTags(tags, false)
	if err != nil || len(checked) == 0 {
		return nil, err
	}
	return checked, s.permit(ctx, action, arn, shown, tagged(ctx, checked))
}

// edited makes an edit of an entity's tags.
func edited(e *directory.IAMEntity, edit func([]directory.Tag) ([]directory.Tag, error)) (err error) {
	e.Tags, err = edit(e.Tags)
	return err
}

func (s *Service) tagPolicy(ctx context.Context, in *iam.TagPolicyInput) (*iam.TagPolicyOutput, error) {
	return &iam.TagPolicyOutput{}, s.changePolicy(ctx, "TagPolicy", *in.PolicyArn, func(p *directory.IAMPolicy) error { return edited(&p.IAMEntity, laying(in.Tags, false)) })
}

func (s *Service) untagPolicy(ctx context.Context, in *iam.UntagPolicyInput) (*iam.UntagPolicyOutput, error) {
	return &iam.UntagPolicyOutput{}, s.changePolicy(ctx, "UntagPolicy", *in.PolicyArn, func(p *directory.IAMPolicy) error { return edited(&p.IAMEntity, taking(in.TagKeys, false)) })
}

func (s *Service) listPolicyTags(ctx context.Context, in *iam.ListPolicyTagsInput) (*iam.ListPolicyTagsOutput, error) {
	p, err := s.anyPolicy(ctx, *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	page, more, next, err := s.tagPage(p.IAMEntity, in.Marker, in.MaxItems)
	return &iam.ListPolicyTagsOutput{Tags: page, IsTruncated: more, Marker: next}, err
}

func (s *Service) tagOpenIDConnectProvider(ctx context.Context, in *iam.TagOpenIDConnectProviderInput) (*iam.TagOpenIDConnectProviderOutput, error) {
	return &iam.TagOpenIDConnectProviderOutput{}, s.changeOIDC(ctx, *in.OpenIDConnectProviderArn, func(p *directory.OIDCProvider) error { return edited(&p.IAMEntity, laying(in.Tags, false)) })
}

func (s *Service) untagOpenIDConnectProvider(ctx context.Context, in *iam.UntagOpenIDConnectProviderInput) (*iam.UntagOpenIDConnectProviderOutput, error) {
	return &iam.UntagOpenIDConnectProviderOutput{}, s.changeOIDC(ctx, *in.OpenIDConnectProviderArn, func(p *directory.OIDCProvider) error { return edited(&p.IAMEntity, taking(in.TagKeys, false)) })
}

func (s *Service) listOpenIDConnectProviderTags(ctx context.Context, in *iam.ListOpenIDConnectProviderTagsInput) (*iam.ListOpenIDConnectProviderTagsOutput, error) {
	p, err := s.oidcProvider(ctx, *in.OpenIDConnectProviderArn)
	if err != nil {
		return nil, err
	}
	page, more, next, err := s.tagPage(p.IAMEntity, in.Marker, in.MaxItems)
	return &iam.ListOpenIDConnectProviderTagsOutput{Tags: page, IsTruncated: more, Marker: next}, err
}

func (s *Service) tagSAMLProvider(ctx context.Context, in *iam.TagSAMLProviderInput) (*iam.TagSAMLProviderOutput, error) {
	return &iam.TagSAMLProviderOutput{}, s.changeSAML(ctx, *in.SAMLProviderArn, func(p *directory.SAMLProvider) error { return edited(&p.IAMEntity, laying(in.Tags, false)) })
}

func (s *Service) untagSAMLProvider(ctx context.Context, in *iam.UntagSAMLProviderInput) (*iam.UntagSAMLProviderOutput, error) {
	return &iam.UntagSAMLProviderOutput{}, s.changeSAML(ctx, *in.SAMLProviderArn, func(p *directory.SAMLProvider) error { return edited(&p.IAMEntity, taking(in.TagKeys, false)) })
}

func (s *Service) listSAMLProviderTags(ctx context.Context, in *iam.ListSAMLProviderTagsInput) (*iam.ListSAMLProviderTagsOutput, error) {
	p, err := s.samlProvider(ctx, *in.SAMLProviderArn)
	if err != nil {
		return nil, err
	}
	page, more, next, err := s.tagPage(p.IAMEntity, in.Marker, in.MaxItems)
	return &iam.ListSAMLProviderTagsOutput{Tags: page, IsTruncated: more, Marker: next}, err
}
