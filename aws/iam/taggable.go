package iam

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// tagOperations tag roles, users and MFA devices. Keys of roles and users compare in any case of letters,
// those of devices exactly (recorded, September 2026).
func (s *Service) tagOperations() []op.Operation {
	roles, users := s.roleHolder(), s.userHolder()
	return []op.Operation{
		op.On(s.tagRole, on(roles, func(in *iam.TagRoleInput) *string { return in.RoleName }, adding(func(in *iam.TagRoleInput) []types.Tag { return in.Tags }))),
		op.On(s.untagRole, on(roles, func(in *iam.UntagRoleInput) *string { return in.RoleName }, dropping(func(in *iam.UntagRoleInput) []string { return in.TagKeys }))),
		op.On(s.listRoleTags, on(roles, func(in *iam.ListRoleTagsInput) *string { return in.RoleName }, nil)),
		op.On(s.tagUser, on(users, func(in *iam.TagUserInput) *string { return in.UserName }, adding(func(in *iam.TagUserInput) []types.Tag { return in.Tags }))),
		op.On(s.untagUser, on(users, func(in *iam.UntagUserInput) *string { return in.UserName }, dropping(func(in *iam.UntagUserInput) []string { return in.TagKeys }))),
		op.On(s.listUserTags, on(users, func(in *iam.ListUserTagsInput) *string { return in.UserName }, nil)),
		op.On(s.tagDevice, onDevice(s, func(in *iam.TagMFADeviceInput) *string { return in.SerialNumber }, func(in *iam.TagMFADeviceInput, k policy.Context) { access.RequestTags(k, directoryTags(in.Tags)) })),
		op.On(s.untagDevice, onDevice(s, func(in *iam.UntagMFADeviceInput) *string { return in.SerialNumber }, func(in *iam.UntagMFADeviceInput, k policy.Context) { k.SetMany("aws:TagKeys", in.TagKeys...) })),
		op.On(s.listDeviceTags, onDevice(s, func(in *iam.ListMFADeviceTagsInput) *string { return in.SerialNumber }, nil)),
	}
}

// adding and dropping are the condition keys of a request that sets tags, or takes some away.
func adding[In any](tags func(*In) []types.Tag) func(*In, *directory.Grants, policy.Context) {
	return func(in *In, _ *directory.Grants, k policy.Context) { access.RequestTags(k, directoryTags(tags(in))) }
}

func dropping[In any](keys func(*In) []string) func(*In, *directory.Grants, policy.Context) {
	return func(in *In, _ *directory.Grants, k policy.Context) { k.SetMany("aws:TagKeys", keys(in)...) }
}

// onDevice is the target of an operation on an MFA device, whose ARN is its serial number.
func onDevice[In any](s *Service, serial func(*In) *string, more func(*In, policy.Context)) op.Target[In] {
	return op.Target[In]{
		Resource: func(_ context.Context, _ op.Caller, in *In) (string, error) { return *serial(in), nil },
		Keys: func(ctx context.Context, c op.Caller, in *In, k policy.Context) error {
			d, err := s.device(ctx, *serial(in))
			resourceTags(k, d.Tags)
			if more != nil {
				more(in, k)
			}
			var missing *op.Error
			if errors.As(err, &missing) {
				return nil
			}
			return err
		},
	}
}

// firstTags checks the tags of an entity that is about to be made; to give it some, the caller needs the
// permission to tag it as well (IAM user guide, "Tags for AWS Identity and Access Management resources").
func (s *Service) firstTags(ctx context.Context, action, arn string, tags []types.Tag) ([]directory.Tag, error) {
	checked, err := newTags(tags, true)
	if err != nil || len(checked) == 0 {
		return nil, err
	}
	return checked, s.permit(ctx, action, arn, arn, tagged(ctx, checked))
}

// retag changes the tags of a role or user.
func (h holder[T]) retag(ctx context.Context, name string, edit func(have []directory.Tag) ([]directory.Tag, error)) error {
	return h.change(ctx, name, func(v *T) (err error) {
		e, _ := h.parts(v)
		e.Tags, err = edit(e.Tags)
		return err
	})
}

// laying and taking are the edits of tags.
func laying(tags []types.Tag, fold bool) func([]directory.Tag) ([]directory.Tag, error) {
	return func(have []directory.Tag) ([]directory.Tag, error) { return addTags(have, tags, fold) }
}

func taking(keys []string, fold bool) func([]directory.Tag) ([]directory.Tag, error) {
	return func(have []directory.Tag) ([]directory.Tag, error) { return dropTags(have, keys, fold), nil }
}

