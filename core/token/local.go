package token

import (
	"context"
	"slices"

	"github.com/treatyfed/treaty/core/fault"
)

// Local is a KeySource over one of our own rings, whatever the issuer it is asked for: for those who
// verify tokens that we issued.
type Local struct {
	Keys Keys
	Ring string
}

var _ KeySource = Local{}

// PublicKeys returns the ring's published keys. A kid that is not among them makes a Keyring look into
// the store once more, at a bounded rate.
func (l Local) PublicKeys(ctx context.Context, _, kid string) ([]PublicKey, error) {
	keys, err := l.Keys.Published(ctx, l.Ring)
	if err != nil {
		return nil, err
	}
	known := kid == "" || slices.ContainsFunc(keys, func(k Key) bool { return k.ID == kid })
	if r, can := l.Keys.(interface {
		Refresh(ctx context.Context, ring string) error
	}); can && !known {
		if err := r.Refresh(ctx, l.Ring); err != nil {
			return nil, err
		}
		if keys, err = l.Keys.Published(ctx, l.Ring); err != nil {
			return nil, err
		}
	}
	out := make([]PublicKey, len(keys))
	for i, k := range keys {
		out[i] = k.Public()
	}
	return out, nil
}

// Numbers is a KeySource over all rings of one family whose keys Numbered names, for issuers that sign with
// the ring of a region: the token's kid says which ring. Rings that have no keys are not made.
type Numbers struct {
	Keys   Keys
	Store  KeyStore
	Family string // what precedes the slash in the rings' names
}

var _ KeySource = Numbers{}

// maxNumbered bounds a kid of Numbered's making, in bytes: a region's name and a number.
const maxNumbered = 64

// PublicKeys returns the published keys of the ring that kid is of; a kid that is of none is
// fault.NotFound.
func (n Numbers) PublicKeys(ctx context.Context, issuer, kid string) ([]PublicKey, error) {
	none := fault.New(fault.NotFound, "key of "+n.Family, "no ring has this key")
	if len(kid) > maxNumbered {
		return nil, none
	}
	for at := len(kid) - 1; at > 0 && '0' <= kid[at] && kid[at] <= '9'; at-- {
		ring := n.Family + "/" + kid[:at]
		stored, err := n.Store.Keys(ctx, ring)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(stored, func(k StoredKey) bool { return k.ID == kid }) {
			return Local{Keys: n.Keys, Ring: ring}.PublicKeys(ctx, issuer, kid)
		}
	}
	return nil, none
}
