package iam

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// maxUsers is how many users an account may have (IAM user guide, "IAM and STS quotas").
const maxUsers = 5000

// Refusals to delete a user who still has something.
var (
	errHasDevices = refusal(deleteConflict, "Cannot delete entity, must remove tokens from principal first.")
	errHasGroups  = refusal(deleteConflict, "Cannot delete entity, must remove users from group first.")
)

// errNoUserName is what a session reads that calls an operation about its own user without having one.
var errNoUserName = refusal(validationError, "Must specify userName when calling with non-User credentials")

// userOperations make, show, list, rename and delete users.
func (s *Service) userOperations() []op.Operation {
	h := s.userHolder()
	return []op.Operation{
		op.On(s.createUser, making("user", func(in *iam.CreateUserInput) (path, name *string) { return in.Path, in.UserName }, func(in *iam.CreateUserInput, k policy.Context) {
			access.RequestTags(k, directoryTags(in.Tags))
			if in.PermissionsBoundary != nil {
				k.Set(keyBoundary, *in.PermissionsBoundary)
			}
		})),
		op.On(s.getUser, on(h, func(in *iam.GetUserInput) *string { return in.UserName }, nil)),
		op.On(s.listUsers, listing("user", func(in *iam.ListUsersInput) *string { return in.PathPrefix })),
		op.On(s.updateUser, on(h, func(in *iam.UpdateUserInput) *string { return in.UserName }, nil)),
		op.On(s.deleteUser, on(h, func(in *iam.DeleteUserInput) *string { return in.UserName }, nil)),
	}
}

// userOut is what every answer shows of a user.
func userOut(u directory.IAMUser) types.User {
	return types.User{Path: &u.Path, UserName: &u.Name, UserId: &u.ID, Arn: &u.ARN, CreateDate: seconds(u.CreatedAt)}
}

func (s *Service) createUser(ctx context.Context, in *iam.CreateUserInput) (*iam.CreateUserOutput, error) {
	c := op.CallerOf(ctx)
	arn := arnOf(c.Account, "user", pathOr(in.Path), *in.UserName)
	tags, err := s.firstTags(ctx, "iam:TagUser", arn, in.Tags)
	if err != nil {
		return nil, err
	}
	if err := s.boundary(ctx, in.PermissionsBoundary); err != nil {
		return nil, err
	}
	id, err := credential.NewUniqueID("AIDA", c.Account, s.Rand)
	if err != nil {
		return nil, err
	}
	u := directory.IAMUser{
		IAMEntity: directory.IAMEntity{ID: id, AccountID: c.Account, ARN: arn, Path: pathOr(in.Path), Name: *in.UserName, Tags: tags, CreatedAt: s.Now().UTC()},
		Grants:    directory.Grants{Boundary: text(in.PermissionsBoundary)},
	}
	if err := made(s.Users.Create(ctx, u, maxUsers), "User", u.Name, "UsersPerAccount", maxUsers, in.PermissionsBoundary); err != nil {
		return nil, err
	}
	out := userOut(u)
	out.Tags, out.PermissionsBoundary = someTags(tags), boundaryOut(u.Grants)
	return &iam.CreateUserOutput{User: &out}, nil
}

// owner finds the user that an operation is about: the one named, else the caller. A root has no name and
// its account's id.
func (s *Service) owner(ctx context.Context, name *string) (id, known string, err error) {
	c := op.CallerOf(ctx)
	switch {
	case name != nil:
		u, err := s.userHolder().named(ctx, *name)
		return u.ID, u.Name, err
	case c.Subject.Principal.Type == policy.User:
		return c.Subject.Principal.ID, c.Subject.UserName, nil
	case c.Root():
		return c.Account, "", nil
	}
	return "", "", errNoUserName
}

