package arm

import (
	"context"
	"encoding/base64"
	"net/url"
	"strconv"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
)

// pageSize is the length of a page unless $top asks for a shorter one.
const pageSize = 200

// paging are the query parameters of a list of resources.
type paging struct {
	Version string  `query:"api-version"`
	Filter  string  `query:"$filter"`
	Top     *int    `query:"$top"`
	Skip    *string `query:"$skiptoken"`
	Expand  string  `query:"$expand"`
}

// cursor reads $top and $skiptoken; the token is the last id of the page before.
func (p *paging) cursor() (limit int, after string, err error) {
	limit = pageSize
	if p.Top != nil {
		if *p.Top < 1 || *p.Top > 1000 {
			return 0, "", errorf(400, "InvalidTopInQueryString", "Invalid $top '%d' specified in the query string. It must be between 1 and 1000.", *p.Top)
		}
		limit = min(limit, *p.Top)
	}
	if p.Skip != nil {
		b, err := base64.RawURLEncoding.DecodeString(*p.Skip)
		if err != nil || !strings.HasPrefix(string(b), "/subscriptions/") {
			return 0, "", errorf(400, "InvalidSkipToken", "The skip token '%s' specified in the query string is invalid.", *p.Skip)
		}
		after = string(b)
	}
	return limit, after, nil
}

// nextLink is the address of the page after last, which the same caller asks with the same parameters.
func (p *paging) nextLink(c *call, path, last string) string {
	q := "api-version=" + url.QueryEscape(p.Version)
	if p.Filter != "" {
		q += "&$filter=" + url.QueryEscape(p.Filter)
	}
	if p.Top != nil {
		q += "&$top=" + strconv.Itoa(*p.Top)
	}
	return c.base + escapePath(path) + "?" + q + "&$skiptoken=" + base64.RawURLEncoding.EncodeToString([]byte(lower(last)))
}

func escapePath(p string) string { return (&url.URL{Path: p}).EscapedPath() }

// page lists resources of some types below a scope that keep selects. It reads on until the page is full
// or nothing is left; types are merged in the order of their ids.
func (s *Service) page(ctx context.Context, p *paging, path, scope string, types []string, keep func(directory.Resource) bool) ([]directory.Resource, string, error) {
	limit, after, err := p.cursor()
	if err != nil {
		return nil, "", err
	}
	var out []directory.Resource
	for {
		batch, more, err := s.batch(ctx, scope, types, after, limit+1)
		if err != nil {
			return nil, "", err
		}
		for _, r := range batch {
			if !keep(r) {
				continue
			}
			if len(out) == limit {
				return out, p.nextLink(callOf(ctx), path, out[limit-1].ID), nil
			}
			out = append(out, r)
		}
		if !more {
			return out, "", nil
		}
		after = lower(batch[len(batch)-1].ID)
	}
}

// batch reads at most limit resources of some types after an id, in the order of their ids; more says
// whether there may be others.
func (s *Service) batch(ctx context.Context, scope string, types []string, after string, limit int) (out []directory.Resource, more bool, err error) {
	for _, t := range types {
		rs, err := s.Resources.Resources(ctx, scope, t, after, limit)
		if err != nil {
			return nil, false, err
		}
		more = more || len(rs) == limit
		out = append(out, rs...)
	}
	sortResources(out)
	if len(out) > limit {
		return out[:limit], true, nil
	}
	return out, more, nil
}
