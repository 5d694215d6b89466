package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/treatyfed/treaty/idp"
	"github.com/treatyfed/treaty/server/config"
)

// What issuers give out, by the control interface: tokens, and the documents to verify them with. See
// controlissuers.go for the addresses.

// MintOrder asks for a token without client authentication. Subject are claims of a subject token.
type MintOrder struct {
	Client     string         `json:"client,omitempty"` // "" for the rules of the issuer alone
	Audience   []string       `json:"audience,omitempty"`
	Resource   []string       `json:"resource,omitempty"`
	Scope      string         `json:"scope,omitempty"`
	Parameters map[string]any `json:"parameters,omitempty"`
	Subject    map[string]any `json:"subject,omitempty"`
	Lifetime   string         `json:"lifetime,omitempty"` // 10m; default the client's
}

// MintedView is a token that was issued.
type MintedView struct {
	Token     string         `json:"token"`
	Claims    map[string]any `json:"claims"`
	Algorithm string         `json:"algorithm"`
	IssuedAt  time.Time      `json:"issued_at"`
	ExpiresAt time.Time      `json:"expires_at"`
}

// MintToken issues a token of an issuer, for administrators and tests.
func (s *Server) MintToken(ctx context.Context, issuer string, o MintOrder) (MintedView, error) {
	m := idp.Mint{Client: o.Client, Audience: o.Audience, Resource: o.Resource, Scope: o.Scope, Parameters: o.Parameters, Subject: o.Subject}
	if o.Lifetime != "" {
		var err error
		if m.Lifetime, err = time.ParseDuration(o.Lifetime); err != nil || m.Lifetime <= 0 {
			return MintedView{}, config.Problems{{Path: "lifetime", Text: fmt.Sprintf("%q is no duration above zero, such as 10m", o.Lifetime)}}
		}
	}
	got, err := s.idp.Mint(ctx, issuer, m)
	return MintedView{Token: got.Token, Claims: got.Claims, Algorithm: got.Algorithm, IssuedAt: got.IssuedAt, ExpiresAt: got.ExpiresAt}, err
}

func (s *Server) mintToken(w http.ResponseWriter, r *http.Request) {
	var m MintOrder
	if !s.readOrder(w, r, &m) {
		return
	}
	out, err := s.MintToken(r.Context(), r.PathValue("name"), m)
	s.answerControl(w, r, out, err)
}

func (s *Server) issuerDocuments(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	i, err := s.store.Issuers.Issuer(r.Context(), name)
	if err != nil {
		s.answerControl(w, r, nil, err)
		return
	}
	documents, err := s.idp.Documents(r.Context(), name)
	out := DocumentsView{Issuer: i.URL, Documents: map[string]string{}}
	for path, b := range documents {
		out.Documents[path] = string(b)
	}
	s.answerControl(w, r, out, err)
}

// DocumentsView are an issuer's public documents, by path below its URL.
type DocumentsView struct {
	Issuer    string            `json:"issuer"`
	Documents map[string]string `json:"documents"`
}
