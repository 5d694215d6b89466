package iam

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
)

// maxGroups is how many groups an account may have (IAM user guide, "IAM and STS quotas").
const maxGroups = 300

// groupOperations make, show, list, rename and delete groups.
func (s *Service) groupOperations() []op.Operation {
	h := s.groupHolder()
	return []op.Operation{
		op.On(s.createGroup, making("group", func(in *iam.CreateGroupInput) (path, name *string) { return in.Path, in.GroupName }, nil)),
		op.On(s.getGroup, on(h, func(in *iam.GetGroupInput) *string { return in.GroupName }, nil)),
		op.On(s.listGroups, listing("group", func(in *iam.ListGroupsInput) *string { return in.PathPrefix })),
		op.On(s.updateGroup, on(h, func(in *iam.UpdateGroupInput) *string { return in.GroupName }, nil)),
		op.On(s.deleteGroup, on(h, func(in *iam.DeleteGroupInput) *string { return in.GroupName }, nil)),
	}
}

func groupOut(g directory.IAMGroup) types.Group {
	return types.Group{Path: &g.Path, GroupName: &g.Name, GroupId: &g.ID, Arn: &g.ARN, CreateDate: seconds(g.CreatedAt)}
}

func groupsOut(groups []directory.IAMGroup) []types.Group {
	out := make([]types.Group, len(groups))
	for i, g := range groups {
		out[i] = groupOut(g)
	}
	return out
}

func (s *Service) createGroup(ctx context.Context, in *iam.CreateGroupInput) (*iam.CreateGroupOutput, error) {
	c := op.CallerOf(ctx)
	id, err := credential.NewUniqueID("AGPA", c.Account, s.Rand)
	if err != nil {
		return nil, err
	}
	path := pathOr(in.Path)
	g := directory.IAMGroup{IAMEntity: directory.IAMEntity{
		ID: id, AccountID: c.Account, ARN: arnOf(c.Account, "group", path, *in.GroupName), Path: path, Name: *in.GroupName, CreatedAt: s.Now().UTC(),
	}}
	if err := made(s.Groups.Create(ctx, g, maxGroups), "Group", g.Name, "GroupsPerAccount", maxGroups, nil); err != nil {
		return nil, err
	}
	out := groupOut(g)
	return &iam.CreateGroupOutput{Group: &out}, nil
}

// getGroup shows a group with a page of its users.
func (s *Service) getGroup(ctx context.Context, in *iam.GetGroupInput) (*iam.GetGroupOutput, error) {
	g, err := s.groupHolder().named(ctx, *in.GroupName)
	if err != nil {
		return nil, err
	}
	p, err := s.page("users in "+g.ID, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	found, more, next, err := listed(ctx, p, func(ctx context.Context, after string, limit int) ([]directory.IAMUser, error) {
		return s.Memberships.Members(ctx, g.ID, after, limit)
	}, userName, func(directory.IAMUser) bool { return true })
	out := groupOut(g)
	return &iam.GetGroupOutput{Group: &out, Users: usersOut(found), IsTruncated: more, Marker: next}, err
}

func (s *Service) listGroups(ctx context.Context, in *iam.ListGroupsInput) (*iam.ListGroupsOutput, error) {
	account := op.CallerOf(ctx).Account
	p, err := s.page("groups of "+account, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	found, more, next, err := listed(ctx, p, fetcher(s.Groups, account),
		func(g directory.IAMGroup) string { return g.Name },
		func(g directory.IAMGroup) bool { return strings.HasPrefix(g.Path, pathOr(in.PathPrefix)) })
	return &iam.ListGroupsOutput{Groups: groupsOut(found), IsTruncated: more, Marker: next}, err
}

func (s *Service) updateGroup(ctx context.Context, in *iam.UpdateGroupInput) (*iam.UpdateGroupOutput, error) {
	err := s.groupHolder().rename(ctx, s, "iam:UpdateGroup", *in.GroupName, in.NewPath, in.NewGroupName)
	return &iam.UpdateGroupOutput{}, taken(err, "Group", in.NewGroupName)
}

func (s *Service) deleteGroup(ctx context.Context, in *iam.DeleteGroupInput) (*iam.DeleteGroupOutput, error) {
	return &iam.DeleteGroupOutput{}, s.groupHolder().remove(ctx, *in.GroupName, func(e directory.IAMEntity) error {
		some, err := s.Memberships.Members(ctx, e.ID, "", 1)
		if err == nil && len(some) > 0 {
			err = errHasGroups
		}
		return err
	})
}