// tagPage gives a page of an entity's tags, in the order in which they were given to it.
func (s *Service) tagPage(e directory.IAMEntity, marker *string, most *int32) (page []types.Tag, more bool, next *string, err error) {
	order := make([]int, len(e.Tags))
	for i := range order {
		order[i] = i
	}
	some, more, next, err := cut(s, "tags of "+e.ID, marker, most, order, ordinal)
	page = []types.Tag{}
	for _, i := range some {
		page = append(page, wireTags(e.Tags[i:i+1])...)
	}
	return page, more, next, err
}

func (s *Service) tagRole(ctx context.Context, in *iam.TagRoleInput) (*iam.TagRoleOutput, error) {
	return &iam.TagRoleOutput{}, s.roleHolder().retag(ctx, *in.RoleName, laying(in.Tags, true))
}

func (s *Service) untagRole(ctx context.Context, in *iam.UntagRoleInput) (*iam.UntagRoleOutput, error) {
	return &iam.UntagRoleOutput{}, s.roleHolder().retag(ctx, *in.RoleName, taking(in.TagKeys, true))
}

func (s *Service) listRoleTags(ctx context.Context, in *iam.ListRoleTagsInput) (*iam.ListRoleTagsOutput, error) {
	r, err := s.roleHolder().named(ctx, *in.RoleName)
	if err != nil {
		return nil, err
	}
	tags, more, next, err := s.tagPage(r.IAMEntity, in.Marker, in.MaxItems)
	return &iam.ListRoleTagsOutput{Tags: tags, IsTruncated: more, Marker: next}, err
}

func (s *Service) tagUser(ctx context.Context, in *iam.TagUserInput) (*iam.TagUserOutput, error) {
	return &iam.TagUserOutput{}, s.userHolder().retag(ctx, *in.UserName, laying(in.Tags, true))
}

func (s *Service) untagUser(ctx context.Context, in *iam.UntagUserInput) (*iam.UntagUserOutput, error) {
	return &iam.UntagUserOutput{}, s.userHolder().retag(ctx, *in.UserName, taking(in.TagKeys, true))
}

func (s *Service) listUserTags(ctx context.Context, in *iam.ListUserTagsInput) (*iam.ListUserTagsOutput, error) {
	u, err := s.userHolder().named(ctx, *in.UserName)
	if err != nil {
		return nil, err
	}
	tags, more, next, err := s.tagPage(u.IAMEntity, in.Marker, in.MaxItems)
	return &iam.ListUserTagsOutput{Tags: tags, IsTruncated: more, Marker: next}, err
}

func (s *Service) tagDevice(ctx context.Context, in *iam.TagMFADeviceInput) (*iam.TagMFADeviceOutput, error) {
	return &iam.TagMFADeviceOutput{}, s.retagDevice(ctx, *in.SerialNumber, laying(in.Tags, false))
}

func (s *Service) untagDevice(ctx context.Context, in *iam.UntagMFADeviceInput) (*iam.UntagMFADeviceOutput, error) {
	return &iam.UntagMFADeviceOutput{}, s.retagDevice(ctx, *in.SerialNumber, taking(in.TagKeys, false))
}

func (s *Service) listDeviceTags(ctx context.Context, in *iam.ListMFADeviceTagsInput) (*iam.ListMFADeviceTagsOutput, error) {
	d, err := s.device(ctx, *in.SerialNumber)
	if err != nil {
		return nil, err
	}
	tags, more, next, err := s.tagPage(d.IAMEntity, in.Marker, in.MaxItems)
	return &iam.ListMFADeviceTagsOutput{Tags: tags, IsTruncated: more, Marker: next}, err
}

// retagDevice changes the tags of an MFA device.
func (s *Service) retagDevice(ctx context.Context, serial string, edit func([]directory.Tag) ([]directory.Tag, error)) error {
	return s.changeDevice(ctx, serial, func(d *directory.MFADevice) (err error) {
		d.Tags, err = edit(d.Tags)
		return err
	})
}

// device finds an MFA device of the caller's account by its serial number.
func (s *Service) device(ctx context.Context, serial string) (directory.MFADevice, error) {
	d, err := s.MFA.WithARN(ctx, serial)
	if errors.Is(err, fault.NotFound) || err == nil && d.AccountID != op.CallerOf(ctx).Account {
		return directory.MFADevice{}, noDevice(serial)
	}
	return d, err
}

func noDevice(serial string) error {
	return refusal(noSuchEntity, "VirtualMFADevice with serial number "+serial+" doesn't exist.")
}

// changeDevice edits an MFA device and stores it.
func (s *Service) changeDevice(ctx context.Context, serial string, edit func(*directory.MFADevice) error) error {
	return again(func() error {
		d, err := s.device(ctx, serial)
		if err != nil {
			return err
		}
		if err := edit(&d); err != nil {
			return err
		}
		return orMissing(s.MFA.Update(ctx, d), noDevice(serial))
	})
}
