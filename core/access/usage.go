package access

import (
	"context"
	"sync"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/policy"
)

// noteEvery is how coarse the last use of a key or role is: AWS's own is hours late (IAM user guide,
// "Refine permissions using last accessed information").
const noteEvery = 15 * time.Minute

// maxNoted bounds what is remembered of uses that need no second note.
const maxNoted = 4096

// noted remembers when a use was last written down.
type noted struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (n *noted) due(id string, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if last, ok := n.at[id]; ok && now.Sub(last) < noteEvery && !now.Before(last) {
		return false
	}
	if n.at == nil || len(n.at) >= maxNoted {
		n.at = map[string]time.Time{}
	}
	n.at[id] = now
	return true
}

// NoteUse writes down that an access key, or the role behind a session, was used, once in a while.
func (d *Decider) NoteUse(ctx context.Context, k Key, service, region string) error {
	id := k.ID
	if k.Subject.Session != nil {
		if k.Subject.Principal.Type != policy.AssumedRole {
			return nil
		}
		id = k.Subject.Principal.ID
	}
	if now := d.Now(); d.Usage != nil && d.noted.due(id, now) {
		return d.Usage.NoteUse(ctx, id, directory.Use{At: now, Service: service, Region: region})
	}
	return nil
}
