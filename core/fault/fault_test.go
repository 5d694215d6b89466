package fault_test

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/treatyfed/treaty/core/fault"
)

func TestFaults(t *testing.T) {
	t.Parallel()
	f := fault.New(fault.NotFound, "application.get 4f2", "no such id")
	wrapped := fmt.Errorf("token request: %w", f)
	if !errors.Is(wrapped, fault.NotFound) || errors.Is(wrapped, fault.Conflict) || fault.KindOf(wrapped) != fault.NotFound {
		t.Errorf("%v", wrapped)
	}
	if f.Error() != "application.get 4f2: not found: no such id" {
		t.Error(f)
	}
	w := fault.Wrap(fault.Unavailable, "discover x", io.ErrUnexpectedEOF)
	if !errors.Is(w, io.ErrUnexpectedEOF) || !errors.Is(w, fault.Unavailable) || w.Error() != "discover x: unavailable: unexpected EOF" {
		t.Error(w)
	}
	if fault.Wrap(fault.Internal, "x", nil) != nil {
		t.Error("a nil cause made a fault")
	}
	if fault.KindOf(io.EOF) != fault.Internal {
		t.Error("a foreign error is internal")
	}
	outer := fault.Wrap(fault.Denied, "outer", f)
	if fault.KindOf(outer) != fault.Denied || !errors.Is(outer, fault.NotFound) {
		t.Error(outer)
	}
}
