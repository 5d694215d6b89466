package iam

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// mfaListOperations list the devices of a user, and the virtual ones of the account.
func (s *Service) mfaListOperations() []op.Operation {
	return []op.Operation{
		op.On(s.listMFADevices, on(s.userHolder(), func(in *iam.ListMFADevicesInput) *string { return in.UserName }, nil)),
		op.On(s.listVirtualMFADevices, listing("mfa", func(*iam.ListVirtualMFADevicesInput) *string { return nil })),
	}
}

func (s *Service) listMFADevices(ctx context.Context, in *iam.ListMFADevicesInput) (*iam.ListMFADevicesOutput, error) {
	owner, name, err := s.owner(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	devices, err := s.devicesOf(ctx, op.CallerOf(ctx).Account, owner)
	if err != nil {
		return nil, err
	}
	devices, more, next, err := cut(s, "mfa devices of "+owner, in.Marker, in.MaxItems, devices, deviceKey)
	out := &iam.ListMFADevicesOutput{MFADevices: []types.MFADevice{}, IsTruncated: more, Marker: next}
	for _, d := range devices {
		out.MFADevices = append(out.MFADevices, types.MFADevice{UserName: optional(name), SerialNumber: &d.ARN, EnableDate: seconds(d.EnabledAt)})
	}
	return out, err
}

func deviceKey(d directory.MFADevice) string { return strings.ToLower(d.Name) }

// listVirtualMFADevices shows neither seeds nor tags, and of a device that is enabled its user.
func (s *Service) listVirtualMFADevices(ctx context.Context, in *iam.ListVirtualMFADevicesInput) (*iam.ListVirtualMFADevicesOutput, error) {
	account := op.CallerOf(ctx).Account
	p, err := s.page("virtual mfa devices of "+account+" "+string(in.AssignmentStatus), in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	found, more, next, err := listed(ctx, p, fetcher(s.MFA, account),
		func(d directory.MFADevice) string { return d.Name },
		func(d directory.MFADevice) bool {
			switch in.AssignmentStatus {
			case types.AssignmentStatusTypeAssigned:
				return d.UserID != ""
			case types.AssignmentStatusTypeUnassigned:
				return d.UserID == ""
			}
			return true
		})
	if err != nil {
		return nil, err
	}
	out := &iam.ListVirtualMFADevicesOutput{VirtualMFADevices: []types.VirtualMFADevice{}, IsTruncated: more, Marker: next}
	for _, d := range found {
		shown := types.VirtualMFADevice{SerialNumber: &d.ARN}
		if d.UserID != "" {
			shown.EnableDate = seconds(d.EnabledAt)
			if shown.User, err = s.deviceUser(ctx, d); err != nil {
				return nil, err
			}
		}
		out.VirtualMFADevices = append(out.VirtualMFADevices, shown)
	}
	return out, nil
}

// deviceUser is whose device it is, the root's included.
func (s *Service) deviceUser(ctx context.Context, d directory.MFADevice) (*types.User, error) {
	if d.UserID == d.AccountID {
		return &types.User{UserId: &d.AccountID, Arn: new("arn:aws:iam::" + d.AccountID + ":root")}, nil
	}
	u, err := s.Users.WithID(ctx, d.UserID)
	if errors.Is(err, fault.NotFound) {
		return nil, nil
	}
	out := userOut(u)
	return &out, err
}
