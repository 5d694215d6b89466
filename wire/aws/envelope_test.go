package aws

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheQueryErrorDocument(t *testing.T) {
	t.Parallel()
	got := string(AppendError(nil, "https://sts.amazonaws.com/doc/2011-06-15/", "id-1", 403, "AccessDenied", "a <b> & c"))
	want := `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error>
    <Type>Sender</Type>
    <Code>AccessDenied</Code>
    <Message>a &lt;b&gt; &amp; c</Message>
  </Error>
  <RequestId>id-1</RequestId>
</ErrorResponse>
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := string(AppendError(nil, "ns", "id", 500, "InternalFailure", "")); !strings.Contains(got, "<Type>Receiver</Type>") {
		t.Errorf("a fault of ours is not the sender's: %s", got)
	}
}

func TestTheJSONErrorDocument(t *testing.T) {
	t.Parallel()
	for code, want := range map[string][2]string{
		"NotAuthorizedException":    {"Unauthenticated access is not supported.", `{"__type":"NotAuthorizedException","message":"Unauthenticated access is not supported."}`},
		"UnknownOperationException": {"", `{"__type":"UnknownOperationException"}`},
	} {
		if got := string(AppendJSONError(nil, code, want[0])); got != want[1] {
			t.Errorf("got %s, want %s", got, want[1])
		}
	}
}

func TestErrorHeadersNeverCarryWhatHeadersCannot(t *testing.T) {
	t.Parallel()
	for message, shown := range map[string]bool{"plain text": true, "": false, "two\nlines": false, "é": false, strings.Repeat("a", maxErrorHeader+1): false} {
		h := http.Header{}
		SetErrorHeaders(h, "NotAuthorizedException", message)
		if h.Get("X-Amzn-ErrorType") != "NotAuthorizedException:" {
			t.Errorf("error type %q", h.Get("X-Amzn-ErrorType"))
		}
		if got := h.Get("X-Amzn-ErrorMessage"); (got != "") != shown || shown && got != message {
			t.Errorf("%.20q gives the header %.20q", message, got)
		}
	}
}
