package graph

import (
	"context"
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/treatyfed/treaty/wire/odata"
)

// Page sizes of lists.
const (
	defaultTop  = 100 // Graph's default for directory objects
	storePage   = 200 // how many resources are read at a time behind a filter
	maxExpanded = 20  // objects of an $expand (learn.microsoft.com graph/query-parameters)
)

// collection is a list of resources that may be filtered, sorted and paged.
type collection struct {
	typ      odata.Type
	context  string                                                                                              // after "$metadata#"
	fetch    func(ctx context.Context, after string, limit int) (items []map[string]any, last string, err error) // by id; last is "" at the end
	lookup   func(ctx context.Context, f *odata.Filter) (items []map[string]any, ok bool, err error)             // by a key that the filter demands; may be nil
	expand   func(ctx context.Context, item map[string]any, e odata.Expansion) error                             // may be nil
	defaults []string                                                                                            // properties without $select; nil: all
}

// none is an input without anything.
type none struct{}

// byKey names one resource of a collection.
type byKey struct {
	Key string `path:"key"`
}

// byChild names a resource below another.
type byChild struct {
	Key   string `path:"key"`
	Child string `path:"child"`
}

// metadata is the value of @odata.context.
func (s *Service) metadata(c *call, of string) string {
	return s.GraphURL + "/" + c.version + "/$metadata#" + of
}

// shape is the part of @odata.context that tells of $select and $expand: "(id,displayName,owners())".
func shape(q odata.Query) string {
	parts := slices.Clone(q.Select)
	for _, e := range q.Expand {
		parts = append(parts, e.Property+"("+strings.Join(e.Select, ",")+")")
	}
	if len(parts) == 0 {
		return ""
	}
	return "(" + strings.Join(parts, ",") + ")"
}

// list answers with one page of a collection.
func (s *Service) list(ctx context.Context, c *call, col collection) (*answer, error) {
	q, err := odata.Parse(col.typ, c.params, c.header)
	if err != nil {
		return nil, err
	}
	top := q.Top
	if top == 0 {
		top = defaultTop
	}
	items, next, total, err := col.page(ctx, q, top)
	if err != nil {
		return nil, err
	}
	body := map[string]any{"@odata.context": s.metadata(c, col.context+shape(q))}
	if q.Count && q.Eventual {
		body["@odata.count"] = total
	}
	if next != "" {
		body["@odata.nextLink"] = s.nextLink(c, next)
	}
	out := make([]map[string]any, 0, len(items))
	for _, item := range items {
		item, err := col.present(ctx, q, s.described(c, col.context, item))
		if err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	body["value"] = out
	return &answer{body: body}, nil
}

// present applies $select and $expand to one resource.
func (col collection) present(ctx context.Context, q odata.Query, item map[string]any) (map[string]any, error) {
	if q.Select == nil && col.defaults != nil {
		q.Select = col.defaults
	}
	out := q.Project(item)
	for _, e := range q.Expand {
		if col.expand == nil {
			return nil, &odata.Error{Code: "Request_UnsupportedQuery", Message: "Expanding '" + e.Property + "' is not supported for this resource."}
		}
		full := maps.Clone(item)
		if err := col.expand(ctx, full, e); err != nil {
			return nil, err
		}
		out = maps.Clone(out)
		out[e.Property] = full[e.Property]
	}
	return out, nil
}

// page collects up to top matching resources from where the skip token says. total is the number of all
// matches when the query asks for it.
func (col collection) page(ctx context.Context, q odata.Query, top int) (items []map[string]any, next string, total int, err error) {
	mode, at, err := readToken(q.SkipToken)
	if err != nil {
		return nil, "", 0, err
	}
	if len(q.OrderBy) == 0 && !(q.Count && q.Eventual) {
		if mode == byOffset {
			return nil, "", 0, expiredToken()
		}
		items, next, err = col.stream(ctx, q, at, top)
		return items, next, 0, err
	}
	if mode == byID {
		return nil, "", 0, expiredToken()
	}
	all, _, err := col.stream(ctx, q, "", 0)
	if err != nil {
		return nil, "", 0, err
	}
	slices.SortStableFunc(all, q.Compare)
	skip, _ := strconv.Atoi(at)
	from := min(skip, len(all))
	to := min(from+top, len(all))
	if to < len(all) {
		next = makeToken(byOffset, strconv.Itoa(to))
	}
	return all[from:to], next, len(all), nil
}

// stream reads the collection by id and keeps what matches: top resources, or all for top 0.
func (col collection) stream(ctx context.Context, q odata.Query, after string, top int) (items []map[string]any, next string, err error) {
	if col.lookup != nil && after == "" {
		found, ok, err := col.lookup(ctx, q.Filter)
		if err != nil {
			return nil, "", err
		}
		if ok {
			return slices.DeleteFunc(found, func(r map[string]any) bool { return !q.Match(r) }), "", nil
		}
	}
	size := storePage
	if top > 0 && q.Filter == nil && q.Search == nil {
		size = min(size, top+1)
	}
	for {
		batch, last, err := col.fetch(ctx, after, size)
		if err != nil {
			return nil, "", err
		}
		for _, item := range batch {
			if !q.Match(item) {
				continue
			}
			if top > 0 && len(items) == top {
				id, _ := items[top-1]["id"].(string)
				return items, makeToken(byID, id), nil
			}
			items = append(items, item)
		}
		if last == "" {
			return items, "", nil
		}
		after = last
	}
}

// count answers a /$count segment.
func (s *Service) count(ctx context.Context, c *call, col collection) (*answer, error) {
	if !strings.EqualFold(c.header.Get("ConsistencyLevel"), "eventual") {
		return nil, badRequest("$count is not currently supported.")
	}
	params := maps.Clone(c.params)
	if params == nil {
		params = url.Values{}
	}
	params["$count"] = []string{"true"}
	delete(params, "count")
	q, err := odata.Parse(col.typ, params, c.header)
	if err != nil {
		return nil, err
	}
	items, _, err := col.stream(ctx, q, "", 0)
	if err != nil {
		return nil, err
	}
	return &answer{body: len(items), plain: true}, nil
}

// one answers with a single resource of a collection.
func (s *Service) one(ctx context.Context, c *call, col collection, item map[string]any) (*answer, error) {
	q, err := odata.Parse(col.typ, c.params, c.header)
	if err != nil {
		return nil, err
	}
	out, err := col.present(ctx, q, s.described(c, col.context, item))
	if err != nil {
		return nil, err
	}
	out = maps.Clone(out)
	out["@odata.context"] = s.metadata(c, col.context+shape(q)+"/$entity")
	return &answer{body: out}, nil
}

// created answers with a resource that was just made.
func (s *Service) created(c *call, context string, item map[string]any) *answer {
	out := maps.Clone(s.described(c, context, item))
	out["@odata.context"] = s.metadata(c, context+"/$entity")
	return &answer{status: 201, body: out}
}

// inMemory makes the fetch of a collection that is read as a whole.
func inMemory(items []map[string]any) func(context.Context, string, int) ([]map[string]any, string, error) {
	return func(_ context.Context, after string, limit int) ([]map[string]any, string, error) {
		from := 0
		if after != "" {
			from = 1 + slices.IndexFunc(items, func(m map[string]any) bool { return m["id"] == after })
			if from == 0 {
				return nil, "", expiredToken() // it is gone, and with it the place to go on from
			}
		}
		to := min(from+limit, len(items))
		last := ""
		if to < len(items) {
			last, _ = items[to-1]["id"].(string)
		}
		return items[from:to], last, nil
	}
}

// nextLink repeats the request's own options with the token of the next page.
func (s *Service) nextLink(c *call, token string) string {
	params := url.Values{}
	for k, v := range c.params {
		if k != "$skiptoken" && k != "skiptoken" {
			params[k] = v
		}
	}
	params.Set("$skiptoken", token)
	// The dollar of options stays readable, as it is in Graph's own links.
	return s.GraphURL + c.path + "?" + strings.ReplaceAll(params.Encode(), "%24", "$")
}

// Kinds of skip tokens: after which id to go on, or at which offset of a sorted list.
const (
	byID     = "i"
	byOffset = "o"
)

func makeToken(mode, at string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(mode + ":" + at))
}

