package sts

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/jose"
)

// Discovery serves the documents by which others verify the tokens of accounts, whether the account issues
// any at the moment or not. An account is named by the GUID in its issuer: as the first label of the
// cloud's host name, and below any other name as the first part of the path.
//
//	GET https://GUID.tokens.sts.global.api.aws/.well-known/openid-configuration
//	GET https://GUID.tokens.sts.global.api.aws/.well-known/jwks.json
type Discovery struct {
	Accounts directory.Accounts
	Tokens   token.Keys               // as in Service
	Issuer   func(guid string) string // Service.TokenIssuerURL
	// Endpoint is the base URL by which an account's documents were asked for, without a trailing slash;
	// nil means the issuer.
	Endpoint func(r *http.Request, guid string) string
}

// TokenHost is what follows the GUID in the names of the cloud's own issuers.
const TokenHost = ".tokens.sts.global.api.aws"

// DefaultTokenIssuer is an account's issuer at the cloud's own name.
func DefaultTokenIssuer(guid string) string { return "https://" + guid + TokenHost }

const (
	configurationPath = "/.well-known/openid-configuration"
	keysPath          = "/.well-known/jwks.json"
)

var guidForm = regexp.MustCompile(`^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$`)

// configuration is the cloud's own document, member for member.
type configuration struct {
	Issuer        string   `json:"issuer"`
	JWKSURI       string   `json:"jwks_uri"`
	ResponseTypes []string `json:"response_types_supported"`
	SubjectTypes  []string `json:"subject_types_supported"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	Claims        []string `json:"claims_supported"`
}

func (d Discovery) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	guid, path := locate(r)
	if path != configurationPath && path != keysPath || !guidForm.MatchString(guid) {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	body, err := d.document(r, guid, path)
	switch {
	case errors.Is(err, fault.NotFound):
		http.NotFound(w, r)
		return
	case err != nil:
		http.Error(w, `{"message":"Internal server error"}`, http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // the client may have gone
	}
}

// locate reads the GUID out of the host name or, for other hosts, the path.
func locate(r *http.Request) (guid, path string) {
	host, _, _ := strings.Cut(strings.ToLower(r.Host), ":")
	if guid, ok := strings.CutSuffix(host, TokenHost); ok {
		return guid, r.URL.Path
	}
	guid, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return strings.ToLower(guid), "/" + rest
}

func (d Discovery) document(r *http.Request, guid, path string) ([]byte, error) {
	account, err := d.Accounts.AccountByTokenIssuer(r.Context(), guid)
	if err != nil {
		return nil, err
	}
	if path == keysPath {
		keys, err := d.keys(r.Context(), account.ID)
		if err != nil {
			return nil, err
		}
		return json.Marshal(keys)
	}
	issuer := d.Issuer(guid)
	at := issuer
	if d.Endpoint != nil {
		at = d.Endpoint(r, guid)
	}
	return json.Marshal(configuration{
		Issuer: issuer, JWKSURI: at + keysPath, ResponseTypes: []string{"id_token"}, SubjectTypes: []string{"public"},
		Algorithms: tokenAlgorithms, Claims: []string{"sub", "iss", "aud", "exp", "iat", "jti", tokenClaim},
	})
}

// keys publishes an account's rings, the RSA keys first and each ring's current key before its others.
func (d Discovery) keys(ctx context.Context, account string) (jose.JWKS, error) {
	set := jose.JWKS{Keys: []jose.JWK{}}
	for _, algorithm := range tokenAlgorithms {
		published, err := d.Tokens.Published(ctx, ring(account, algorithm))
		if err != nil {
			return set, err
		}
		for _, k := range published {
			jwk, err := k.JWK()
			if err != nil {
				return set, err
			}
			jwk.Alg = algorithm
			set.Keys = append(set.Keys, jwk)
		}
	}
	return set, nil
}
