package iam_test

import (
	"context"
	"encoding/base32"
	"strconv"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/core/credential"
)

// device makes a virtual MFA device and gives its serial number and seed.
func (w *world) device(name string) (serial string, seed []byte) {
	w.t.Helper()
	out, err := w.CreateVirtualMFADevice(context.Background(), &sdk.CreateVirtualMFADeviceInput{VirtualMFADeviceName: &name})
	must(w.t, err)
	seed, err = base32.StdEncoding.DecodeString(string(out.VirtualMFADevice.Base32StringSeed))
	must(w.t, err)
	return *out.VirtualMFADevice.SerialNumber, seed
}

// codes are those of the step before offset steps from now, and of that step.
func (w *world) codes(seed []byte, offset int64) (first, second *string) {
	step := credential.TOTPStep(w.now()) + offset
	return new(credential.TOTP(seed, step-1)), new(credential.TOTP(seed, step))
}

// enable enables a device with the codes of codes.
func (w *world) enable(user, serial string, seed []byte, offset int64) error {
	first, second := w.codes(seed, offset)
	return fails(w.EnableMFADevice(context.Background(), &sdk.EnableMFADeviceInput{UserName: &user, SerialNumber: &serial, AuthenticationCode1: first, AuthenticationCode2: second}))
}

func (w *world) resync(user, serial string, seed []byte, offset int64) error {
	first, second := w.codes(seed, offset)
	return fails(w.ResyncMFADevice(context.Background(), &sdk.ResyncMFADeviceInput{UserName: &user, SerialNumber: &serial, AuthenticationCode1: first, AuthenticationCode2: second}))
}

