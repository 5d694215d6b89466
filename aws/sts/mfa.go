package sts

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// What STS says when a second factor is not proved.
const (
	textMFAPair   = "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
	textMFADevice = "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user."
	textMFACode   = "MultiFactorAuthentication failed with invalid MFA one time pass code."
)

// proveMFA checks a code of the caller's device and says when the caller proved its second factor: now, or
// when the session it calls with was made. Zero means never.
//
// A role's session proves nothing for the next one of a chain, so only a user's own session counts.
func (s *Service) proveMFA(ctx context.Context, c op.Caller, serial, code *string, proof *Evidence) (time.Time, error) {
	p := c.Subject.Principal
	own := p.Type == policy.User || p.Type == policy.Account
	if serial == nil && code == nil {
		if own && c.Subject.Session != nil {
			return c.Subject.Session.MFAAt, nil
		}
		return time.Time{}, nil
	}
	both := evidence.Check{Name: "second factor", Operator: "has", Want: []string{"SerialNumber", "TokenCode"}, Got: []string{aws.ToString(serial)}, OK: serial != nil && code != nil}
	proof.MFA = append(proof.MFA, both)
	if !both.OK {
		return time.Time{}, accessDenied(textMFAPair)
	}
	for range mfaAttempts {
		device, err := s.device(ctx, p, *serial, own, proof)
		if err != nil {
			return time.Time{}, err
		}
		at, err := s.spend(ctx, device, *code, proof)
		if errors.Is(err, fault.Conflict) || errors.Is(err, fault.NotFound) {
			proof.MFA = proof.MFA[:1] // look again at what changed in between
			continue
		}
		return at, err
	}
	return time.Time{}, fault.New(fault.Unavailable, "MFA device "+*serial, "it changes all the time")
}

// drift is by how many steps a device's clock may be off (RFC 6238 section 5.2 recommends at most one for
// the way that a code takes).
const drift = 1

// mfaAttempts bounds how often a code is checked again because its device changed meanwhile. Whoever lost to
// another use of the same code finds it spent at the second attempt.
const mfaAttempts = 8

// device is the caller's own device of that serial number, if it is enabled.
func (s *Service) device(ctx context.Context, p policy.Principal, serial string, own bool, proof *Evidence) (directory.MFADevice, error) {
	check := evidence.Check{Name: "MFA device", Claim: "SerialNumber", Operator: "belongs to", Want: []string{p.ID}, Got: []string{serial}}
	d, err := s.Devices.WithARN(ctx, serial)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return d, err
	}
	switch {
	case err != nil:
		check.Note = "there is no such device"
	case !own:
		check.Note = "only users and the root of an account have devices"
	case d.UserID == "":
		check.Note = "the device is not enabled"
	case d.UserID != p.ID || d.AccountID != p.Account:
		check.Note = "the device is another's"
	default:
		check.OK = true
	}
	proof.MFA = append(proof.MFA, check)
	if !check.OK {
		return d, accessDenied(textMFADevice)
	}
	return d, nil
}

// spend uses a code up. fault.Conflict and fault.NotFound say that the device changed since it was read.
func (s *Service) spend(ctx context.Context, d directory.MFADevice, code string, proof *Evidence) (time.Time, error) {
	seed, err := s.Sealer.Open("mfa "+d.ARN, d.Sealed)
	if err != nil {
		return time.Time{}, err
	}
	now := s.Now().UTC()
	step := credential.TOTPStep(now)
	step, ok := credential.FindTOTP(seed, max(step-drift, d.LastStep+1), step+drift, code)
	check := evidence.Check{Name: "one time code", Claim: "TokenCode", Operator: "shown by the device, not used before", OK: ok} // the code itself stays out
	proof.MFA = append(proof.MFA, check)
	if !ok {
		return time.Time{}, accessDenied(textMFACode)
	}
	d.LastStep = step
	if err := s.Devices.Update(ctx, d); err != nil {
		return time.Time{}, err
	}
	return now.Truncate(time.Second), nil
}
