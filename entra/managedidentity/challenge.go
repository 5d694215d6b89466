package managedidentity

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/fault"
)

// Bounds of open challenges. Clients come back at once; the oldest makes room when there are too many.
const (
	challengeLife = time.Minute
	maxChallenges = 256
)

// challenges are files with a secret each, of which each is good once and for a short time. The secret
// itself is kept in the file alone.
type challenges struct {
	mu   sync.Mutex
	open map[[sha256.Size]byte]challenge
}

type challenge struct {
	machine string
	path    string
	made    time.Time
	removal *time.Timer // of the file, by the machine's time: the twin's clock may stand
}

// make writes a fresh secret into a new file and returns its path.
func (cs *challenges) make(folder, machine string, now time.Time, rand io.Reader) (string, error) {
	var b [48]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fault.Wrap(fault.Internal, "make challenge", err)
	}
	path := filepath.Join(folder, hex.EncodeToString(b[:16])+".key")
	secret := base64.RawURLEncoding.EncodeToString(b[16:])
	if err := writeSecret(folder, path, secret); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(secret))
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if cs.open == nil {
		cs.open = make(map[[sha256.Size]byte]challenge)
	}
	cs.makeRoom(now)
	cs.open[sum] = challenge{machine: machine, path: path, made: now, removal: time.AfterFunc(challengeLife, func() { cs.expire(sum) })}
	return path, nil
}

// makeRoom drops what is too old, and the oldest of too many. The caller holds the lock.
func (cs *challenges) makeRoom(now time.Time) {
	var oldest [sha256.Size]byte
	var at time.Time
	for sum, c := range cs.open {
		if !c.fresh(now) {
			cs.drop(sum)
		} else if at.IsZero() || c.made.Before(at) {
			oldest, at = sum, c.made
		}
	}
	if len(cs.open) >= maxChallenges {
		cs.drop(oldest)
	}
}

func (c challenge) fresh(now time.Time) bool {
	age := now.Sub(c.made)
	return age >= 0 && age < challengeLife
}

// take uses a secret up; it reports whether it was good for this machine. Of several who come with one
// secret, one wins.
func (cs *challenges) take(secret credential.Secret, machine string, now time.Time) bool {
	// The look-up is by the secret's hash: its time tells nothing of the secret.
	sum := sha256.Sum256([]byte(secret.Reveal()))
	cs.mu.Lock()
	defer cs.mu.Unlock()
	c, ok := cs.open[sum]
	if !ok || c.machine != machine {
		return false
	}
	cs.drop(sum)
	return c.fresh(now)
}

func (cs *challenges) expire(sum [sha256.Size]byte) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if _, ok := cs.open[sum]; ok {
		cs.drop(sum)
	}
}

func (cs *challenges) clear() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	for sum := range cs.open {
		cs.drop(sum)
	}
}

// drop forgets a challenge and removes its file. The caller holds the lock.
func (cs *challenges) drop(sum [sha256.Size]byte) {
	c := cs.open[sum]
	delete(cs.open, sum)
	c.removal.Stop()
	_ = os.Remove(c.path) // a secret that is forgotten opens nothing, even if its file stays
}

// writeSecret makes a file that its owner and its group may read, in a folder of the same kind, like the
// agent's own.
func writeSecret(folder, path, secret string) error {
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(folder, 0o750); err != nil && !os.IsExist(err) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	_, err = f.WriteString(secret)
	if modeErr := f.Chmod(0o640); err == nil { // whatever the umask takes away
		err = modeErr
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		_ = os.Remove(path)
	}
	return err
}
