package audit_test

import (
	"context"
	"testing"

	"github.com/treatyfed/treaty/core/audit"
)

func TestTheRequestIsTheOneInTheContext(t *testing.T) {
	t.Parallel()
	r := &audit.Request{ID: "1"}
	ctx := audit.WithRequest(t.Context(), r)
	audit.RequestOf(ctx).Code = "AADSTS700213"
	if r.Code != "AADSTS700213" {
		t.Error("what a surface writes does not reach the server")
	}
	stray := audit.RequestOf(context.Background())
	stray.ID = "2"
	if audit.RequestOf(context.Background()).ID != "" {
		t.Error("requests outside of a context are shared")
	}
}
