package token

import (
	"context"
	"slices"
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
