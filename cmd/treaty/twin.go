package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/spf13/cobra"
)

const clockHelp = `Show or set the time that the running twin tells: in tokens, in their checks, in every date it answers.
Its certificates follow the machine's own time.`

const clockExamples = `  treaty twin clock
  treaty twin clock freeze 2026-03-01T12:00:00Z
  treaty twin clock advance 90m
  treaty twin clock rewind 1h
  treaty twin clock resume`

func (a *app) twin() *cobra.Command {
	c := &cobra.Command{
		Use: "twin", Short: "Control the running twin: reset it, set its clock",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("treaty twin --help lists the commands", "there is no command %q", "twin "+args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.twinReset(), a.twinClock())
	return c
}

func (a *app) twinReset() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "reset", Short: "Return to the seeded state", Args: noArgs, Example: "  treaty twin reset",
		Long: "Return the running twin to the state that its first start and its seed made. Signing keys, kept\ndecisions and the clock stay.",
		RunE: func(c *cobra.Command, _ []string) error {
			var out struct {
				Took string `json:"took"`
			}
			if err := a.control(c.Context(), http.MethodPost, "reset", nil, &out); err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(out)
			}
			_, err := fmt.Fprintln(a.stdout, "reset in "+out.Took)
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) twinClock() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "clock [freeze TIME|now | advance DURATION | rewind DURATION | resume]", Short: "Show, freeze, advance or resume the clock", Long: clockHelp, Example: clockExamples,
		RunE: func(c *cobra.Command, args []string) error {
			order, err := clockOrder(args)
			if err != nil {
				return err
			}
			method := http.MethodPost
			if order == nil {
				method = http.MethodGet
			}
			var out struct {
				Now    time.Time `json:"now"`
				Frozen bool      `json:"frozen"`
				Offset string    `json:"offset,omitempty"`
			}
			if err := a.control(c.Context(), method, "clock", order, &out); err != nil {
				return err
			}
			if asJSON {
				return a.printJSON(out)
			}
			state := ""
			if out.Frozen {
				state = " frozen"
			} else if out.Offset != "" {
				state = " offset " + out.Offset
			}
			_, err = fmt.Fprintln(a.stdout, out.Now.Format(time.RFC3339)+state)
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// clockOrder makes the request of the arguments; nil asks only.
func clockOrder(args []string) (any, error) {
	const hint = "treaty twin clock --help has examples"
	switch {
	case len(args) == 0:
		return nil, nil
	case args[0] == "resume" && len(args) == 1:
		return map[string]bool{"resume": true}, nil
	case args[0] == "freeze" && len(args) == 2:
		if _, err := time.Parse(time.RFC3339, args[1]); err != nil && args[1] != "now" {
			return nil, usage(hint, "%q is neither an RFC 3339 time nor now", args[1])
		}
		return map[string]string{"freeze": args[1]}, nil
	case (args[0] == "advance" || args[0] == "rewind") && len(args) == 2:
		d, err := time.ParseDuration(args[1])
		if err != nil {
			return nil, usage(hint, "%q is no duration such as 90m", args[1])
		}
		if args[0] == "rewind" {
			d = -d
		}
		return map[string]string{"advance": d.String()}, nil
	}
	return nil, usage(hint, "the clock takes freeze TIME, advance DURATION, rewind DURATION or resume")
}

// control calls the running server's control interface and decodes its answer.
func (a *app) control(ctx context.Context, method, path string, body, into any) error {
	s, err := a.server(ctx)
	if err != nil {
		return err
	}
	if s.Control == nil {
		return errors.New("the server has no control interface")
	}
	pem, err := os.ReadFile(s.CA)
	if err != nil {
		return fmt.Errorf("read the server's authority: %w", err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.Control.URL+path, r)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.Control.Credential)
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return controlError(s.Mode, resp.StatusCode, answer)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	return nil
}

func controlError(mode string, status int, answer []byte) error {
	var e struct {
		Error string `json:"error"`
	}
	if err := json.Unmarshal(answer, &e); err == nil && e.Error != "" {
		return errors.New(e.Error)
	}
	if status == http.StatusNotFound && mode == "hub" {
		return &hinted{errors.New("the server runs in hub mode, which has neither reset nor clock"), "both are the twin's", exitFailure}
	}
	return fmt.Errorf("the server answered %d", status)
}
