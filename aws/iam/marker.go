package iam

import (
	"context"
	"encoding/base64"
	"fmt"

	"github.com/treatyfed/treaty/core/directory"
)

// Pages have 100 entries unless MaxItems says otherwise (IAM API reference, MaxItems).
const defaultItems = 100

// errMarker is how a marker is refused that is not ours, or another list's.
var errMarker = refusal(validationError, "Invalid Marker.")

// pager is one request for a page of a list. The marker that it gives and reads is the key of the last
// entry shown, sealed: it holds for the list of its scope alone, and MaxItems may change between pages.
type pager struct {
	s     *Service
	label string
	after string // key of the last entry shown, "" at the beginning
	most  int
}

// page reads a request's Marker and MaxItems. scope names the list and whose it is.
func (s *Service) page(scope string, marker *string, most *int32) (pager, error) {
	p := pager{s: s, label: "iam marker of " + scope, most: defaultItems}
	if most != nil {
		p.most = int(*most)
	}
	if marker == nil {
		return p, nil
	}
	sealed, err := base64.RawURLEncoding.DecodeString(*marker)
	if err != nil {
		return p, errMarker
	}
	plain, err := s.Sealer.Open(p.label, sealed)
	if err != nil {
		return p, errMarker
	}
	p.after = string(plain)
	return p, nil
}

// next is the marker after the entry with a key.
func (p pager) next(key string) (*string, error) {
	sealed, err := p.s.Sealer.Seal(p.label, []byte(key))
	return new(base64.RawURLEncoding.EncodeToString(sealed)), err
}

// cut takes a page out of a whole list, which is in the order of its keys.
func cut[T any](s *Service, scope string, marker *string, most *int32, all []T, key func(T) string) (page []T, more bool, next *string, err error) {
	p, err := s.page(scope, marker, most)
	if err != nil {
		return nil, false, nil, err
	}
	for _, v := range all {
		if p.after != "" && key(v) <= p.after {
			continue
		}
		if len(page) == p.most {
			next, err = p.next(key(page[len(page)-1]))
			return page, true, next, err
		}
		page = append(page, v)
	}
	return page, false, nil, nil
}

// batch is how many entities are read at a time when some are left out of the answer.
const batch = 200

// listed reads a page of entities out of a repository; keep leaves some out. after is the name that a
// repository's list goes on from.
func listed[T any](ctx context.Context, p pager, fetch func(ctx context.Context, after string, limit int) ([]T, error), name func(T) string, keep func(T) bool) (page []T, more bool, next *string, err error) {
	after := p.after
	for {
		some, err := fetch(ctx, after, batch)
		if err != nil {
			return nil, false, nil, err
		}
		for _, v := range some {
			after = name(v)
			if !keep(v) {
				continue
			}
			if len(page) == p.most {
				next, err = p.next(name(page[len(page)-1]))
				return page, true, next, err
			}
			page = append(page, v)
		}
		if len(some) == 0 {
			return page, false, nil, nil
		}
	}
}

// fetcher lists the entities of an account.
func fetcher[T directory.IAM](r directory.Entities[T], account string) func(context.Context, string, int) ([]T, error) {
	return func(ctx context.Context, after string, limit int) ([]T, error) {
		return r.List(ctx, account, after, limit)
	}
}

// ordinal is a key that puts entries into the order of their numbers.
func ordinal(n int) string { return fmt.Sprintf("%08d", n) }

// descending is a key that puts entries into the opposite order of their numbers.
func descending(n int) string { return ordinal(99_999_999 - n) }
