// Package sts is AWS Security Token Service: the credentials of roles, of users who proved a second
// factor and of federated users, the tokens by which an account's principals show elsewhere who they are,
// and what a caller may ask about itself and about access keys.
//
// It owns the parameters of STS's operations, their answers and words of refusal, and the audit events of
// those that decide for themselves. Who may assume a role and how its session is made is core/access's, as
// is sealing core/credential's; signatures, the wire and plain permissions are aws/op's. The organisation
// features (AssumeRoot, GetDelegatedAccessToken) are refused as they are outside of an organisation.
package sts

import (
	"context"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/core/webidentity"
	"github.com/treatyfed/treaty/wire/aws/constraints"
)

// Service is STS. It keeps nothing itself: sessions travel sealed in their tokens.
type Service struct {
	Access  *access.Decider
	Devices directory.Entities[directory.MFADevice]
	Sealer  *credential.Sealer
	Audit   audit.Recorder
	Now     func() time.Time
	Rand    io.Reader

	WebIdentity *webidentity.Verifier
	// SAML has the providers of AssumeRoleWithSAML.
	SAML directory.Entities[directory.SAMLProvider]
	// Tokens has the rings that sign an account's tokens, see Kinds, and TokenIssuerURL is the issuer by
	// whose GUID other services know them.
	Tokens         token.Keys
	TokenIssuerURL func(guid string) string
}

// Describe is the service's table.
func (s *Service) Describe() op.Service {
	operations := []op.Operation{
		op.Judged(s.assumeRole),
		op.Judged(s.getSessionToken),
		op.Judged(s.getFederationToken),
		op.Authenticated(s.getCallerIdentity), // no policy can deny it (STS API reference, GetCallerIdentity)
		op.Signed(s.getAccessKeyInfo, nil),
		op.Signed(s.decodeAuthorizationMessage, nil),
		op.Judged(s.assumeRoot),
		op.Judged(s.getDelegatedAccessToken),
	}
	operations = append(operations, s.webIdentityOperations()...)
	operations = append(operations, s.samlOperations()...)
	operations = append(operations, s.outboundOperations()...)
	return op.Service{
		Name:        "sts",
		Protocol:    op.Query,
		Version:     "2011-06-15",
		Namespace:   "https://sts.amazonaws.com/doc/2011-06-15/",
		Constraints: constraints.STS,
		FixedWindow: true,
		Operations:  operations,
	}
}

func (s *Service) getCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	c := op.CallerOf(ctx)
	return &sts.GetCallerIdentityOutput{Account: &c.Account, Arn: &c.ARN, UserId: &c.UserID}, nil
}
