package iam

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
)

// The condition keys of IAM's own (Service Authorization Reference, "Actions, resources, and condition keys
// for AWS Identity and Access Management").
const (
	keyBoundary    = "iam:PermissionsBoundary"
	keyResourceTag = "iam:ResourceTag/"
)

// on is the target of an operation on a role, user or group that the input names: its ARN, with the path
// that it has, its tags as condition keys and "role NAME" in refusals. An entity that is missing counts as
// one with path "/". more, if any, adds keys.
func on[In any, T directory.IAM](h holder[T], name func(*In) *string, more func(in *In, g *directory.Grants, k policy.Context)) op.Target[In] {
	find := func(ctx context.Context, c op.Caller, in *In) (v T, found bool, err error) {
		v, err = h.all.Named(ctx, c.Account, nameOf(c, name(in)))
		if errors.Is(err, fault.NotFound) {
			return v, false, nil
		}
		return v, err == nil, err
	}
	return op.Target[In]{
		Resource: func(ctx context.Context, c op.Caller, in *In) (string, error) {
			v, found, err := find(ctx, c, in)
			e, _ := h.parts(&v)
			switch {
			case err != nil:
				return "", err
			case found:
				return e.ARN, nil
			case name(in) != nil:
				return arnOf(c.Account, h.kind, "/", *name(in)), nil
			case c.Root():
				return c.ARN, nil
			}
			return "*", nil // a session that names no user: the operation refuses it
		},
		Keys: func(ctx context.Context, c op.Caller, in *In, k policy.Context) error {
			v, found, err := find(ctx, c, in)
			e, g := h.parts(&v)
			if found {
				resourceTags(k, e.Tags)
			}
			if more != nil {
				more(in, g, k)
			}
			return err
		},
		Shown: func(c op.Caller, in *In, arn string) string {
			if n := nameOf(c, name(in)); n != "" {
				return h.kind + " " + n
			}
			return arn
		},
	}
}

// nameOf is the user that an operation is about when its input names none: the caller.
func nameOf(c op.Caller, name *string) string {
	if name == nil {
		return c.Subject.UserName
	}
	return *name
}

// resourceTags are the tags of what an operation acts on, under both names that policies know.
func resourceTags(k policy.Context, tags []directory.Tag) {
	access.ResourceTags(k, tags)
	for _, t := range tags {
		k.Set(keyResourceTag+t.Key, t.Value)
	}
}

// bounded adds the boundary that the entity has now, which may be a condition of changing its policies.
func bounded[In any](_ *In, g *directory.Grants, k policy.Context) {
	if g.Boundary != "" {
		k.Set(keyBoundary, g.Boundary)
	}
}

// making is the target of an operation that makes an entity with a path, a name, tags and a boundary.
func making[In any](kind string, parts func(*In) (path, name *string), keys func(in *In, k policy.Context)) op.Target[In] {
	return op.Target[In]{
		Resource: func(_ context.Context, c op.Caller, in *In) (string, error) {
			path, name := parts(in)
			return arnOf(c.Account, kind, pathOr(path), *name), nil
		},
		Keys: func(_ context.Context, _ op.Caller, in *In, k policy.Context) error {
			if keys != nil {
				keys(in, k)
			}
			return nil
		},
	}
}

// listing is the target of an operation that lists the entities of a kind under a path.
func listing[In any](kind string, prefix func(*In) *string) op.Target[In] {
	return op.Target[In]{Resource: func(_ context.Context, c op.Caller, in *In) (string, error) {
		return arnOf(c.Account, kind, pathOr(prefix(in)), ""), nil
	}}
}

// permit decides a further permission that an operation needs beside its own, and records the decision.
func (s *Service) permit(ctx context.Context, action, resource, shown string, k policy.Context) error {
	c := op.CallerOf(ctx)
	d, err := op.By(s.Access)(ctx, op.Access{Caller: c, Action: action, Resource: resource, Context: k})
	if err != nil {
		return err
	}
	proof, err := json.Marshal(op.Evidence{Authentication: c.Proof, Authorisation: []policy.Decision{d}})
	if err != nil {
		return fault.Wrap(fault.Internal, "record "+action, err)
	}
	r := audit.RequestOf(ctx)
	e := audit.Event{
		RequestID: r.ID, CorrelationID: r.CorrelationID, Time: s.Now(), Surface: Name, Operation: r.Operation,
		Caller: c.ARN, Resource: resource, Outcome: audit.Allowed, Evidence: proof,
	}
	var refused *op.Error
	if !d.Allows() {
		refused = op.Denied(op.Query, d, shown)
		e.Outcome, e.Code = audit.Refused, refused.Code
	}
	if err := s.Audit.Record(ctx, e); err != nil || refused == nil {
		return err
	}
	return refused
}

// tagged is what a request's tags say to the policies that decide about tagging.
func tagged(ctx context.Context, tags []directory.Tag) policy.Context {
	k := op.RequestContext(ctx)
	access.RequestTags(k, tags)
	return k
}
