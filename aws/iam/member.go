package iam

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// maxMemberships is how many groups a user may be in (IAM user guide, "IAM and STS quotas").
const maxMemberships = 10

// memberOperations put users into groups, take them out and list the groups of a user.
func (s *Service) memberOperations() []op.Operation {
	groups := s.groupHolder()
	return []op.Operation{
		op.On(s.addUserToGroup, on(groups, func(in *iam.AddUserToGroupInput) *string { return in.GroupName }, nil)),
		op.On(s.removeUserFromGroup, on(groups, func(in *iam.RemoveUserFromGroupInput) *string { return in.GroupName }, nil)),
		op.On(s.listGroupsForUser, on(s.userHolder(), func(in *iam.ListGroupsForUserInput) *string { return in.UserName }, nil)),
	}
}

// pair finds a group and a user by name.
func (s *Service) pair(ctx context.Context, group, user string) (directory.IAMGroup, directory.IAMUser, error) {
	g, err := s.groupHolder().named(ctx, group)
	if err != nil {
		return g, directory.IAMUser{}, err
	}
	u, err := s.userHolder().named(ctx, user)
	return g, u, err
}

func (s *Service) addUserToGroup(ctx context.Context, in *iam.AddUserToGroupInput) (*iam.AddUserToGroupOutput, error) {
	g, u, err := s.pair(ctx, *in.GroupName, *in.UserName)
	if err != nil {
		return nil, err
	}
	err = s.Memberships.Join(ctx, u.ID, g.ID, maxMemberships)
	switch {
	case errors.Is(err, fault.LimitExceeded):
		return nil, refusal(limitExceeded, fmt.Sprintf("Cannot exceed quota for GroupsPerUser: %d", maxMemberships))
	case errors.Is(err, fault.NotFound): // one was deleted meanwhile
		if _, err := s.userHolder().named(ctx, u.Name); err != nil {
			return nil, err
		}
		return nil, noGroup(g.Name)
	}
	return &iam.AddUserToGroupOutput{}, err
}

func (s *Service) removeUserFromGroup(ctx context.Context, in *iam.RemoveUserFromGroupInput) (*iam.RemoveUserFromGroupOutput, error) {
	g, u, err := s.pair(ctx, *in.GroupName, *in.UserName)
	if err != nil {
		return nil, err
	}
	err = s.Memberships.Leave(ctx, u.ID, g.ID)
	return &iam.RemoveUserFromGroupOutput{}, orMissing(err, refusal(noSuchEntity, "User "+u.Name+" is not in group "+g.Name+"."))
}

func (s *Service) listGroupsForUser(ctx context.Context, in *iam.ListGroupsForUserInput) (*iam.ListGroupsForUserOutput, error) {
	u, err := s.userHolder().named(ctx, *in.UserName)
	if err != nil {
		return nil, err
	}
	groups, err := s.Memberships.GroupsOf(ctx, u.ID)
	if err != nil {
		return nil, err
	}
	page, more, next, err := cut(s, "groups with "+u.ID, in.Marker, in.MaxItems, groups,
		func(g directory.IAMGroup) string { return strings.ToLower(g.Name) })
	return &iam.ListGroupsForUserOutput{Groups: groupsOut(page), IsTruncated: more, Marker: next}, err
}
