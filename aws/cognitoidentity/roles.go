package cognitoidentity

import (
	"context"
	"fmt"

	ci "github.com/aws/aws-sdk-go-v2/service/cognitoidentity"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentity/types"

	"github.com/treatyfed/treaty/aws/op"
)

// maxRules is how many rules a provider's mapping may have (developer guide, "Quotas in Amazon Cognito";
// the service model admits 400).
const maxRules = 25

// roles sets and shows the roles of a pool and the mappings that choose among them.
type roles struct {
	finder
	writer
	assumer
}

func (r roles) operations() []op.Operation {
	return []op.Operation{
		op.On(audited(r.writer, r.set), onPool(r.finder, func(in *ci.SetIdentityPoolRolesInput) *string { return in.IdentityPoolId })),
		op.On(r.get, onPool(r.finder, func(in *ci.GetIdentityPoolRolesInput) *string { return in.IdentityPoolId })),
	}
}

// set replaces roles and mappings as a whole. The caller must be allowed to pass each role on.
func (r roles) set(ctx context.Context, in *ci.SetIdentityPoolRolesInput, tried *attempt) (*ci.SetIdentityPoolRolesOutput, error) {
	pool, s, err := r.pool(ctx, *in.IdentityPoolId)
	if err != nil {
		return nil, err
	}
	tried.about(pool, "")
	for _, role := range in.Roles {
		if err := validRole(pool.AccountID, role); err != nil {
			return nil, err
		}
	}
	for provider, m := range in.RoleMappings {
		if err := validMapping(pool.AccountID, provider, m); err != nil {
			return nil, err
		}
	}
	if err := r.passable(ctx, in, tried); err != nil {
		return nil, err
	}
	s.Roles, s.RoleMappings = in.Roles, in.RoleMappings
	if err := s.writeTo(&pool); err != nil {
		return nil, err
	}
	return &ci.SetIdentityPoolRolesOutput{}, r.finder.write(ctx, pool)
}

func (r roles) get(ctx context.Context, in *ci.GetIdentityPoolRolesInput) (*ci.GetIdentityPoolRolesOutput, error) {
	pool, s, err := r.pool(ctx, *in.IdentityPoolId)
	if err != nil {
		return nil, err
	}
	return &ci.GetIdentityPoolRolesOutput{IdentityPoolId: &pool.ID, Roles: s.Roles, RoleMappings: s.RoleMappings}, nil
}

// validRole admits the ARN of a role of the pool's own account.
func validRole(account, role string) error {
	owner, _, ok := iamResource(role, "role")
	if !ok {
		return refusal(invalidParameter, "Invalid role ARN: "+role)
	}
	if owner != account {
		return forbiddenRole(role)
	}
	return nil
}

func validMapping(account, provider string, m types.RoleMapping) error {
	if m.AmbiguousRoleResolution == "" {
		return refusal(invalidParameter, "AmbiguousRoleResolution is required in the role mapping of "+provider)
	}
	if m.Type != types.RoleMappingTypeRules {
		if m.RulesConfiguration != nil {
			return refusal(invalidParameter, "RulesConfiguration is not allowed in the role mapping of "+provider)
		}
		return nil
	}
	if m.RulesConfiguration == nil {
		return refusal(invalidParameter, "RulesConfiguration is required in the role mapping of "+provider)
	}
	if len(m.RulesConfiguration.Rules) > maxRules {
		return refusal(invalidParameter, fmt.Sprintf("The role mapping of %s can have at most %d rules.", provider, maxRules))
	}
	for _, rule := range m.RulesConfiguration.Rules {
		if err := validRole(account, *rule.RoleARN); err != nil {
			return err
		}
	}
	return nil
}
