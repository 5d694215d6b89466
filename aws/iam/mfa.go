package iam

import (
	"context"
	"encoding/base32"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// Bounds of MFA devices.
const (
	seedSize          = 40   // bytes: AWS's seeds are 64 characters of base32
	maxDevices        = 5000 // as many as users (IAM user guide, "IAM and STS quotas": virtual MFA devices)
	maxDevicesPerUser = 8    // IAM user guide, "AWS Multi-factor authentication in IAM"

	// A device's clock may be so many steps behind or ahead when it is enabled or synchronised (recorded,
	// September 2026: the second code's step from 998 before to 1000 after).
	stepsBehind, stepsAhead = 998, 1000
)

// Refusals of devices and codes (recorded, September 2026).
var (
	errCode         = refusal(invalidAuthentication, "Authentication code for device is not valid.")
	errDeviceExists = refusal(entityAlreadyExists, "MFA device already exists.")
	errDeviceTaken  = refusal(entityAlreadyExists, "MFA Device is already in use.")
	errNotUsers     = refusal(noSuchEntity, "MFA Device invalid for user.")
	errDeviceInUse  = refusal(deleteConflict, "MFA VirtualDevice in use. Must deactivate first.")
)

// DeviceLabel is the label under which the seed of a virtual MFA device is sealed.
func DeviceLabel(serial string) string { return "mfa " + serial }

// mfaOperations make virtual MFA devices, enable, synchronise, deactivate and delete them.
func (s *Service) mfaOperations() []op.Operation {
	users := s.userHolder()
	return []op.Operation{
		op.On(s.createDevice, making("mfa", func(in *iam.CreateVirtualMFADeviceInput) (path, name *string) {
			return in.Path, in.VirtualMFADeviceName
		},
			func(in *iam.CreateVirtualMFADeviceInput, k policy.Context) {
				access.RequestTags(k, directoryTags(in.Tags))
			})),
		op.On(s.enableDevice, on(users, func(in *iam.EnableMFADeviceInput) *string { return in.UserName }, nil)),
		op.On(s.resyncDevice, on(users, func(in *iam.ResyncMFADeviceInput) *string { return in.UserName }, nil)),
		op.On(s.deactivateDevice, on(users, func(in *iam.DeactivateMFADeviceInput) *string { return in.UserName }, nil)),
		op.On(s.deleteDevice, onDevice(s, func(in *iam.DeleteVirtualMFADeviceInput) *string { return in.SerialNumber }, nil)),
	}
}

// createDevice makes a device and shows its seed, this once. The QR code that would carry it as an image is
// there but empty: nothing here draws one.
func (s *Service) createDevice(ctx context.Context, in *iam.CreateVirtualMFADeviceInput) (*iam.CreateVirtualMFADeviceOutput, error) {
	c := op.CallerOf(ctx)
	arn := arnOf(c.Account, "mfa", pathOr(in.Path), *in.VirtualMFADeviceName)
	tags, err := newTags(in.Tags, false)
	if err != nil {
		return nil, err
	}
	if len(tags) > 0 {
		if err := s.permit(ctx, "iam:TagMFADevice", arn, arn, tagged(ctx, tags)); err != nil {
			return nil, err
		}
	}
	id, err := credential.NewUniqueID("AMFA", c.Account, s.Rand) // of ours: AWS shows no id of a device
	if err != nil {
		return nil, err
	}
	seed := make([]byte, seedSize)
	if _, err := io.ReadFull(s.Rand, seed); err != nil {
		return nil, fault.Wrap(fault.Internal, "mfa seed", err)
	}
	sealed, err := s.Sealer.Seal(DeviceLabel(arn), seed)
	if err != nil {
		return nil, err
	}
	d := directory.MFADevice{
		IAMEntity: directory.IAMEntity{ID: id, AccountID: c.Account, ARN: arn, Path: pathOr(in.Path), Name: *in.VirtualMFADeviceName, Tags: tags, CreatedAt: s.Now().UTC()},
		Sealed:    sealed,
	}
	err = s.MFA.Create(ctx, d, maxDevices)
	switch fault.KindOf(err) {
	case fault.Conflict:
		return nil, errDeviceExists
	case fault.LimitExceeded:
		return nil, refusal(limitExceeded, fmt.Sprintf("Cannot exceed quota for MFADevicesPerAccount: %d", maxDevices))
	}
	return &iam.CreateVirtualMFADeviceOutput{VirtualMFADevice: &types.VirtualMFADevice{
		SerialNumber: &arn, Base32StringSeed: []byte(base32.StdEncoding.EncodeToString(seed)), QRCodePNG: []byte{}, Tags: someTags(tags),
	}}, err
}

// synchronised finds the time step of the second of two codes in a row. Codes that were shown before the
// last one used do not count again; what counts as now is the device's own clock when it runs ahead.
func (s *Service) synchronised(d directory.MFADevice, first, second string) (int64, error) {
	seed, err := s.Sealer.Open(DeviceLabel(d.ARN), d.Sealed)
	if err != nil {
		return 0, err
	}
	now := credential.TOTPStep(s.Now())
	from, to := max(now-stepsBehind-1, d.LastStep+1), max(now, d.LastStep)+stepsAhead-1
	step, ok := credential.FindTOTP(seed, from, to, first, second)
	if !ok {
		return 0, errCode
	}
	return step + 1, nil
}

func (s *Service) enableDevice(ctx context.Context, in *iam.EnableMFADeviceInput) (*iam.EnableMFADeviceOutput, error) {
	u, err := s.userHolder().named(ctx, *in.UserName)
	if err != nil {
		return nil, err
	}
	return &iam.EnableMFADeviceOutput{}, s.changeDevice(ctx, *in.SerialNumber, func(d *directory.MFADevice) error {
		switch d.UserID {
		case "":
		case u.ID:
			return refusal(entityAlreadyExists, "MFA Device for user "+u.Name+" already exists.")
		default:
			return errDeviceTaken
		}
		have, err := s.devicesOf(ctx, u.AccountID, u.ID)
		if err != nil {
			return err
		}
		if len(have) >= maxDevicesPerUser {
			return refusal(limitExceeded, fmt.Sprintf("Cannot exceed quota for MFADevicesPerUser: %d", maxDevicesPerUser))
		}
		d.LastStep, err = s.synchronised(*d, *in.AuthenticationCode1, *in.AuthenticationCode2)
		d.UserID, d.EnabledAt = u.ID, s.Now().UTC()
		return err
	})
}

// changeOwnDevice edits a device that a user has enabled.
func (s *Service) changeOwnDevice(ctx context.Context, owner, serial string, edit func(*directory.MFADevice) error) error {
	return s.changeDevice(ctx, serial, func(d *directory.MFADevice) error {
		if d.UserID != owner {
			return errNotUsers
		}
		return edit(d)
	})
}

func (s *Service) resyncDevice(ctx context.Context, in *iam.ResyncMFADeviceInput) (*iam.ResyncMFADeviceOutput, error) {
	u, err := s.userHolder().named(ctx, *in.UserName)
	if err != nil {
		return nil, err
	}
	return &iam.ResyncMFADeviceOutput{}, s.changeOwnDevice(ctx, u.ID, *in.SerialNumber, func(d *directory.MFADevice) (err error) {
		d.LastStep, err = s.synchronised(*d, *in.AuthenticationCode1, *in.AuthenticationCode2)
		return err
	})
}

func (s *Service) deactivateDevice(ctx context.Context, in *iam.DeactivateMFADeviceInput) (*iam.DeactivateMFADeviceOutput, error) {
	owner, _, err := s.owner(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	return &iam.DeactivateMFADeviceOutput{}, s.changeOwnDevice(ctx, owner, *in.SerialNumber, func(d *directory.MFADevice) error {
		d.UserID, d.EnabledAt = "", time.Time{}
		return nil
	})
}

func (s *Service) deleteDevice(ctx context.Context, in *iam.DeleteVirtualMFADeviceInput) (*iam.DeleteVirtualMFADeviceOutput, error) {
	return &iam.DeleteVirtualMFADeviceOutput{}, again(func() error {
		d, err := s.device(ctx, *in.SerialNumber)
		if err != nil {
			return err
		}
		if d.UserID != "" {
			return errDeviceInUse
		}
		return orMissing(s.MFA.Delete(ctx, d.ID, d.Version), noDevice(*in.SerialNumber))
	})
}
