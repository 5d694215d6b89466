package gateway

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/versity/versitygw/backend/meta"
)

// attributes keeps what belongs to an object or a bucket (its type, checksums, owner, policy) in files
// beside the buckets' folder. Extended attributes of the file system would not do: a bucket's policy of
// 20 KB does not fit into ext4's, and not every file system has them.
//
// The backend names buckets by where they are; here they go by their names, so that the folder can be
// moved. A segment of a key that is the sidecar's own word "meta" gets a mark.
type attributes struct {
	meta.SideCar
	root string // the buckets' folder
}

var _ meta.MetadataStorer = attributes{}

const ownWord = "meta"

// place gives a bucket and a key as they are filed. bucket is below root, or both together climb to it
// from the working directory (see rooted.source); otherwise the bucket is "".
func (a attributes) place(bucket, object string) (string, string) {
	full := filepath.Join(bucket, object)
	for strings.HasPrefix(full, "../") {
		if full = full[len("../"):]; !strings.HasPrefix(full, "../") {
			full = "/" + full
		}
	}
	rest, ok := strings.CutPrefix(full, a.root+string(filepath.Separator))
	if !ok {
		return "", ""
	}
	bucket, object, _ = strings.Cut(filepath.ToSlash(rest), "/")
	if object == "" {
		return bucket, ""
	}
	segments := strings.Split(object, "/")
	for i, s := range segments {
		if mark, ok := strings.CutPrefix(s, ownWord); ok && strings.Trim(mark, "_") == "" {
			segments[i] = s + "_"
		}
	}
	return bucket, strings.Join(segments, "/")
}

func (a attributes) RetrieveAttribute(f *os.File, bucket, object, attribute string) ([]byte, error) {
	if bucket, object = a.place(bucket, object); bucket == "" {
		return nil, meta.ErrNoSuchKey
	}
	return a.SideCar.RetrieveAttribute(f, bucket, object, attribute)
}

func (a attributes) StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error {
	if bucket, object = a.place(bucket, object); bucket == "" {
		return meta.ErrNoSuchKey
	}
	return a.SideCar.StoreAttribute(f, bucket, object, attribute, value)
}

func (a attributes) DeleteAttribute(bucket, object, attribute string) error {
	if bucket, object = a.place(bucket, object); bucket == "" {
		return meta.ErrNoSuchKey
	}
	return a.SideCar.DeleteAttribute(bucket, object, attribute)
}

func (a attributes) ListAttributes(bucket, object string) ([]string, error) {
	if bucket, object = a.place(bucket, object); bucket == "" {
		return nil, nil
	}
	return a.SideCar.ListAttributes(bucket, object)
}

func (a attributes) DeleteAttributes(bucket, object string) error {
	if bucket, object = a.place(bucket, object); bucket == "" {
		return nil
	}
	return a.SideCar.DeleteAttributes(bucket, object)
}

func (a attributes) RenameObject(bucket, from, to string) error {
	_, from = a.place(bucket, from)
	bucket, to = a.place(bucket, to)
	if bucket == "" {
		return meta.ErrNoSuchKey
	}
	return a.SideCar.RenameObject(bucket, from, to)
}
