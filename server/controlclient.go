package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/treatyfed/treaty/server/inprocess"
)

// Control calls the control interface in this process: path is what follows /_treaty/, in and out are JSON
// and may be nil. For tests and demonstrations, whose servers may not listen.
func (s *Server) Control(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, "https://localhost"+controlPrefix+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+s.control)
	r.Header.Set("Content-Type", "application/json")
	res, err := (&inprocess.Transport{Handler: func(*url.URL) http.Handler { return s }}).RoundTrip(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %s %s", method, path, res.Status, bytes.TrimSpace(answer))
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}
