package iam_test

import (
	"fmt"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/google/go-cmp/cmp"
)

// tags makes tags of keys and values in turn.
func tags(pairs ...string) []types.Tag {
	var out []types.Tag
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, types.Tag{Key: new(pairs[i]), Value: new(pairs[i+1])})
	}
	return out
}

// pairs is what tags makes tags of.
func pairs(tags []types.Tag) []string {
	out := []string{}
	for _, t := range tags {
		out = append(out, *t.Key, *t.Value)
	}
	return out
}

// The steps and codes were recorded in September 2026.
func TestTagsOfUsersAndRolesCompareInAnyCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	must(t, fails(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: new("ann"), Tags: tags("Team", "One")})))
	w.role("worker", func(in *sdk.CreateRoleInput) { in.Tags = tags("Team", "One") })
	user := func(in ...types.Tag) error {
		if in == nil {
			in = []types.Tag{}
		}
		return fails(w.TagUser(ctx, &sdk.TagUserInput{UserName: new("ann"), Tags: in}))
	}
	list := func() []string {
		out, err := w.ListUserTags(ctx, &sdk.ListUserTagsInput{UserName: new("ann")})
		must(t, err)
		w.has("Tags", "IsTruncated", "-Marker")
		return pairs(out.Tags)
	}
	must(t, user(tags("team", "Two")...))
	if diff := cmp.Diff([]string{"team", "Two"}, list()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	must(t, fails(w.TagRole(ctx, &sdk.TagRoleInput{RoleName: new("worker"), Tags: tags("team", "Two")})))
	role, err := w.ListRoleTags(ctx, &sdk.ListRoleTagsInput{RoleName: new("worker")})
	must(t, err)
	if diff := cmp.Diff([]string{"team", "Two"}, pairs(role.Tags)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, tt := range map[string]struct {
		err           error
		code, message string
	}{
		"the same key in two cases":  {user(tags("a", "1", "A", "2")...), "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive."},
		"a reserved key":             {user(tags("aws:x", "1")...), "InvalidInput", "Tag keys beginning with aws: are reserved for system use."},
		"a reserved key in capitals": {user(tags("AWS:x", "1")...), "InvalidInput", "Tag keys beginning with aws: are reserved for system use."},
		"a blank key":                {user(tags("  ", "1")...), "ValidationError", ""},
		"no tags":                    {user(), "InvalidInput", ""},
		"a key of strange letters":   {user(tags("a{b}", "1")...), "ValidationError", `1 validation error detected: Value 'a{b}' at 'tags.1.member.key' failed to satisfy constraint: Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+`},
		"a user who is not":          {fails(w.TagUser(ctx, &sdk.TagUserInput{UserName: new("bob"), Tags: tags("a", "b")})), "NoSuchEntity", "The user with name bob cannot be found."},
		"a role that is not":         {fails(w.ListRoleTags(ctx, &sdk.ListRoleTagsInput{RoleName: new("missing")})), "NoSuchEntity", "The role with name missing cannot be found."},
		"twice the key when made":    {fails(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: new("bob"), Tags: tags("a", "1", "A", "2")})), "InvalidInput", ""},
	} {
		t.Run(name, func(t *testing.T) { refused(t, tt.err, tt.code, tt.message) })
	}
	must(t, user(tags("kept", "aws:reserved", "upper", "AWS:reserved")...))
	untag := func(keys ...string) {
		must(t, fails(w.UntagUser(ctx, &sdk.UntagUserInput{UserName: new("ann"), TagKeys: keys})))
	}
	untag([]string{}...)
	untag("aws:x")
	untag("TEAM", "team")
	if diff := cmp.Diff([]string{"kept", "aws:reserved", "upper", "AWS:reserved"}, list()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	must(t, fails(w.UntagRole(ctx, &sdk.UntagRoleInput{RoleName: new("worker"), TagKeys: []string{"TEAM"}})))
	must(t, fails(w.GetRole(ctx, &sdk.GetRoleInput{RoleName: new("worker")})))
	w.has("-Tags")
}

func TestEntitiesHaveFiftyTagsAtMost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	var all []string
	for i := range 51 {
		all = append(all, fmt.Sprintf("key%02d", i), "v")
	}
	must(t, fails(w.CreateUser(ctx, &sdk.CreateUserInput{UserName: new("ann")})))
	refused(t, fails(w.TagUser(ctx, &sdk.TagUserInput{UserName: new("ann"), Tags: tags(all...)})), "ValidationError",
		"1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50")
	must(t, fails(w.TagUser(ctx, &sdk.TagUserInput{UserName: new("ann"), Tags: tags(all[:100]...)})))
	refused(t, fails(w.TagUser(ctx, &sdk.TagUserInput{UserName: new("ann"), Tags: tags(all[100:]...)})), "LimitExceeded", "")
	must(t, fails(w.TagUser(ctx, &sdk.TagUserInput{UserName: new("ann"), Tags: tags("KEY00", "w")})))
	var got []string
	pages := sdk.NewListUserTagsPaginator(w.Client, &sdk.ListUserTagsInput{UserName: new("ann"), MaxItems: new(int32(20))})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		must(t, err)
		got = append(got, pairs(page.Tags)...)
	}
	want := append([]string{"KEY00", "w"}, all[2:100]...)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
