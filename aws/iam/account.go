package iam

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// accountOperations are what an account has one of: its alias, its summary, its password policy, and the
// switch that lets STS sign tokens for its principals.
func (s *Service) accountOperations() []op.Operation {
	return []op.Operation{
		op.On(s.createAccountAlias, op.Target[iam.CreateAccountAliasInput]{}),
		op.On(s.deleteAccountAlias, op.Target[iam.DeleteAccountAliasInput]{}),
		op.On(s.listAccountAliases, op.Target[iam.ListAccountAliasesInput]{}),
		op.On(s.getAccountSummary, op.Target[iam.GetAccountSummaryInput]{}),
		op.On(s.getAccountPasswordPolicy, op.Target[iam.GetAccountPasswordPolicyInput]{}),
		op.On(s.getAccountAuthorizationDetails, op.Target[iam.GetAccountAuthorizationDetailsInput]{}),
		op.On(s.enableOutboundWebIdentityFederation, op.Target[iam.EnableOutboundWebIdentityFederationInput]{}),
		op.On(s.disableOutboundWebIdentityFederation, op.Target[iam.DisableOutboundWebIdentityFederationInput]{}),
		op.On(s.getOutboundWebIdentityFederationInfo, op.Target[iam.GetOutboundWebIdentityFederationInfoInput]{}),
	}
}

// changeAccount edits the caller's account and stores it.
func (s *Service) changeAccount(ctx context.Context, edit func(*directory.Account) error) (a directory.Account, err error) {
	return a, again(func() error {
		if a, err = s.Accounts.Account(ctx, op.CallerOf(ctx).Account); err != nil {
			return err
		}
		if err := edit(&a); err != nil {
			return err
		}
		return s.Accounts.UpdateAccount(ctx, a)
	})
}

// createAccountAlias names the account; an alias that it has already gives way (API reference,
// CreateAccountAlias; IAM user guide, "Your AWS account ID and its alias").
func (s *Service) createAccountAlias(ctx context.Context, in *iam.CreateAccountAliasInput) (*iam.CreateAccountAliasOutput, error) {
	taken := refusal(entityAlreadyExists, "The account alias "+*in.AccountAlias+" already exists.")
	if len(*in.AccountAlias) == 12 && strings.Trim(*in.AccountAlias, "0123456789") == "" {
		return nil, refusal(invalidInput, "The account alias must not be a 12-digit number.")
	}
	_, err := s.changeAccount(ctx, func(a *directory.Account) error {
		if a.Alias == *in.AccountAlias {
			return taken
		}
		a.Alias = *in.AccountAlias
		return nil
	})
	if isConflict(err, "alias") {
		return nil, taken
	}
	return &iam.CreateAccountAliasOutput{}, err
}

func (s *Service) deleteAccountAlias(ctx context.Context, in *iam.DeleteAccountAliasInput) (*iam.DeleteAccountAliasOutput, error) {
	_, err := s.changeAccount(ctx, func(a *directory.Account) error {
		if a.Alias != *in.AccountAlias {
			return refusal(noSuchEntity, "The account alias with name "+*in.AccountAlias+" cannot be found.")
		}
		a.Alias = ""
		return nil
	})
	return &iam.DeleteAccountAliasOutput{}, err
}

func (s *Service) listAccountAliases(ctx context.Context, in *iam.ListAccountAliasesInput) (*iam.ListAccountAliasesOutput, error) {
	a, err := s.Accounts.Account(ctx, op.CallerOf(ctx).Account)
	if err != nil {
		return nil, err
	}
	aliases := []string{}
	if a.Alias != "" {
		aliases = append(aliases, a.Alias)
	}
	page, more, next, err := cut(s, "aliases of "+a.ID, in.Marker, in.MaxItems, aliases, func(alias string) string { return alias })
	return &iam.ListAccountAliasesOutput{AccountAliases: orEmpty(page), IsTruncated: more, Marker: next}, err
}

// getAccountPasswordPolicy: users have no passwords here, so that no account has a policy for them.
func (s *Service) getAccountPasswordPolicy(ctx context.Context, _ *iam.GetAccountPasswordPolicyInput) (*iam.GetAccountPasswordPolicyOutput, error) {
	return nil, refusal(noSuchEntity, "The Password Policy with domain name "+op.CallerOf(ctx).Account+" cannot be found.")
}

// enableOutboundWebIdentityFederation lets STS sign tokens for the account's principals, under an issuer
// that the account keeps once it has it.
func (s *Service) enableOutboundWebIdentityFederation(ctx context.Context, _ *iam.EnableOutboundWebIdentityFederationInput) (*iam.EnableOutboundWebIdentityFederationOutput, error) {
	guid, err := s.newGUID()
	if err != nil {
		return nil, err
	}
	a, err := s.changeAccount(ctx, func(a *directory.Account) error {
		if a.TokensEnabled {
			return refusal(featureEnabled, "Outbound identity federation is already enabled for account "+a.ID)
		}
		a.TokensEnabled = true
		if a.TokenIssuer == "" {
			a.TokenIssuer = guid
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &iam.EnableOutboundWebIdentityFederationOutput{IssuerIdentifier: new(s.tokenIssuer(a))}, nil
}

func (s *Service) disableOutboundWebIdentityFederation(ctx context.Context, _ *iam.DisableOutboundWebIdentityFederationInput) (*iam.DisableOutboundWebIdentityFederationOutput, error) {
	_, err := s.changeAccount(ctx, func(a *directory.Account) error {
		if !a.TokensEnabled {
			return refusal(featureDisabled, "Outbound identity federation is already disabled for account "+a.ID)
		}
		a.TokensEnabled = false
		return nil
	})
	return &iam.DisableOutboundWebIdentityFederationOutput{}, err
}

func (s *Service) getOutboundWebIdentityFederationInfo(ctx context.Context, _ *iam.GetOutboundWebIdentityFederationInfoInput) (*iam.GetOutboundWebIdentityFederationInfoOutput, error) {
	a, err := s.Accounts.Account(ctx, op.CallerOf(ctx).Account)
	if err != nil {
		return nil, err
	}
	if !a.TokensEnabled {
		return nil, refusal(featureDisabled, "Outbound identity federation is disabled for account "+a.ID)
	}
	return &iam.GetOutboundWebIdentityFederationInfoOutput{IssuerIdentifier: new(s.tokenIssuer(a)), JwtVendingEnabled: true}, nil
}

// tokenIssuer is the issuer of the tokens that STS signs for an account's principals.
func (s *Service) tokenIssuer(a directory.Account) string {
	if s.TokenIssuerURL == nil {
		return "https://" + a.TokenIssuer + ".tokens.sts.global.api.aws"
	}
	return s.TokenIssuerURL(a.TokenIssuer)
}

// newGUID is a random UUID (RFC 9562, section 5.4).
func (s *Service) newGUID() (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(s.Rand, b[:]); err != nil {
		return "", fault.Wrap(fault.Internal, "token issuer", err)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}
