package cognitoidentity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
)

// maxLogins is how many logins may be linked to one identity (API reference, MergeDeveloperIdentities).
const maxLogins = 20

// linkTries is how often linking is tried again when another request linked or merged meanwhile. Each time
// lost is one that another has won, or our own merge, and an identity has no more than maxLogins to win.
const linkTries = 2 * maxLogins

// linker keeps logins and identities together: it finds or makes the identity of a login, links further
// logins and merges identities that turn out to be one person.
type linker struct {
	finder
	Now  func() time.Time
	Rand io.Reader
}

// resolve returns the identity that has one of the logins, else a new one that has them all.
func (l linker) resolve(ctx context.Context, pool directory.IdentityPool, logins []directory.Login) (directory.Identity, error) {
	id, err := newID(pool.Region, l.Rand)
	if err != nil {
		return directory.Identity{}, err
	}
	now := l.Now()
	i, _, err := l.Identities.Resolve(ctx, directory.Identity{ID: id, PoolID: pool.ID, Logins: logins, CreatedAt: now, ModifiedAt: now})
	if errors.Is(err, fault.NotFound) {
		return i, noPool(pool.ID)
	}
	return i, err
}

// settle sees to it that all the logins belong to i: unseen ones are linked to it, and an identity that has
// one of the others is merged with it. It returns the identity that survives, which need not be i.
func (l linker) settle(ctx context.Context, pool directory.IdentityPool, i directory.Identity, logins []directory.Login) (directory.Identity, error) {
	for range linkTries {
		fresh, others, err := l.sort(ctx, pool, i, logins)
		if err != nil {
			return i, err
		}
		if err := mayJoin(pool, i, fresh, others); err != nil {
			return i, err
		}
		survivor, err := l.join(ctx, i, fresh, others)
		switch {
		case err == nil && survivor == i.ID && len(fresh)+len(others) == 0:
			return i, nil
		case err == nil:
			return l.live(ctx, survivor)
		case !errors.Is(err, fault.Conflict):
			return i, err
		}
		if i, err = l.live(ctx, survivor); err != nil { // somebody else linked or merged one: look again
			return i, err
		}
	}
	return i, refusal(tooManyRequests, "Rate exceeded")
}

// sort tells the logins that nobody has from those of other identities; those that i has are in neither.
func (l linker) sort(ctx context.Context, pool directory.IdentityPool, i directory.Identity, logins []directory.Login) (fresh []directory.Login, others []directory.Identity, err error) {
	for _, login := range logins {
		if slices.Contains(i.Logins, login) {
			continue
		}
		owner, err := l.Identities.ByLogin(ctx, pool.ID, login)
		switch {
		case errors.Is(err, fault.NotFound):
			fresh = append(fresh, login)
		case err != nil:
			return nil, nil, err
		case owner.ID != i.ID && !slices.ContainsFunc(others, func(o directory.Identity) bool { return o.ID == owner.ID }):
			others = append(others, owner)
		}
	}
	return fresh, others, nil
}

// mayJoin refuses what would give an identity two users of one public provider, or too many logins.
func mayJoin(pool directory.IdentityPool, i directory.Identity, fresh []directory.Login, others []directory.Identity) error {
	all := slices.Concat(i.Logins, fresh)
	for _, o := range others {
		all = append(all, o.Logins...)
	}
	users := map[string]string{}
	for _, login := range all {
		user, seen := users[login.Provider]
		if seen && user != login.User && login.Provider != pool.DeveloperProvider {
			return refusal(conflict, "Login is already linked to another account.")
		}
		users[login.Provider] = login.User
	}
	if len(all) > maxLogins {
		return tooManyLogins()
	}
	return nil
}

func tooManyLogins() error {
	return refusal(invalidParameter, fmt.Sprintf("An identity can have at most %d linked logins.", maxLogins))
}

// join links and merges, and returns the id of the identity that survives. A guest goes into the identity
// of somebody who is known; otherwise the others go into i.
func (l linker) join(ctx context.Context, i directory.Identity, fresh []directory.Login, others []directory.Identity) (string, error) {
	survivor := i
	if len(others) > 0 && isGuest(i) {
		survivor = others[0]
		others = slices.Concat([]directory.Identity{i}, others[1:])
	}
	for _, o := range others {
		if err := l.merge(ctx, o, survivor); err != nil {
			return survivor.ID, err
		}
	}
	if len(fresh) == 0 {
		return survivor.ID, nil
	}
	return survivor.ID, l.Identities.Link(ctx, survivor, l.change(survivor), fresh...) // a Conflict after a merge: it has changed
}

// merge moves source's logins to destination and disables source.
func (l linker) merge(ctx context.Context, source, destination directory.Identity) error {
	err := l.Identities.Merge(ctx, source.ID, destination.ID, l.change(destination), maxLogins)
	if errors.Is(err, fault.LimitExceeded) {
		return tooManyLogins()
	}
	return err
}

// isGuest reports whether the identity never had a login. ModifiedAt moves when logins are linked and
// unlinked and at no other time, so it tells an identity that lost its last login from a guest.
func isGuest(i directory.Identity) bool {
	return len(i.Logins) == 0 && !i.ModifiedAt.After(i.CreatedAt)
}

// change is the time of a change to i's logins: now, and in any case after i was made (isGuest).
func (l linker) change(i directory.Identity) time.Time {
	if now := l.Now(); now.After(i.CreatedAt) {
		return now
	}
	return i.CreatedAt.Add(time.Millisecond)
}
