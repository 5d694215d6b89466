package access

import (
	"sync"

	"github.com/treatyfed/treaty/core/policy"
)

// Bounds of the parsed policies that are kept.
const (
	maxDocuments     = 2048
	maxDocumentBytes = 8 << 20 // of their texts
)

// documents remembers parsed policies by their text: a policy that changes has another text.
type documents struct {
	mu    sync.RWMutex
	known map[document]*policy.Document
	bytes int
}

type document struct {
	kind policy.Kind
	text string
}

func (c *documents) get(text string, kind policy.Kind) (*policy.Document, error) {
	key := document{kind, text}
	c.mu.RLock()
	doc := c.known[key]
	c.mu.RUnlock()
	if doc != nil {
		return doc, nil
	}
	doc, err := policy.Parse(text, kind)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxDocuments || c.bytes+len(text) > maxDocumentBytes {
		c.known, c.bytes = map[document]*policy.Document{}, 0
	}
	if c.known[key] == nil {
		c.known[key] = doc
		c.bytes += len(text)
	}
	return doc, nil
}
