package sts

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/credential"
)

// JudgeWebIdentity is AssumeRoleWithWebIdentity without its result: what it would look at and how it would
// answer. Nothing is recorded, and the session is only for asking what it may; refusal is nil when the role
// would be handed out.
func (s *Service) JudgeWebIdentity(ctx context.Context, token, role, name string) (proof WebIdentityEvidence, session *credential.Session, refusal *op.Error, err error) {
	in := &sts.AssumeRoleWithWebIdentityInput{RoleArn: &role, RoleSessionName: &name, WebIdentityToken: &token}
	proof.Asked = Asked{Role: role, SessionName: name}
	out, err := s.assumeByToken(ctx, in, &proof)
	if errors.As(err, &refusal) {
		return proof, nil, refusal, nil
	}
	if err != nil {
		return proof, nil, nil, err
	}
	key, _, err := s.Access.Key(ctx, aws.ToString(out.Credentials.AccessKeyId), aws.ToString(out.Credentials.SessionToken))
	return proof, key.Subject.Session, nil, err
}
