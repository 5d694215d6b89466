package arm

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"testing"
	"fmt"
	"time"
	"net/http"
)

func TestAdhoc(t *testing.T) {
	tw := newTwin(t)
	_ = time.Now
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := httptest.NewRecorder()
		tw.handler.ServeHTTP(rec, r)
		fmt.Println(r.Method, r.URL.RequestURI(), rec.Code)
		for k, v := range rec.Header() { w.Header()[k] = v }
		w.WriteHeader(rec.Code)
		w.Write(rec.Body.Bytes())
	}))
	defer srv.Close()
	c := exec.Command("/usr/bin/python3", os.Getenv("ADHOC"))
	c.Env = append(os.Environ(), "BASE="+srv.URL, "TOKEN="+tw.sign(claims(tenantA, ownerID)), "SUB="+subA, "GUEST="+guestID)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Run(); err != nil { t.Fatal(err) }
}
