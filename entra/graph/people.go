package graph

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/odata"
)

// userSchema is the user resource type, as far as it is kept (learn.microsoft.com graph/api/resources/user).
var userSchema = newSchema("User", odata.Type{Name: "user", Navigation: []string{"appRoleAssignments"}, Searchable: []string{"displayName", "mail", "userPrincipalName", "givenName", "surname"}},
	property{name: "id", readOnly: true},
	property{name: "businessPhones", form: texts, initial: "[]"},
	property{name: "displayName", form: aText},
	property{name: "givenName", form: aText},
	property{name: "jobTitle", form: aText},
	property{name: "mail", form: aText},
	property{name: "mobilePhone", form: aText},
	property{name: "officeLocation", form: aText},
	property{name: "preferredLanguage", form: aText},
	property{name: "surname", form: aText},
	property{name: "userPrincipalName", form: aText},
	property{name: "accountEnabled", form: aBool},
	property{name: "createdDateTime", readOnly: true},
	property{name: "deletedDateTime", readOnly: true},
	property{name: "identities", form: objects, initial: "[]"},
	property{name: "mailNickname", form: aText},
	property{name: "otherMails", form: texts, initial: "[]"},
	property{name: "userType", form: aText, initial: `"Member"`},
	property{name: "usageLocation", form: aText},
	property{name: "department", form: aText},
	property{name: "companyName", form: aText},
	property{name: "onPremisesImmutableId", form: aText},
)

// userDefaults are the properties that come without $select.
var userDefaults = []string{
	"businessPhones", "displayName", "givenName", "id", "jobTitle", "mail", "mobilePhone", "officeLocation", "preferredLanguage", "surname", "userPrincipalName",
}

func userResource(u directory.User) (map[string]any, error) {
	m := userSchema.initial(true)
	if err := userSchema.overlay(m, u.Carried); err != nil {
		return nil, err
	}
	m["id"], m["displayName"], m["userPrincipalName"], m["mail"] = u.ID, text(u.DisplayName), u.UserPrincipalName, text(u.Mail)
	m["accountEnabled"], m["createdDateTime"] = u.Enabled, stamp(u.CreatedAt)
	if m["mailNickname"] == nil {
		m["mailNickname"], _, _ = strings.Cut(u.UserPrincipalName, "@")
	}
	return m, nil
}

func (s *Service) userList(c *call) collection {
	return collection{
		typ: userSchema.typ, context: "users", defaults: userDefaults,
		fetch: func(ctx context.Context, after string, limit int) ([]map[string]any, string, error) {
			batch, err := s.Users.Users(ctx, c.tenant.ID, after, limit)
			if err != nil {
				return nil, "", err
			}
			items := make([]map[string]any, len(batch))
			for i, u := range batch {
				if items[i], err = userResource(u); err != nil {
					return nil, "", err
				}
			}
			last := ""
			if len(batch) == limit {
				last = batch[limit-1].ID
			}
			return items, last, nil
		},
		lookup: func(ctx context.Context, f *odata.Filter) ([]map[string]any, bool, error) {
			upn, ok := f.Equals("userPrincipalName")
			if !ok {
				return nil, false, nil
			}
			u, err := s.Users.User(ctx, c.tenant.ID, upn)
			if fault.KindOf(err) == fault.NotFound {
				return nil, true, nil
			}
			if err != nil {
				return nil, true, err
			}
			m, err := userResource(u)
			return []map[string]any{m}, true, err
		},
		expand: func(ctx context.Context, item map[string]any, e odata.Expansion) error {
			id, _ := item["id"].(string)
			found, err := s.assignments(ctx, c, id, ofUser)
			if err != nil {
				return err
			}
			out := make([]map[string]any, 0, len(found))
			for _, m := range found[:min(len(found), maxExpanded)] {
				out = append(out, e.Project(m))
			}
			item[e.Property] = out
			return nil
		},
	}
}

func (s *Service) listUsers(ctx context.Context, c *call, _ *none) (*answer, error) {
	if err := s.permit(ctx, c, readUsers, "users", nil); err != nil {
		return nil, err
	}
	return s.list(ctx, c, s.userList(c))
}

func (s *Service) countUsers(ctx context.Context, c *call, _ *none) (*answer, error) {
	if err := s.permit(ctx, c, readUsers, "users", nil); err != nil {
		return nil, err
	}
	return s.count(ctx, c, s.userList(c))
}

func (s *Service) getUser(ctx context.Context, c *call, in *byKey) (*answer, error) {
	if err := s.permit(ctx, c, readUsers, "users/"+clip(in.Key), nil); err != nil {
		return nil, err
	}
	return s.user(ctx, c, in.Key)
}

func (s *Service) user(ctx context.Context, c *call, key string) (*answer, error) {
	u, err := s.Users.User(ctx, c.tenant.ID, canonical(key))
	if err != nil {
		return nil, orNotFound(err, key)
	}
	m, err := userResource(u)
	if err != nil {
		return nil, err
	}
	return s.one(ctx, c, s.userList(c), m)
}

// me is the signed-in user.
func (s *Service) me(ctx context.Context, c *call, _ *none) (*answer, error) {
	if err := s.signedIn(ctx, c); err != nil {
		return nil, err
	}
	return s.user(ctx, c, c.objectID)
}

// signedIn refuses /me to an application's own token, which has no user, and to a user's without a scope
// that shows him.
func (s *Service) signedIn(ctx context.Context, c *call) error {
	if !c.delegated {
		return &failure{Status: http.StatusBadRequest, Code: "BadRequest", Message: "/me request is only valid with delegated authentication flow."}
	}
	if slices.ContainsFunc(c.scopes, func(scope string) bool {
		return slices.Contains([]string{"User.Read", "User.ReadWrite", "User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}, scope)
	}) {
		return nil
	}
	return s.permit(ctx, c, need{all: [][]string{{"User.Read"}}}, "me", nil)
}
