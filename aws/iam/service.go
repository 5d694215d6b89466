// Package iam serves AWS Identity and Access Management: roles, users, groups with their policies, tags and
// boundaries, access keys, virtual MFA devices, managed policies, OIDC and SAML providers, account settings
// and the policy simulator.
//
// It owns what IAM's operations mean: names and ARNs, quotas, which members each answer has, trust policies
// and the checks that IAM makes of them when they are written, and the documents of the policies that AWS
// itself offers. It leaves signatures, constraints, authorisation and envelopes to aws/op, the policy
// language to core/policy, decisions to core/access and storage to the repositories of core/directory.
//
// URLs: POST / with Action and Version=2010-05-08 in the form. IAM is one service for the whole partition
// and signs as us-east-1.
package iam

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/wire/aws/constraints"
)

// Name is the service's signing name and action prefix.
const Name = "iam"

// Service holds what the operations need. Every field must be set but TokenIssuerURL and Thumbprint.
type Service struct {
	Roles       directory.Entities[directory.IAMRole]
	Users       directory.Entities[directory.IAMUser]
	Groups      directory.Entities[directory.IAMGroup]
	Policies    directory.Entities[directory.IAMPolicy]
	OIDC        directory.Entities[directory.OIDCProvider]
	SAML        directory.Entities[directory.SAMLProvider]
	MFA         directory.Entities[directory.MFADevice]
	Memberships directory.Memberships
	Attachments directory.Attachments
	Keys        directory.AccessKeys
	Accounts    directory.Accounts
	Usage       directory.Usage
	Access      *access.Decider    // simulates, and decides further permissions (iam:TagRole)
	Audit       audit.Recorder     // an event for each further permission decided
	Sealer      *credential.Sealer // seals markers, seeds and private keys
	// TokenIssuerURL is the issuer of the tokens that STS signs for an account's principals; nil: AWS's own name.
	TokenIssuerURL func(guid string) string
	// Thumbprint asks for the SHA-1 thumbprint of the CA behind an OIDC provider's URL when a provider is made
	// without any; nil: none is kept.
	Thumbprint func(ctx context.Context, url string) (string, error)
	Now        func() time.Time
	Rand       io.Reader
}

// Describe lists the operations.
func (s *Service) Describe() op.Service {
	return op.Service{
		Name:        Name,
		Protocol:    op.Query,
		Version:     "2010-05-08",
		Namespace:   "https://iam.amazonaws.com/doc/2010-05-08/",
		Constraints: constraints.IAM,
		Fault:       answer,
		MaxBody:     32 << 20, // a SAML provider's metadata has up to 10,000,000 characters, escaped in a form
		Operations: slices.Concat(
			s.roleOperations(), s.trustOperations(), s.userOperations(), s.groupOperations(), s.memberOperations(),
			s.inlineOperations(), s.boundaryOperations(), s.tagOperations(), s.accessKeyOperations(),
			s.mfaOperations(), s.mfaListOperations(), s.absentOperations(),
			s.policyOperations(), s.attachOperations(), s.oidcOperations(), s.samlOperations(),
			s.accountOperations(), s.simulateOperations(),
		),
	}
}