func (s *Service) getUser(ctx context.Context, in *iam.GetUserInput) (*iam.GetUserOutput, error) {
	id, name, err := s.owner(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	c := op.CallerOf(ctx)
	if id == c.Account {
		a, err := s.Accounts.Account(ctx, c.Account)
		if err != nil {
			return nil, err
		}
		return &iam.GetUserOutput{User: &types.User{UserId: &a.ID, Arn: &c.ARN, CreateDate: seconds(a.CreatedAt), UserName: optional(a.Alias)}}, nil
	}
	u, err := s.Users.WithID(ctx, id)
	if err != nil {
		return nil, orMissing(err, noUser(name))
	}
	out := userOut(u)
	out.Tags, out.PermissionsBoundary = someTags(u.Tags), boundaryOut(u.Grants)
	return &iam.GetUserOutput{User: &out}, nil
}

func (s *Service) listUsers(ctx context.Context, in *iam.ListUsersInput) (*iam.ListUsersOutput, error) {
	account := op.CallerOf(ctx).Account
	p, err := s.page("users of "+account, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	found, more, next, err := listed(ctx, p, fetcher(s.Users, account), userName,
		func(u directory.IAMUser) bool { return strings.HasPrefix(u.Path, pathOr(in.PathPrefix)) })
	return &iam.ListUsersOutput{Users: usersOut(found), IsTruncated: more, Marker: next}, err
}

func userName(u directory.IAMUser) string { return u.Name }

// usersOut are users as lists show them: without tags and boundary.
func usersOut(users []directory.IAMUser) []types.User {
	out := make([]types.User, len(users))
	for i, u := range users {
		out[i] = userOut(u)
	}
	return out
}

// updateUser renames a user or moves it to another path, which changes its ARN and nothing else. Who may do
// it needs the permission on the old ARN and on the new one (IAM API reference, UpdateUser).
func (s *Service) updateUser(ctx context.Context, in *iam.UpdateUserInput) (*iam.UpdateUserOutput, error) {
	out := &iam.UpdateUserOutput{}
	err := s.userHolder().rename(ctx, s, "iam:UpdateUser", *in.UserName, in.NewPath, in.NewUserName)
	return out, taken(err, "User", in.NewUserName)
}

// taken words that a new name is somebody else's.
func taken(err error, kind string, name *string) error {
	if name != nil && errors.Is(err, fault.Conflict) {
		return refusal(entityAlreadyExists, kind+" with name "+*name+" already exists.")
	}
	return err
}

// rename gives an entity a new path or name.
func (h holder[T]) rename(ctx context.Context, s *Service, action, name string, newPath, newName *string) error {
	permitted := false
	return h.change(ctx, name, func(v *T) error {
		e, _ := h.parts(v)
		before := e.ARN
		if newPath != nil {
			e.Path = *newPath
		}
		if newName != nil {
			e.Name = *newName
		}
		e.ARN = arnOf(e.AccountID, h.kind, e.Path, e.Name)
		if e.ARN == before || permitted {
			return nil
		}
		permitted = true
		return s.permit(ctx, action, e.ARN, h.kind+" "+e.Name, op.RequestContext(ctx))
	})
}

func (s *Service) deleteUser(ctx context.Context, in *iam.DeleteUserInput) (*iam.DeleteUserOutput, error) {
	return &iam.DeleteUserOutput{}, s.userHolder().remove(ctx, *in.UserName, func(e directory.IAMEntity) error {
		keys, err := s.Keys.AccessKeysOf(ctx, e.ID)
		if err != nil {
			return err
		}
		groups, err := s.Memberships.GroupsOf(ctx, e.ID)
		if err != nil {
			return err
		}
		devices, err := s.devicesOf(ctx, e.AccountID, e.ID)
		switch {
		case err != nil:
			return err
		case len(devices) > 0: // before the keys, as recorded
			return errHasDevices
		case len(keys) > 0:
			return errReferenced
		case len(groups) > 0:
			return errHasGroups
		}
		return nil
	})
}

// devicesOf are the MFA devices that a user has enabled.
func (s *Service) devicesOf(ctx context.Context, account, userID string) ([]directory.MFADevice, error) {
	all, err := everything(ctx, s.MFA, account, func(d directory.MFADevice) string { return d.Name })
	return slices.DeleteFunc(all, func(d directory.MFADevice) bool { return d.UserID != userID }), err
}
