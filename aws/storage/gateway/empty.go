package gateway

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/treatyfed/treaty/core/fault"
)

// Empty removes every bucket with what is in it. Requests under way fail as if the bucket had been deleted.
func (g *Gateway) Empty() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	folder := g.Folder
	if folder == "" {
		if g.running == nil || len(g.running.remove) == 0 {
			return nil
		}
		folder = g.running.remove[0] // the temporary one
	}
	var errs []error
	for _, name := range []string{"buckets", "meta"} {
		entries, err := os.ReadDir(filepath.Join(folder, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
		for _, e := range entries {
			errs = append(errs, os.RemoveAll(filepath.Join(folder, name, e.Name())))
		}
	}
	return fault.Wrap(fault.Internal, "empty the S3 gateway", errors.Join(errs...))
}