// The steps, codes and texts were recorded in September 2026.
func TestDevicesLiveAsOnAWS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	for _, name := range []string{"owner", "other"} {
		must(t, fails(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: &name, Path: new("/access/")})))
	}
	in := &sdk.CreateVirtualMFADeviceInput{VirtualMFADeviceName: new("phone"), Path: new("/devices/"), Tags: []types.Tag{{Key: new("owner"), Value: new("probe")}, {Key: new("Owner"), Value: new("too")}}}
	created, err := w.CreateVirtualMFADevice(ctx, in)
	must(t, err)
	w.has("SerialNumber", "Base32StringSeed", "QRCodePNG", "Tags", "-User", "-EnableDate")
	d := created.VirtualMFADevice
	if *d.SerialNumber != "arn:aws:iam::123456789012:mfa/devices/phone" || len(d.Base32StringSeed) != 64 {
		t.Errorf("%+v", d)
	}
	seed, err := base32.StdEncoding.DecodeString(string(d.Base32StringSeed))
	must(t, err)
	serial := d.SerialNumber
	refused(t, fails(w.CreateVirtualMFADevice(ctx, in)), "EntityAlreadyExists", "MFA device already exists.")

	deactivate := func(user string) error {
		return fails(w.DeactivateMFADevice(ctx, &sdk.DeactivateMFADeviceInput{UserName: &user, SerialNumber: serial}))
	}
	const notUsers, badCode = "MFA Device invalid for user.", "Authentication code for device is not valid."
	refused(t, deactivate("owner"), "NoSuchEntity", notUsers)
	refused(t, w.resync("owner", *serial, seed, 0), "NoSuchEntity", notUsers)
	first, second := w.codes(seed, 0)
	refused(t, fails(w.EnableMFADevice(ctx, &sdk.EnableMFADeviceInput{UserName: new("owner"), SerialNumber: serial, AuthenticationCode1: second, AuthenticationCode2: second})), "InvalidAuthenticationCode", badCode)
	if w.last().status != 403 {
		t.Errorf("status %d", w.last().status)
	}
	refused(t, fails(w.EnableMFADevice(ctx, &sdk.EnableMFADeviceInput{UserName: new("owner"), SerialNumber: serial, AuthenticationCode1: second, AuthenticationCode2: first})), "InvalidAuthenticationCode", badCode)
	must(t, w.enable("owner", *serial, seed, 0))
	refused(t, w.enable("owner", *serial, seed, 0), "EntityAlreadyExists", "MFA Device for user owner already exists.")
	refused(t, w.enable("other", *serial, seed, 0), "EntityAlreadyExists", "MFA Device is already in use.")

	listed, err := w.ListVirtualMFADevices(ctx, &sdk.ListVirtualMFADevicesInput{AssignmentStatus: types.AssignmentStatusTypeAssigned})
	must(t, err)
	w.has("SerialNumber", "User", "EnableDate", "-Tags", "-Base32StringSeed", "-QRCodePNG")
	if v := listed.VirtualMFADevices[0]; *v.User.UserName != "owner" || !v.EnableDate.Equal(start) {
		t.Errorf("%+v", v)
	}
	mine, err := w.ListMFADevices(ctx, &sdk.ListMFADevicesInput{UserName: new("owner")})
	must(t, err)
	if len(mine.MFADevices) != 1 || *mine.MFADevices[0].UserName != "owner" || *mine.MFADevices[0].SerialNumber != *serial || !mine.MFADevices[0].EnableDate.Equal(start) {
		t.Errorf("%+v", mine.MFADevices)
	}
	refused(t, fails(w.DeleteVirtualMFADevice(ctx, &sdk.DeleteVirtualMFADeviceInput{SerialNumber: serial})), "DeleteConflict", "MFA VirtualDevice in use. Must deactivate first.")
	refused(t, fails(w.DeleteUser(ctx, &sdk.DeleteUserInput{UserName: new("owner")})), "DeleteConflict", "Cannot delete entity, must remove tokens from principal first.")
	refused(t, deactivate("other"), "NoSuchEntity", notUsers)
	refused(t, w.resync("other", *serial, seed, 5), "NoSuchEntity", notUsers)
	must(t, deactivate("owner"))
	refused(t, deactivate("owner"), "NoSuchEntity", notUsers)
	listed, err = w.ListVirtualMFADevices(ctx, &sdk.ListVirtualMFADevicesInput{AssignmentStatus: types.AssignmentStatusTypeUnassigned})
	must(t, err)
	if len(listed.VirtualMFADevices) != 1 {
		t.Errorf("%+v", listed.VirtualMFADevices)
	}
	w.has("-User", "-EnableDate", "-Tags")
	tags, err := w.ListMFADeviceTags(ctx, &sdk.ListMFADeviceTagsInput{SerialNumber: serial})
	must(t, err)
	if len(tags.Tags) != 2 { // keys of devices differ by case
		t.Errorf("%+v", tags.Tags)
	}
	must(t, fails(w.DeleteVirtualMFADevice(ctx, &sdk.DeleteVirtualMFADeviceInput{SerialNumber: serial})))
	refused(t, fails(w.DeleteVirtualMFADevice(ctx, &sdk.DeleteVirtualMFADeviceInput{SerialNumber: serial})), "NoSuchEntity", "")
}

func TestTagsOfDevicesChange(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	serial, _ := w.device("phone")
	must(t, fails(w.TagMFADevice(ctx, &sdk.TagMFADeviceInput{SerialNumber: &serial, Tags: []types.Tag{{Key: new("a"), Value: new("1")}, {Key: new("A"), Value: new("2")}}})))
	refused(t, fails(w.TagMFADevice(ctx, &sdk.TagMFADeviceInput{SerialNumber: &serial, Tags: []types.Tag{{Key: new("aws:a"), Value: new("1")}}})), "InvalidInput", "Tag keys beginning with aws: are reserved for system use.")
	must(t, fails(w.UntagMFADevice(ctx, &sdk.UntagMFADeviceInput{SerialNumber: &serial, TagKeys: []string{"a"}})))
	out, err := w.ListMFADeviceTags(ctx, &sdk.ListMFADeviceTagsInput{SerialNumber: &serial})
	must(t, err)
	if len(out.Tags) != 1 || *out.Tags[0].Key != "A" {
		t.Errorf("%+v", out.Tags)
	}
	refused(t, fails(w.root(stranger).ListMFADeviceTags(ctx, &sdk.ListMFADeviceTagsInput{SerialNumber: &serial})), "AccessDenied", "")
}

