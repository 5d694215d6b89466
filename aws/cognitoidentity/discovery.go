package cognitoidentity

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/jose"
)

// Discovery serves the issuer's documents, below the path of Issuer: what the tokens of every region are
// verified with. The second path really ends in jwks_uri.
//
//	GET /.well-known/openid-configuration
//	GET /.well-known/jwks_uri
type Discovery struct {
	Issuer  string         // as in Service
	Keys    token.Keys     // as in Service
	Store   token.KeyStore // tells which regions have keys: asking Keys for a ring would make it
	Regions []string       // regions whose keys are published before they sign their first token
	// Endpoint is the base URL by which the server was asked, without a trailing slash; nil means Issuer.
	Endpoint func(*http.Request) string
}

const (
	configurationPath = "/.well-known/openid-configuration"
	keysPath          = "/.well-known/jwks_uri"
)

// configuration has the members of the cloud's own document that say something: there is nothing to
// authorise at, since tokens come from the API.
type configuration struct {
	Issuer        string   `json:"issuer"`
	JWKSURI       string   `json:"jwks_uri"`
	ResponseTypes []string `json:"response_types_supported"`
	SubjectTypes  []string `json:"subject_types_supported"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
}

func (d Discovery) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	base := ""
	if u, err := url.Parse(d.Issuer); err == nil {
		base = strings.TrimSuffix(u.Path, "/")
	}
	path := strings.TrimPrefix(r.URL.Path, base) // a router may have taken it away already
	switch {
	case path != configurationPath && path != keysPath:
		http.NotFound(w, r)
		return
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	body, err := d.document(path, r)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		body = []byte(`{"message":"Internal server error"}`)
	}
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // the client may have gone
	}
}

func (d Discovery) document(path string, r *http.Request) ([]byte, error) {
	if path == configurationPath {
		return json.Marshal(d.configuration(r))
	}
	keys, err := d.keys(r.Context())
	if err != nil {
		return nil, err
	}
	return json.Marshal(keys)
}

func (d Discovery) configuration(r *http.Request) configuration {
	at := d.Issuer
	if d.Endpoint != nil {
		at = d.Endpoint(r)
	}
	return configuration{
		Issuer:        d.Issuer,
		JWKSURI:       at + keysPath,
		ResponseTypes: []string{"token"},
		SubjectTypes:  []string{"public"},
		Algorithms:    []string{Algorithm},
	}
}

// keys publishes the rings of all regions, in the order of regions and current keys first. The cloud
// itself writes n in padded standard base64 with a leading zero byte, which breaks strict readers
// (lestrrat-go/jwx issue 136); this is the base64url of RFC 7518 section 6.3.1.
func (d Discovery) keys(ctx context.Context) (jose.JWKS, error) {
	set := jose.JWKS{Keys: []jose.JWK{}}
	for _, region := range regions() {
		if !slices.Contains(d.Regions, region) {
			stored, err := d.Store.Keys(ctx, Ring(region))
			if err != nil {
				return set, err
			}
			if len(stored) == 0 {
				continue
			}
		}
		published, err := d.Keys.Published(ctx, Ring(region))
		if err != nil {
			return set, err
		}
		for _, k := range published {
			jwk, err := k.JWK()
			if err != nil {
				return set, err
			}
			jwk.Alg = Algorithm
			set.Keys = append(set.Keys, jwk)
		}
	}
	return set, nil
}

// regions are those that have identity pools (AWS General Reference, "Amazon Cognito Identity endpoints
// and quotas", and the SDK's endpoint list of service/cognitoidentity v1.34.0).
func regions() []string {
	return []string{
		"af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3",
		"ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4",
		"ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ca-central-1", "ca-west-1", "cn-north-1",
		"eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2",
		"eu-west-3", "il-central-1", "me-central-1", "me-south-1", "mx-central-1", "sa-east-1", "us-east-1",
		"us-east-2", "us-gov-east-1", "us-gov-west-1", "us-west-1", "us-west-2",
	}
}
