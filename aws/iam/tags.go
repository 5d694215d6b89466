package iam

import (
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/treatyfed/treaty/core/directory"
)

// maxTags is how many tags an entity may have (IAM user guide, "IAM and STS quotas").
const maxTags = 50

// Refusals of tags, as AWS has them (recorded, and moto's tests, which mirror AWS).
var (
	errReservedTag   = refusal(invalidInput, "Tag keys beginning with aws: are reserved for system use.")
	errDuplicateTag  = refusal(invalidInput, "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
	errNoTags        = refusal(invalidInput, "Tags must not be empty.")
	errBlankTag      = refusal(validationError, "1 validation error detected: Value at 'tags' failed to satisfy constraint: Tag keys must not consist of white space only")
	errTooManyTags   = refusal(limitExceeded, "Cannot exceed quota for TagsPerEntity: 50")
	reservedTagStart = "aws:"
)

// directoryTags are the tags of a request as the directory has them.
func directoryTags(tags []types.Tag) []directory.Tag {
	var out []directory.Tag
	for _, t := range tags {
		out = append(out, directory.Tag{Key: text(t.Key), Value: text(t.Value)})
	}
	return out
}

// wireTags are tags as answers list them: never absent.
func wireTags(tags []directory.Tag) []types.Tag {
	out := make([]types.Tag, len(tags))
	for i, t := range tags {
		out[i] = types.Tag{Key: &t.Key, Value: &t.Value}
	}
	return out
}

// someTags are tags as answers have them that leave the list out when it is empty.
func someTags(tags []directory.Tag) []types.Tag {
	if len(tags) == 0 {
		return nil
	}
	return wireTags(tags)
}

// tagKey is how tag keys compare: those of users and roles (fold) in any case of letters, all others'
// exactly.
func tagKey(key string, fold bool) string {
	if fold {
		return strings.ToLower(key)
	}
	return key
}

// newTags checks the tags of a request. Values may be anything, also such that begin with aws:.
func newTags(tags []types.Tag, fold bool) ([]directory.Tag, error) {
	seen := map[string]bool{}
	for _, t := range tags {
		key := tagKey(text(t.Key), fold)
		switch {
		case len(key) >= len(reservedTagStart) && strings.EqualFold(key[:len(reservedTagStart)], reservedTagStart):
			return nil, errReservedTag
		case strings.TrimSpace(key) == "":
			return nil, errBlankTag
		case seen[key]:
			return nil, errDuplicateTag
		}
		seen[key] = true
	}
	return directoryTags(tags), nil
}

// addTags lays tags over those that an entity has: a key that is there already is replaced, in its case of
// letters as well.
func addTags(have []directory.Tag, tags []types.Tag, fold bool) ([]directory.Tag, error) {
	if len(tags) == 0 {
		return nil, errNoTags
	}
	fresh, err := newTags(tags, fold)
	if err != nil {
		return nil, err
	}
	out := slices.Clone(have)
	for _, t := range fresh {
		i := slices.IndexFunc(out, func(old directory.Tag) bool { return tagKey(old.Key, fold) == tagKey(t.Key, fold) })
		if i >= 0 {
			out[i] = t
		} else {
			out = append(out, t)
		}
	}
	if len(out) > maxTags {
		return nil, errTooManyTags
	}
	return out, nil
}

// dropTags takes tags away by key; keys that are not there do not matter.
func dropTags(have []directory.Tag, keys []string, fold bool) []directory.Tag {
	return slices.DeleteFunc(slices.Clone(have), func(t directory.Tag) bool {
		return slices.ContainsFunc(keys, func(key string) bool { return tagKey(key, fold) == tagKey(t.Key, fold) })
	})
}
