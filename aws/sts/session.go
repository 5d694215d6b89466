package sts

import (
	"context"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/evidence"
)

// Durations of sessions that users make for themselves (STS API reference, GetSessionToken and
// GetFederationToken): twelve hours, and never more than one for the root of an account.
const (
	userSession = 12 * time.Hour
	rootSession = time.Hour
)

// userDuration is how long a session lives. What a root user asks for beyond its hour is cut, not refused.
func userDuration(c op.Caller, seconds *int32) time.Duration {
	d := userSession
	if seconds != nil {
		d = time.Duration(*seconds) * time.Second
	}
	if c.Root() {
		d = min(d, rootSession)
	}
	return d
}

// getSessionToken gives a user, or the root of an account, temporary credentials of its own. It takes no
// permission: its purpose is to prove a second factor (STS API reference, GetSessionToken).
func (s *Service) getSessionToken(ctx context.Context, in *sts.GetSessionTokenInput) (*sts.GetSessionTokenOutput, error) {
	c := op.CallerOf(ctx)
	proof := Evidence{Authentication: c.Proof, Asked: Asked{Seconds: aws.ToInt32(in.DurationSeconds), MFADevice: aws.ToString(in.SerialNumber)}}
	out, err := s.sessionToken(ctx, c, in, &proof)
	if err := s.conclude(ctx, "*", proof, err); err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Service) sessionToken(ctx context.Context, c op.Caller, in *sts.GetSessionTokenInput, proof *Evidence) (*sts.GetSessionTokenOutput, error) {
	mfaAt, err := s.proveMFA(ctx, c, in.SerialNumber, in.TokenCode, proof)
	if err != nil {
		return nil, err
	}
	now, p := s.Now().UTC().Truncate(time.Second), c.Subject.Principal
	life := userDuration(c, in.DurationSeconds)
	proof.Session = append(proof.Session, evidence.Check{Name: "duration", Got: []string{strconv.Itoa(int(life.Seconds()))}, OK: true})
	session, token, err := s.Access.Issue(credential.Session{
		Account: c.Account, Type: string(p.Type), ARN: p.ARN, ID: p.ID, UserID: c.UserID, IssuedAt: now, Expires: now.Add(life), MFAAt: mfaAt,
	}, int(aws.ToInt32(in.MinimumSessionTokenSize)))
	if err != nil {
		return nil, err
	}
	v := issue(session, token)
	return &sts.GetSessionTokenOutput{Credentials: v.credentials, SessionTokenSize: v.size, SessionTokenUtilization: v.utilization}, nil
}
