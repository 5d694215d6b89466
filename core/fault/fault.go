// Package fault is the one error type of Treaty's core: a kind that every surface maps once to its
// own cloud's code and status, the operation that failed, and a reason fit for a log.
//
// It owns the list of kinds. It leaves the words a client reads to the surfaces: the text of a Fault
// never goes on the wire.
package fault

import "errors"

// Kind classifies a failure. A Kind is itself an error, so callers test with errors.Is(err, fault.NotFound).
type Kind string

// The kinds of failure that the core knows.
const (
	NotFound        Kind = "not found"
	Conflict        Kind = "conflict" // a unique key is taken, or the version that was read is no longer current
	Invalid         Kind = "invalid"
	Denied          Kind = "denied"
	Unauthenticated Kind = "unauthenticated"
	Expired         Kind = "expired"
	Throttled       Kind = "throttled"
	LimitExceeded   Kind = "limit exceeded"
	Unavailable     Kind = "unavailable" // a peer that we depend on did not answer as it should
	Internal        Kind = "internal"
)

func (k Kind) Error() string { return string(k) }

// Fault is a failure with its kind. Op says what was attempted ("application.get 4f2…"); Reason says why
// it failed in lower case; Err, if any, is the cause.
type Fault struct {
	Kind   Kind
	Op     string
	Reason string
	Err    error
}

// New makes a fault without a cause.
func New(k Kind, op, reason string) *Fault { return &Fault{Kind: k, Op: op, Reason: reason} }

// Wrap makes a fault from a cause; a nil cause gives nil.
func Wrap(k Kind, op string, err error) error {
	if err == nil {
		return nil
	}
	return &Fault{Kind: k, Op: op, Err: err}
}

func (f *Fault) Error() string {
	s := f.Op + ": " + string(f.Kind)
	if f.Reason != "" {
		s += ": " + f.Reason
	}
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (f *Fault) Unwrap() error { return f.Err }

// Is reports whether target is this fault's kind.
func (f *Fault) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == f.Kind
}

// KindOf returns the kind of the outermost fault in err's chain, Internal for any other error.
func KindOf(err error) Kind {
	var f *Fault
	if errors.As(err, &f) {
		return f.Kind
	}
	return Internal
}
