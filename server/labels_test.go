package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Labels that clients could make up would fill the table of operations, after which real ones are "other".
func TestNoClientMakesUpAMetricsLabel(t *testing.T) {
	t.Parallel()
	s := memory(t)
	try := func(method, host, path string, header ...string) {
		r := httptest.NewRequest(method, path, strings.NewReader("x"))
		r.Host = host
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		s.ServeHTTP(httptest.NewRecorder(), r)
	}
	for i := range 3 {
		own := fmt.Sprintf("made-up-%d", i)
		for _, path := range []string{"/_treaty//" + own, "/_treaty/./" + own, "/_treaty/" + own, "/_treaty/events/" + own, "/_treaty/explain/" + own, "/" + own, "/healthz/" + own} {
			try(http.MethodGet, "localhost:8443", path)
			try(http.MethodPost, "localhost:8443", path)
		}
		arm := "management.azure.com"
		try(http.MethodGet, arm, "/subscriptions/"+SubscriptionID+"/providers/"+own+".X/things?api-version=2021-01-01")
		try(http.MethodPost, arm, "/subscriptions/"+SubscriptionID+"/providers/"+own+".X/register?api-version=2021-01-01")
		try("METHOD"+own, arm, "/subscriptions?api-version=2021-01-01")
		try(http.MethodGet, "graph.microsoft.com", "/v1.0/"+own)
		try(http.MethodPost, "sts.amazonaws.com", "/?Action="+own+"&Version=2011-06-15")
		try(http.MethodPost, "cognito-identity.us-east-1.amazonaws.com", "/", "X-Amz-Target", "AWSCognitoIdentityService."+own)
		try(http.MethodPost, "login.microsoftonline.com", "/"+own+"/oauth2/v2.0/token")
		try(http.MethodGet, "login.microsoftonline.com", "/common/"+own)
	}
	w := httptest.NewRecorder()
	s.metrics.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "treaty_requests_total") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	for line := range strings.Lines(w.Body.String()) {
		if strings.Contains(line, "made-up") {
			t.Error(line)
		}
	}
}