// The offsets were recorded in September 2026.
func TestCodesOfAClockThatIsOffEnableWithinAThousandSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, fails(w.CreateUser(t.Context(), &sdk.CreateUserInput{UserName: new("ann")})))
	for offset, ok := range map[int64]bool{0: true, 720: true, 900: true, 1000: true, 1001: false, 1440: false, -998: true, -999: false} {
		serial, seed := w.device("phone" + strconv.FormatInt(offset, 10))
		err := w.enable("ann", serial, seed, offset)
		if ok {
			must(t, err)
			must(t, fails(w.DeactivateMFADevice(t.Context(), &sdk.DeactivateMFADeviceInput{UserName: new("ann"), SerialNumber: &serial})))
		} else {
			refused(t, err, "InvalidAuthenticationCode", "")
		}
	}
}

// The order of steps and their outcomes were recorded in September 2026.
func TestCodesAreGoodOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, fails(w.CreateUser(t.Context(), &sdk.CreateUserInput{UserName: new("ann")})))
	serial, seed := w.device("phone")
	must(t, w.enable("ann", serial, seed, 0))
	refused(t, w.resync("ann", serial, seed, 0), "InvalidAuthenticationCode", "")
	must(t, w.resync("ann", serial, seed, 10))
	refused(t, w.resync("ann", serial, seed, 10), "InvalidAuthenticationCode", "")
	refused(t, w.resync("ann", serial, seed, 11), "InvalidAuthenticationCode", "") // its first code is used
	must(t, w.resync("ann", serial, seed, 12))
	refused(t, w.resync("ann", serial, seed, 0), "InvalidAuthenticationCode", "")
	must(t, fails(w.DeactivateMFADevice(t.Context(), &sdk.DeactivateMFADeviceInput{UserName: new("ann"), SerialNumber: &serial})))
	refused(t, w.enable("ann", serial, seed, 12), "InvalidAuthenticationCode", "")
	refused(t, w.enable("ann", serial, seed, 13), "InvalidAuthenticationCode", "")
	must(t, w.enable("ann", serial, seed, 14))

	ahead, seed := w.device("ahead") // a clock that runs ahead is followed
	for _, offset := range []int64{600, 1200, 1800, 1802} {
		if offset == 600 {
			must(t, w.enable("ann", ahead, seed, offset))
			continue
		}
		must(t, w.resync("ann", ahead, seed, offset))
	}
}

func TestUsersHaveEightDevicesAtMost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, fails(w.CreateUser(t.Context(), &sdk.CreateUserInput{UserName: new("ann")})))
	var last error
	for i := range 9 {
		serial, seed := w.device("phone" + string(rune('a'+i)))
		last = w.enable("ann", serial, seed, 0)
	}
	refused(t, last, "LimitExceeded", "Cannot exceed quota for MFADevicesPerUser: 8")
	first, err := w.ListMFADevices(t.Context(), &sdk.ListMFADevicesInput{UserName: new("ann"), MaxItems: new(int32(5))})
	must(t, err)
	rest, err := w.ListMFADevices(t.Context(), &sdk.ListMFADevicesInput{UserName: new("ann"), Marker: first.Marker})
	must(t, err)
	if len(first.MFADevices) != 5 || len(rest.MFADevices) != 3 || rest.IsTruncated {
		t.Errorf("%d and %d", len(first.MFADevices), len(rest.MFADevices))
	}
	refused(t, fails(w.EnableMFADevice(t.Context(), &sdk.EnableMFADeviceInput{UserName: new("ann"), SerialNumber: new("GAHT12345678"), AuthenticationCode1: new("123456"), AuthenticationCode2: new("654321")})), "NoSuchEntity", "")
	refused(t, fails(w.EnableMFADevice(t.Context(), &sdk.EnableMFADeviceInput{UserName: new("ann"), SerialNumber: new("GAHT12345678"), AuthenticationCode1: new("12345"), AuthenticationCode2: new("abcdef")})), "ValidationError", "")
}
