package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// issuers keeps issuers and the places at which they answer, no two at the same one.
type issuers struct{ db database }

func (r *issuers) CreateIssuer(ctx context.Context, i directory.Issuer) error {
	op := "create issuer " + i.Name
	doc, err := document(op, i)
	if err != nil {
		return err
	}
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		n, err := q.exec(ctx, `insert into issuer (name, url, version, doc) values ($1, $2, 1, $3) on conflict (name) do nothing`, i.Name, i.URL, doc)
		if err != nil {
			return err
		}
		if n == 0 { // said first, on both databases, of one whose URL is taken too
			return fault.New(fault.Conflict, op, "name")
		}
		return r.place(ctx, q, op, i)
	}))
}

// place writes the rows of an issuer's places, each once and in order, so that two writers never wait in
// a circle.
func (r *issuers) place(ctx context.Context, q querier, op string, i directory.Issuer) error {
	places := slices.SortedFunc(slices.Values(i.Places), func(a, b directory.Place) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Path, b.Path))
	})
	for _, p := range slices.Compact(places) {
		n, err := q.exec(ctx, `insert into issuer_place (host, path, name) values ($1, $2, $3) on conflict do nothing`, p.Host, p.Path, i.Name)
		if err != nil {
			return failed(op, nil, err)
		}
		if n == 0 {
			return fault.New(fault.Conflict, op, "place")
		}
	}
	return nil
}

func (r *issuers) UpdateIssuer(ctx context.Context, i directory.Issuer) error {
	op := "update issuer " + i.Name
	doc, err := document(op, i)
	if err != nil {
		return err
	}
	return failed(op, nil, r.db.tx(ctx, func(q querier) error {
		err := swap(ctx, q, op, `select 1 from issuer where name = $1`, []any{i.Name},
			`update issuer set version = version + 1, url = $3, doc = $4 where name = $1 and version = $2`, i.Name, i.Version, i.URL, doc)
		if err != nil {
			return err
		}
		if err := write(ctx, q, op, `delete from issuer_place where name = $1`, i.Name); err != nil {
			return err
		}
		return r.place(ctx, q, op, i)
	}))
}

func (r *issuers) Issuer(ctx context.Context, name string) (directory.Issuer, error) {
	const text = `select version, doc from issuer where name = $1`
	return remembered(ctx, r.db, cloneIssuer, question{text, name, ""}, func() (directory.Issuer, error) {
		return one(ctx, r.db, "issuer", scanIssuer, text, name)
	})
}

func (r *issuers) IssuerAt(ctx context.Context, p directory.Place) (directory.Issuer, error) {
	const text = `select i.version, i.doc from issuer_place p join issuer i on i.name = p.name where p.host = $1 and p.path = $2`
	return remembered(ctx, r.db, cloneIssuer, question{text, p.Host, p.Path}, func() (directory.Issuer, error) {
		return one(ctx, r.db, "issuer at", scanIssuer, text, p.Host, p.Path)
	})
}

// Hosts is asked of every request to a name that is none of ours, so that there is no issuer is remembered too.
func (r *issuers) Hosts(ctx context.Context, host string) (bool, error) {
	const text = `select 1 from issuer_place where host = $1 limit 1`
	_, err := remembered(ctx, r.db, itself[int64], question{text, host, ""}, func() (int64, error) {
		return one(ctx, r.db, "issuers at host", scanInt, text, host)
	})
	if errors.Is(err, fault.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// DeleteIssuer takes the places with it by their foreign key.
func (r *issuers) DeleteIssuer(ctx context.Context, name string) error {
	return must(ctx, r.db, "delete issuer "+name, `delete from issuer where name = $1`, name)
}

func (r *issuers) Issuers(ctx context.Context, after string, limit int) ([]directory.Issuer, error) {
	return list(ctx, r.db, "issuers", scanIssuer, `select version, doc from issuer where name > $1 order by name limit $2`, after, page(limit))
}

func scanIssuer(r *sql.Rows) (i directory.Issuer, err error) {
	var doc string
	var version int64
	if err = r.Scan(&version, &doc); err == nil {
		err = json.Unmarshal([]byte(doc), &i)
	}
	i.Version = version
	return i, err
}
