package graph

import (
	"context"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// followApplication brings the home tenant's service principal in step with an application that is about
// to change from was to now: its names are the appId, the identifier URIs, and what it has of its own.
// Names are unique in the tenant, so that this is also where a taken one is found out.
func (s *Service) followApplication(ctx context.Context, was, now directory.Application) error {
	if was.DisplayName == now.DisplayName && slices.Equal(was.IdentifierURIs, now.IdentifierURIs) {
		return nil
	}
	for range attempts {
		sp, err := s.Principals.PrincipalByAppID(ctx, now.TenantID, now.AppID)
		if fault.KindOf(err) == fault.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		next := principalNames(now, slices.DeleteFunc(slices.Clone(sp.Names), func(n string) bool { return containsFold(was.IdentifierURIs, n) }))
		if sp.DisplayName == was.DisplayName {
			sp.DisplayName = now.DisplayName
		}
		sp.Names = next
		err = s.Principals.UpdatePrincipal(ctx, sp)
		switch {
		case err == nil:
			return nil
		case stale(err):
		case fault.KindOf(err) == fault.Conflict:
			return uriTaken()
		default:
			return err
		}
	}
	return concurrency()
}

// unfollow takes back what followApplication did when the application could not be written after all:
// its service principal follows what is stored now. It returns cause, or why it failed itself.
func (s *Service) unfollow(ctx context.Context, tried, was directory.Application, cause error) error {
	stored, err := s.Applications.Application(ctx, was.TenantID, was.ID)
	if fault.KindOf(err) == fault.NotFound {
		return cause
	}
	if err != nil {
		return err
	}
	if err := s.followApplication(ctx, tried, stored); err != nil {
		return err
	}
	return cause
}

// dropAssignments removes the assignments of roles that an application no longer has.
func (s *Service) dropAssignments(ctx context.Context, was, now directory.Application) error {
	gone := slices.DeleteFunc(slices.Clone(was.Roles), func(r directory.AppRole) bool {
		return slices.ContainsFunc(now.Roles, func(n directory.AppRole) bool { return strings.EqualFold(n.ID, r.ID) })
	})
	if len(gone) == 0 {
		return nil
	}
	sp, err := s.Principals.PrincipalByAppID(ctx, now.TenantID, now.AppID)
	if fault.KindOf(err) == fault.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	on, err := s.AppRoleAssignments.AppRolesOn(ctx, sp.ID)
	if err != nil {
		return err
	}
	for _, a := range on {
		if !slices.ContainsFunc(gone, func(r directory.AppRole) bool { return strings.EqualFold(r.ID, a.RoleID) }) {
			continue
		}
		if err := s.AppRoleAssignments.RemoveAppRoleAssignment(ctx, a.TenantID, a.ID); err != nil && fault.KindOf(err) != fault.NotFound {
			return err
		}
	}
	return nil
}

// principalNames are the servicePrincipalNames of an application's principal with names of its own.
func principalNames(a directory.Application, own []string) []string {
	out := []string{a.AppID}
	for _, n := range slices.Concat(a.IdentifierURIs, own) {
		if !containsFold(out, n) {
			out = append(out, n)
		}
	}
	return out
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(o string) bool { return strings.EqualFold(o, s) })
}
