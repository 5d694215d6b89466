package iam

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// managedFiles are the policies that AWS itself offers, one a file, as AWS published them up to
// 2026-09-30 (AWS Managed Policy Reference Guide; IAM GetPolicy and GetPolicyVersion).
//
//go:embed managed/*.json
var managedFiles embed.FS

// managedPolicy is a policy of the catalogue. Of its versions only the one in force is known.
type managedPolicy struct {
	ARN         string          `json:"arn"`
	ID          string          `json:"policyId"` // "" where it has not been published: see id
	Description string          `json:"description"`
	VersionID   string          `json:"versionId"`
	CreatedAt   time.Time       `json:"createDate"`
	UpdatedAt   time.Time       `json:"updateDate"`
	Raw         json.RawMessage `json:"document"`

	path, name, document string
}

// managedPrefix begins the ARN of every policy of AWS's own.
const managedPrefix = "arn:aws:iam::aws:policy/"

// catalogue is read once, when somebody first asks for a policy of AWS's own. The files are part of the
// binary and read by a test, so that reading them cannot fail later.
var catalogue = sync.OnceValue(func() map[string]managedPolicy {
	all, err := readCatalogue(managedFiles)
	if err != nil {
		panic(err)
	}
	return all
})

// Managed gives the document of a policy that AWS itself offers, by its ARN.
func Managed(arn string) (document string, ok bool) {
	p, ok := catalogue()[arn]
	return p.document, ok
}

// managedNames lists the ARNs of the catalogue by policy name.
var managedNames = sync.OnceValue(func() []string {
	all := catalogue()
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return strings.Compare(lower(all[a].name)+"/"+a, lower(all[b].name)+"/"+b)
	})
})

func readCatalogue(files embed.FS) (map[string]managedPolicy, error) {
	entries, err := files.ReadDir("managed")
	if err != nil {
		return nil, err
	}
	all := make(map[string]managedPolicy, len(entries))
	for _, e := range entries {
		raw, err := files.ReadFile(path.Join("managed", e.Name()))
		if err != nil {
			return nil, err
		}
		p, err := readManaged(raw)
		if err != nil {
			return nil, fmt.Errorf("managed policy %s: %w", e.Name(), err)
		}
		if _, twice := all[p.ARN]; twice || p.name+".json" != e.Name() {
			return nil, fmt.Errorf("managed policy %s: the file of %s has another name", e.Name(), p.ARN)
		}
		all[p.ARN] = p
	}
	return all, nil
}

func readManaged(raw []byte) (managedPolicy, error) {
	var p managedPolicy
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, err
	}
	rest, ok := strings.CutPrefix(p.ARN, managedPrefix)
	if !ok {
		return p, fmt.Errorf("%s is no ARN of AWS's own policies", p.ARN)
	}
	i := strings.LastIndexByte(rest, '/') + 1
	p.path, p.name = "/"+rest[:i], rest[i:]
	var text bytes.Buffer
	if err := json.Indent(&text, p.Raw, "", "  "); err != nil {
		return p, err
	}
	p.document = text.String()
	p.ID = p.id()
	return p, nil
}

// id is the published id, or one made of the ARN, so that it is the same everywhere and always.
func (p managedPolicy) id() string {
	if p.ID != "" {
		return p.ID
	}
	sum := sha256.Sum256([]byte(p.ARN))
	return "ANPA" + base32.StdEncoding.EncodeToString(sum[:])[:17]
}

// lower folds a name as the directory orders names.
func lower(s string) string { return strings.ToLower(s) }
