package telemetry

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("metrics answer %d", w.Code)
	}
	return w.Body.String()
}

func TestRequestsAreCountedByWhatTheyWere(t *testing.T) {
	t.Parallel()
	m := NewMetrics("v1", "twin")
	end := m.Begin()
	m.Observe("entra", "token client_credentials", "AADSTS700213", 401, 3*time.Millisecond)
	m.Observe("cognito-identity", "Made.Up", "UnknownOperationException", 400, time.Millisecond)
	got := scrape(t, m)
	for _, want := range []string{
		`treaty_requests_total{code="AADSTS700213",operation="token client_credentials",status="401",surface="entra"} 1`,
		`treaty_requests_total{code="UnknownOperationException",operation="other",status="400",surface="cognito-identity"} 1`,
		`treaty_request_duration_seconds_count{operation="token client_credentials",surface="entra"} 1`,
		`treaty_requests_in_flight 1`, `treaty_info{mode="twin",version="v1"} 1`, `go_goroutines`, `process_open_fds`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s", want)
		}
	}
	end()
	if !strings.Contains(scrape(t, m), "treaty_requests_in_flight 0") {
		t.Error("an ended request is still in flight")
	}
}

func TestTheNumberOfSeriesIsBounded(t *testing.T) {
	t.Parallel()
	m := NewMetrics("v1", "twin")
	for i := range 3 * maxOperations {
		m.Observe("arm", fmt.Sprint("op", i), "", 200, time.Millisecond)
	}
	if n := strings.Count(scrape(t, m), "\ntreaty_requests_total{"); n > maxOperations+1 {
		t.Errorf("%d series", n)
	}
}

func TestWithoutAnEndpointThereAreNoTraces(t *testing.T) {
	t.Parallel()
	tr, err := NewTraces(t.Context(), "", "v1", func(string) string { return "" })
	if tr != nil || err != nil {
		t.Fatalf("%v, %v", tr, err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	ctx, span := tr.Begin(r, "/")
	span.End("s", "o", "", "id", 200)
	if ctx != r.Context() || span.ID() != "" || tr.Close(ctx) != nil {
		t.Error("a nil Traces does something")
	}
}

func TestSpansAreExportedAsChildrenOfTheCaller(t *testing.T) {
	t.Parallel()
	var posts atomic.Int32
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/traces" {
			posts.Add(1)
		}
	}))
	defer collector.Close()
	tr, err := NewTraces(t.Context(), collector.URL, "v1", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01") // the example of W3C Trace Context section 3.2
	_, span := tr.Begin(r, "/")
	if span.ID() != "4bf92f3577b34da6a3ce929d0e0e4736" {
		t.Errorf("the trace is %s", span.ID())
	}
	span.End("entra", "token", "AADSTS50027", "id", 400)
	if err := tr.Close(t.Context()); err != nil || posts.Load() == 0 {
		t.Errorf("%d posts, %v", posts.Load(), err)
	}
}
