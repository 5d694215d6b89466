package iam

import (
	"context"

	"github.com/treatyfed/treaty/core/directory"
)

// Refusals to delete what is not bare (recorded, and as field reports show them).
var (
	errHasInline  = refusal(deleteConflict, "Cannot delete entity, must delete policies first.")
	errHasManaged = refusal(deleteConflict, "Cannot delete entity, must detach all policies first.")
	errReferenced = refusal(deleteConflict, "Cannot delete entity, must remove referenced objects first.")
)

// change edits an entity and stores it; the edit is made again on what another request has stored
// meanwhile.
func (h holder[T]) change(ctx context.Context, name string, edit func(*T) error) error {
	return again(func() error {
		v, err := h.changeable(ctx, name)
		if err != nil {
			return err
		}
		if err := edit(&v); err != nil {
			return err
		}
		return orMissing(h.all.Update(ctx, v), h.missing(name))
	})
}

// changeable finds an entity that callers may change.
func (h holder[T]) changeable(ctx context.Context, name string) (T, error) {
	v, err := h.named(ctx, name)
	if err == nil && h.kind == "role" {
		e, _ := h.parts(&v)
		err = mayChange(*e)
	}
	return v, err
}

// remove deletes an entity that has no policies any more and that nothing refers to. held says what else
// stands in the way; what comes between its answer and the deletion is seen by the entity's version or by
// the store.
func (h holder[T]) remove(ctx context.Context, name string, held func(directory.IAMEntity) error) error {
	return again(func() error {
		v, err := h.changeable(ctx, name)
		if err != nil {
			return err
		}
		e, g := h.parts(&v)
		if len(g.Managed) > 0 {
			return errHasManaged
		}
		if len(g.Inline) > 0 {
			return errHasInline
		}
		if held != nil {
			if err := held(*e); err != nil {
				return err
			}
		}
		err = h.all.Delete(ctx, e.ID, e.Version)
		if isConflict(err, reasonInUse) {
			return errReferenced
		}
		return orMissing(err, h.missing(name))
	})
}
