package iam

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/directory"
)

// versionOut is a version without its document, which GetPolicyVersion alone gives.
func versionOut(p directory.IAMPolicy, v directory.PolicyVersion) types.PolicyVersion {
	return types.PolicyVersion{VersionId: &v.ID, IsDefaultVersion: v.ID == p.Default, CreateDate: seconds(v.CreatedAt)}
}

// asLocal is a policy of AWS's own as a customer managed one: its one known version is in force.
func (p managedPolicy) asLocal() directory.IAMPolicy {
	return directory.IAMPolicy{
		IAMEntity: directory.IAMEntity{ID: p.ID, ARN: p.ARN, Path: p.path, Name: p.name, CreatedAt: p.CreatedAt},
		Versions:  []directory.PolicyVersion{{ID: p.VersionID, Document: p.document, CreatedAt: p.UpdatedAt}},
		Default:   p.VersionID, UpdatedAt: p.UpdatedAt, Description: p.Description,
	}
}

// anyPolicy finds a policy to read: the account's own or AWS's.
func (s *Service) anyPolicy(ctx context.Context, arn string) (directory.IAMPolicy, error) {
	if m, ok := catalogue()[arn]; ok {
		return m.asLocal(), nil
	}
	return s.localPolicy(ctx, op.CallerOf(ctx).Account, arn)
}

// versionOf gives the index of a version.
func versionOf(p directory.IAMPolicy, id string) (int, error) {
	i := slices.IndexFunc(p.Versions, func(v directory.PolicyVersion) bool { return v.ID == id })
	if i < 0 {
		return i, refusal(noSuchEntity, "Policy "+p.ARN+" version "+id+" does not exist or is not attachable.")
	}
	return i, nil
}

// changePolicy edits a policy of the account's own and stores it; the edit is made again on what another
// request has stored meanwhile.
func (s *Service) changePolicy(ctx context.Context, action, arn string, edit func(*directory.IAMPolicy) error) error {
	return again(func() error {
		p, err := s.ownPolicy(ctx, action, arn)
		if err != nil {
			return err
		}
		if err := edit(&p); err != nil {
			return err
		}
		return orMissing(s.Policies.Update(ctx, p), noPolicy(arn))
	})
}

func (s *Service) createPolicyVersion(ctx context.Context, in *iam.CreatePolicyVersionInput) (*iam.CreatePolicyVersionOutput, error) {
	if err := identityPolicy(*in.PolicyDocument); err != nil {
		return nil, err
	}
	var out types.PolicyVersion
	err := s.changePolicy(ctx, "CreatePolicyVersion", *in.PolicyArn, func(p *directory.IAMPolicy) error {
		if len(p.Versions) >= maxPolicyVersions {
			return refusal(limitExceeded, "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.")
		}
		now := s.Now().UTC()
		v := directory.PolicyVersion{ID: "v" + strconv.Itoa(p.Next), Document: *in.PolicyDocument, CreatedAt: now}
		p.Versions = slices.Insert(slices.Clone(p.Versions), 0, v)
		p.Next++
		p.UpdatedAt = now
		if in.SetAsDefault {
			p.Default = v.ID
		}
		out = versionOut(*p, v)
		return nil
	})
	return &iam.CreatePolicyVersionOutput{PolicyVersion: &out}, err
}

func (s *Service) getPolicyVersion(ctx context.Context, in *iam.GetPolicyVersionInput) (*iam.GetPolicyVersionOutput, error) {
	p, err := s.anyPolicy(ctx, *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	i, err := versionOf(p, *in.VersionId)
	if err != nil {
		return nil, err
	}
	out := versionOut(p, p.Versions[i])
	out.Document = new(encodeDocument(p.Versions[i].Document))
	return &iam.GetPolicyVersionOutput{PolicyVersion: &out}, nil
}

// listPolicyVersions lists them newest first.
func (s *Service) listPolicyVersions(ctx context.Context, in *iam.ListPolicyVersionsInput) (*iam.ListPolicyVersionsOutput, error) {
	p, err := s.anyPolicy(ctx, *in.PolicyArn)
	if err != nil {
		return nil, err
	}
	page, more, marker, err := cut(s, "versions of "+p.ID, in.Marker, in.MaxItems, p.Versions, func(v directory.PolicyVersion) string {
		n, _ := strconv.Atoi(strings.TrimPrefix(v.ID, "v"))
		return descending(n)
	})
	if err != nil {
		return nil, err
	}
	out := &iam.ListPolicyVersionsOutput{Versions: []types.PolicyVersion{}, IsTruncated: more, Marker: marker}
	for _, v := range page {
		out.Versions = append(out.Versions, versionOut(p, v))
	}
	return out, nil
}

func (s *Service) setDefaultPolicyVersion(ctx context.Context, in *iam.SetDefaultPolicyVersionInput) (*iam.SetDefaultPolicyVersionOutput, error) {
	return &iam.SetDefaultPolicyVersionOutput{}, s.changePolicy(ctx, "SetDefaultPolicyVersion", *in.PolicyArn, func(p *directory.IAMPolicy) error {
		if _, err := versionOf(*p, *in.VersionId); err != nil {
			return err
		}
		p.Default = *in.VersionId
		return nil
	})
}

func (s *Service) deletePolicyVersion(ctx context.Context, in *iam.DeletePolicyVersionInput) (*iam.DeletePolicyVersionOutput, error) {
	return &iam.DeletePolicyVersionOutput{}, s.changePolicy(ctx, "DeletePolicyVersion", *in.PolicyArn, func(p *directory.IAMPolicy) error {
		i, err := versionOf(*p, *in.VersionId)
		if err != nil {
			return err
		}
		if *in.VersionId == p.Default {
			return refusal(deleteConflict, "Cannot delete the default version of a policy.")
		}
		p.Versions = slices.Delete(slices.Clone(p.Versions), i, i+1)
		return nil
	})
}
