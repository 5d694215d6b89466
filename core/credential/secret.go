// Package credential mints and guards what opens doors: access keys, client secrets, sealed values.
//
// It owns the Secret type that never prints itself, the sealing of values at rest and the hashing of
// client secrets. It leaves storage to the store and the decision to hand out a credential to its callers.
package credential

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"strconv"
)

// Secret is a value that must not be printed: every formatting verb and slog show only its length.
type Secret string

func (s Secret) String() string       { return "[" + strconv.Itoa(len(s)) + " bytes]" }
func (s Secret) GoString() string     { return s.String() }
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Format prints the length for every verb, also those that do not fit a string; fmt asks nobody about %p,
// nor about unexported fields of a struct that is printed whole.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// Reveal returns the value itself.
func (s Secret) Reveal() string { return string(s) }

// Equal compares in constant time.
func (s Secret) Equal(t Secret) bool { return subtle.ConstantTimeCompare([]byte(s), []byte(t)) == 1 }
