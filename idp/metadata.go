package idp

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
)

// The header by which Google's metadata server knows its clients, and they it ("Access VM metadata").
const (
	flavorHeader = "Metadata-Flavor"
	flavor       = "Google"
	metadataRoot = "/computeMetadata/v1/"
)

// Metadata answers as Google's metadata server, in plain http under the name metadata.google.internal or
// what GCE_METADATA_HOST says. It speaks for the issuer with the preset google; its client "default", or
// else its first, is the machine's default service account. Nothing but the network keeps strangers from
// it, as with Google's own.
//
//	GET /                                                               for libraries that look for it
//	GET /computeMetadata/v1/instance/service-accounts/ACCOUNT/identity?audience=A&format=full
//	GET /computeMetadata/v1/…                                           what libraries ask besides
func (s *Service) Metadata() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set(flavorHeader, flavor)
		h.Set("Server", "Metadata Server for VM")
		h.Set("X-Frame-Options", "SAMEORIGIN")
		h.Set("X-XSS-Protection", "0")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			refuseMetadata(w, r, http.StatusMethodNotAllowed, "The request method is inappropriate for the URL.")
		case r.Header.Get("X-Forwarded-For") != "": // a proxy that was tricked into asking
			refuseMetadata(w, r, http.StatusForbidden, "Your client does not have permission to get this URL: X-Forwarded-For is not allowed.")
		case r.URL.Path == "/":
			writeMetadata(w, "application/text", "computeMetadata/\n")
		case r.Header.Get(flavorHeader) != flavor:
			refuseMetadata(w, r, http.StatusForbidden, "Your client does not have permission to get this URL. Missing Metadata-Flavor:Google header.")
		default:
			s.serveMachine(w, r)
		}
	})
}

// serveMachine answers a request that came with the header.
func (s *Service) serveMachine(w http.ResponseWriter, r *http.Request) {
	i, err := s.googleIssuer(r.Context())
	switch {
	case errors.Is(err, fault.NotFound):
		refuseMetadata(w, r, http.StatusNotFound, "No issuer here has the preset google.")
		return
	case err != nil:
		c := s.newCall(r.Context(), asked{})
		c.record.Operation = "metadata"
		refuseMetadata(w, r, http.StatusServiceUnavailable, s.refusal(r.Context(), c, err).Description)
		return
	}
	path, below := strings.CutPrefix(r.URL.Path, metadataRoot)
	if account, identity := identityOf(path); below && identity {
		s.serveIdentity(w, r, i, account)
		return
	}
	tree := machineTree(i)
	node, directory, found := find(tree, path)
	switch {
	case !below || !found:
		refuseMetadata(w, r, http.StatusNotFound, "The requested URL was not found on this server.")
	case directory && !strings.HasSuffix(r.URL.Path, "/"):
		http.Redirect(w, r, r.URL.Path+"/", http.StatusMovedPermanently)
	default:
		writeNode(w, r, node)
	}
}

// googleIssuer is the issuer that the metadata server speaks for: Google's own, or the first by name.
func (s *Service) googleIssuer(ctx context.Context) (directory.Issuer, error) {
	own, err := s.Issuers.IssuerAt(ctx, directory.Place{Host: "accounts.google.com"})
	if err == nil && own.Preset == "google" {
		return own, nil
	}
	if err != nil && !errors.Is(err, fault.NotFound) {
		return directory.Issuer{}, err
	}
	const page = 100
	for after := ""; ; {
		list, err := s.Issuers.Issuers(ctx, after, page)
		if err != nil {
			return directory.Issuer{}, err
		}
		for _, i := range list {
			if i.Preset == "google" {
				return i, nil
			}
		}
		if len(list) < page {
			return directory.Issuer{}, fault.New(fault.NotFound, "issuer with the preset google", "")
		}
		after = list[len(list)-1].Name
	}
}

// identityOf reads the account out of a path that asks for an identity token.
func identityOf(path string) (account string, is bool) {
	rest, is := strings.CutPrefix(path, "instance/service-accounts/")
	if !is {
		return "", false
	}
	account, is = strings.CutSuffix(rest, "/identity")
	return account, is && !strings.Contains(account, "/")
}

// googleClient finds the client by an account's address or "default".
func googleClient(i directory.Issuer, account string) (directory.IssuerClient, bool) {
	if len(i.Clients) == 0 {
		return directory.IssuerClient{}, false
	}
	if account == "default" {
		if c, is := clientOf(i, account); is {
			return c, true
		}
		return i.Clients[0], true
	}
	at := slices.IndexFunc(i.Clients, func(c directory.IssuerClient) bool {
		return textOf(googleAccount(i, c, nil), "email") == account
	})
	if at < 0 {
		return directory.IssuerClient{}, false
	}
	return i.Clients[at], true
}

// serveIdentity gives an identity token.
func (s *Service) serveIdentity(w http.ResponseWriter, r *http.Request, i directory.Issuer, account string) {
	query := r.URL.Query()
	minted, refused := s.issue(w, r, i, "token google", func(_ context.Context, c *call) (Mint, error) {
		client, known := googleClient(i, account)
		c.client, c.record.Caller = client, evidence.Clip(client.ID)
		c.evidence.Method = "metadata"
		c.evidence.Client = evidence.Checks{{Name: checkKnown, Operator: "registered with", Want: []string{i.Name}, Got: []string{evidence.Clip(account)}, OK: known}}
		if !known {
			return Mint{}, &Refusal{Code: notFound, Description: "The requested service account was not found on this server.", Status: http.StatusNotFound}
		}
		audience, err := queryAudience(r)
		if err == nil && audience == "" {
			err = refuse(invalidRequest, "non-empty audience parameter required")
		}
		format := query.Get("format")
		if err == nil && format != "" && format != "standard" && format != "full" {
			err = refuse(invalidRequest, "format must be standard or full")
		}
		return Mint{Client: client.ID, Audience: []string{audience}, grant: "google",
			Parameters: map[string]any{"format": format, "licenses": strings.ToUpper(query.Get("licenses"))}}, err
	})
	if refused != nil {
		refuseMetadata(w, r, refused.Status, refused.Description)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	writeMetadata(w, "text/html", minted.Token) // the type that Google gives to tokens, too
}

// refuseMetadata writes an error as a small page; libraries read the status alone.
func refuseMetadata(w http.ResponseWriter, r *http.Request, status int, why string) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	_, _ = fmt.Fprintf(w, "<!DOCTYPE html>\n<html lang=en>\n<title>Error %d (%s)</title>\n<p><b>%d.</b> %s\n</html>\n", status, http.StatusText(status), status, html.EscapeString(why))
}

func writeMetadata(w http.ResponseWriter, media, body string) {
	w.Header().Set("Content-Type", media)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write([]byte(body)) // the client is gone if this fails
}