func readToken(t string) (mode, at string, err error) {
	if t == "" {
		return "", "", nil
	}
	b, err := base64.RawURLEncoding.DecodeString(t)
	mode, at, ok := strings.Cut(string(b), ":")
	if err != nil || !ok {
		return "", "", expiredToken()
	}
	if n, err := strconv.Atoi(at); mode == byOffset && (err != nil || n < 0) || mode == byID && at == "" || mode != byID && mode != byOffset {
		return "", "", expiredToken()
	}
	return mode, at, nil
}

func expiredToken() *failure {
	return &failure{Status: 400, Code: "Directory_ExpiredPageToken", Message: "Specified page token value has expired and can no longer be included in your request."}
}

// shown turns objects into the resources that the caller may see.
type shown[T any] func(ctx context.Context, objects ...T) ([]map[string]any, error)

// paged is a collection's fetch over a repository's list: the place to go on from is the last object's id,
// "" at the end.
func paged[T any](list func(ctx context.Context, after string, limit int) ([]T, error), id func(T) string, show shown[T]) func(context.Context, string, int) ([]map[string]any, string, error) {
	return func(ctx context.Context, after string, limit int) ([]map[string]any, string, error) {
		batch, err := list(ctx, after, limit)
		if err != nil {
			return nil, "", err
		}
		last := ""
		if len(batch) == limit {
			last = id(batch[limit-1])
		}
		items, err := show(ctx, batch...)
		return items, last, err
	}
}

// byIDs is a collection's lookup of the one object whose appId or id the filter demands.
func byIDs[T any](find func(ctx context.Context, key string) (T, error), show shown[T]) func(context.Context, *odata.Filter) ([]map[string]any, bool, error) {
	return func(ctx context.Context, f *odata.Filter) ([]map[string]any, bool, error) {
		key, ok := f.Equals("appId")
		if ok {
			key = "appId=" + key
		} else if key, ok = f.Equals("id"); !ok {
			return nil, false, nil
		}
		v, err := find(ctx, key)
		if missing(err) {
			return nil, true, nil
		}
		if err != nil {
			return nil, true, err
		}
		items, err := show(ctx, v)
		return items, true, err
	}
}
