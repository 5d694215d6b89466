package access

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// Issue gives a session its key and seals it. fault.LimitExceeded when it is too large for a token of
// credential.MaxSessionToken bytes.
func (d *Decider) Issue(s credential.Session, minToken int) (credential.Session, string, error) {
	var err error
	if s.KeyID, err = credential.NewKeyID(temporary, s.Account, d.Rand); err != nil {
		return s, "", err
	}
	if s.Secret, err = credential.NewSecretAccessKey(d.Rand); err != nil {
		return s, "", err
	}
	token, err := d.Sealer.SessionToken(s, minToken)
	return s, token, err
}

// seal issues the session of a request that was allowed, with how much of a token's room it takes.
func (d *Decider) seal(s credential.Session, minToken int, out *Assumed) (err error) {
	out.PackedSize = packed(s)
	out.Session, out.Token, err = d.Issue(s, minToken)
	if errors.Is(err, fault.LimitExceeded) {
		out.refuse(TooLarge)
		return nil
	}
	if out.PackedSize != nil {
		*out.PackedSize = min(*out.PackedSize, 100) // deflated it fitted
	}
	return err
}

// tagMap is a list of tags by key, nil when there are none.
func tagMap(tags []directory.Tag) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[t.Key] = t.Value
	}
	return out
}

// inherit gives a session of a chain what goes on along it: transitive tags, the source identity, the
// provider that it all began with.
func inherit(s, held *credential.Session) {
	for key, value := range held.Tags {
		if !slices.ContainsFunc(held.Transitive, func(t string) bool { return strings.EqualFold(t, key) }) {
			continue
		}
		if s.Tags == nil {
			s.Tags = map[string]string{}
		}
		s.Tags[key] = value
	}
	s.Transitive = append(slices.Clone(held.Transitive), s.Transitive...)
	if held.Source != "" {
		s.Source = held.Source
	}
	if s.Federated == "" {
		s.Federated = held.Federated
	}
}

// packed is how much of a token's room the policies, tags and provider's keys of a session take, in
// percent; nil when it has none (STS API reference, PackedPolicySize).
func packed(s credential.Session) *int32 {
	if len(s.Policies)+len(s.PolicyARNs)+len(s.Tags)+len(s.Kept) == 0 {
		return nil
	}
	b, err := json.Marshal([]any{s.Policies, s.PolicyARNs, maps.Clone(s.Tags), s.Kept})
	if err != nil {
		return nil
	}
	const room = credential.MaxSessionToken / 4 * 3 // bytes, before base64
	return new(int32((len(b)*100 + room - 1) / room))
}
