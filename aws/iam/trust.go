package iam

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// maxTrustSize is how long a trust policy may be, without white space (IAM user guide, "IAM and STS
// quotas": role trust policy length).
const maxTrustSize = 2048

// trustOperations change the trust policy of a role.
func (s *Service) trustOperations() []op.Operation {
	return []op.Operation{
		op.On(s.updateAssumeRolePolicy, on(s.roleHolder(), func(in *iam.UpdateAssumeRolePolicyInput) *string { return in.RoleName }, nil)),
	}
}

func (s *Service) updateAssumeRolePolicy(ctx context.Context, in *iam.UpdateAssumeRolePolicyInput) (*iam.UpdateAssumeRolePolicyOutput, error) {
	return &iam.UpdateAssumeRolePolicyOutput{}, s.roleHolder().change(ctx, *in.RoleName, func(r *directory.IAMRole) error {
		ids, err := s.trust(ctx, *in.PolicyDocument)
		r.Trust, r.TrustIDs = *in.PolicyDocument, ids
		return err
	})
}

// trust checks a trust policy that is about to be stored and gives the unique ids of the users and roles
// that it names (directory.IAMRole.TrustIDs).
func (s *Service) trust(ctx context.Context, document string) (map[string]string, error) {
	d, err := policy.Parse(document, policy.Trust)
	if err != nil {
		return nil, malformed(err)
	}
	if size(document) > maxTrustSize {
		return nil, refusal(limitExceeded, fmt.Sprintf("Cannot exceed quota for ACLSizePerRole: %d", maxTrustSize))
	}
	ids := map[string]string{}
	for _, st := range d.Statements {
		for _, p := range []*policy.Principals{st.Principals, st.NotPrincipals} {
			if p == nil {
				continue
			}
			for _, value := range p.AWS {
				id, err := s.principal(ctx, value)
				if err != nil {
					return nil, err
				}
				if id != "" {
					ids[value] = id
				}
			}
		}
	}
	if err := scoped(d); err != nil {
		return nil, err
	}
	return ids, nil
}

// Forms of principals under "AWS" in a trust policy (IAM user guide, "AWS JSON policy elements:
// Principal").
var (
	accountForm = regexp.MustCompile(`^\d{12}$`)
	idForm      = regexp.MustCompile(`^(?:AROA|AIDA)[A-Z2-7]{17}$`)
	entityForm  = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(\d{12}):(user|role)/[^*?]+$`)
	otherForm   = regexp.MustCompile(`^(?:arn:aws[a-z-]*:iam::\d{12}:root|arn:aws[a-z-]*:sts::\d{12}:(?:assumed-role/[^*?/]+/[^*?/]+|federated-user/[^*?/]+|self)|\*)$`)
)

// principal checks a principal of kind "AWS". The id is "" for what stands for itself: accounts, sessions
// and whoever belongs to an account that is not here, about which nothing can be known.
func (s *Service) principal(ctx context.Context, value string) (id string, err error) {
	invalid := refusal(malformedPolicy, `Invalid principal in policy: "AWS":"`+value+`"`)
	if accountForm.MatchString(value) || otherForm.MatchString(value) {
		return "", nil
	}
	if idForm.MatchString(value) {
		_, err := s.arnWithID(ctx, value)
		return value, orMissing(err, invalid)
	}
	m := entityForm.FindStringSubmatch(value)
	if m == nil {
		return "", invalid
	}
	_, err = s.Accounts.Account(ctx, m[1])
	if errors.Is(err, fault.NotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if m[2] == "role" {
		r, err := s.Roles.WithARN(ctx, value)
		return r.ID, orMissing(err, invalid)
	}
	u, err := s.Users.WithARN(ctx, value)
	return u.ID, orMissing(err, invalid)
}

// arnWithID is the ARN that the user or role of a unique id has now.
func (s *Service) arnWithID(ctx context.Context, id string) (string, error) {
	if strings.HasPrefix(id, "AROA") {
		r, err := s.Roles.WithID(ctx, id)
		return r.ARN, err
	}
	u, err := s.Users.WithID(ctx, id)
	return u.ARN, err
}

// shownTrust is a role's trust policy as GetRole shows it: accounts as the ARN of their root, users and
// roles by the ARN that they have now, or by their unique id when they are gone.
func (s *Service) shownTrust(ctx context.Context, r directory.IAMRole) (string, error) {
	var failed error
	shown, err := policy.RewritePrincipals(r.Trust, func(kind, value string) string {
		if kind != "AWS" {
			return value
		}
		if accountForm.MatchString(value) {
			return "arn:aws:iam::" + value + ":root"
		}
		id, ok := r.TrustIDs[value]
		if !ok {
			return value
		}
		arn, err := s.arnWithID(ctx, id)
		if errors.Is(err, fault.NotFound) {
			return id
		}
		failed = errors.Join(failed, err)
		return arn
	})
	return shown, errors.Join(err, failed)
}
