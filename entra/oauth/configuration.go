package oauth

import (
	"context"
	"net/http"
)

// The documents list their members in the order in which the authority writes them (recorded July 2026;
// for v1 February 2024). code_challenge_methods_supported, grant_types_supported and
// request_parameter_supported are absent there and here.

type configurationV2 struct {
	TokenEndpoint       string   `json:"token_endpoint"`
	TokenAuthMethods    []string `json:"token_endpoint_auth_methods_supported"`
	JWKS                string   `json:"jwks_uri"`
	ResponseModes       []string `json:"response_modes_supported"`
	SubjectTypes        []string `json:"subject_types_supported"`
	IDTokenAlgorithms   []string `json:"id_token_signing_alg_values_supported"`
	ResponseTypes       []string `json:"response_types_supported"`
	Scopes              []string `json:"scopes_supported"`
	Issuer              string   `json:"issuer"`
	RequestURI          bool     `json:"request_uri_parameter_supported"`
	UserInfo            string   `json:"userinfo_endpoint"`
	Authorization       string   `json:"authorization_endpoint"`
	DeviceAuthorization string   `json:"device_authorization_endpoint"`
	HTTPLogout          bool     `json:"http_logout_supported"`
	FrontChannelLogout  bool     `json:"frontchannel_logout_supported"`
	EndSession          string   `json:"end_session_endpoint"`
	Claims              []string `json:"claims_supported"`
	cloudMembers
}

type configurationV1 struct {
	TokenEndpoint       string   `json:"token_endpoint"`
	TokenAuthMethods    []string `json:"token_endpoint_auth_methods_supported"`
	JWKS                string   `json:"jwks_uri"`
	ResponseModes       []string `json:"response_modes_supported"`
	SubjectTypes        []string `json:"subject_types_supported"`
	IDTokenAlgorithms   []string `json:"id_token_signing_alg_values_supported"`
	ResponseTypes       []string `json:"response_types_supported"`
	Scopes              []string `json:"scopes_supported"`
	Issuer              string   `json:"issuer"`
	MultiRefresh        bool     `json:"microsoft_multi_refresh_token"`
	Authorization       string   `json:"authorization_endpoint"`
	DeviceAuthorization string   `json:"device_authorization_endpoint"`
	HTTPLogout          bool     `json:"http_logout_supported"`
	FrontChannelLogout  bool     `json:"frontchannel_logout_supported"`
	EndSession          string   `json:"end_session_endpoint"`
	Claims              []string `json:"claims_supported"`
	CheckSession        string   `json:"check_session_iframe"`
	UserInfo            string   `json:"userinfo_endpoint"`
	cloudMembers
}

type cloudMembers struct {
	Kerberos      string  `json:"kerberos_endpoint"`
	Region        *string `json:"tenant_region_scope"`
	CloudInstance string  `json:"cloud_instance_name"`
	CloudGraph    string  `json:"cloud_graph_host_name"`
	GraphHost     string  `json:"msgraph_host"`
	RBAC          string  `json:"rbac_url"`
}

func (s *Service) cloud(root string, region *string) cloudMembers {
	return cloudMembers{
		Kerberos:      root + "/kerberos",
		Region:        region,
		CloudInstance: "microsoftonline.com",
		CloudGraph:    "graph.windows.net",
		GraphHost:     hostOf(s.GraphURL),
		RBAC:          "https://pas.windows.net",
	}
}

// byApplication adds ?appid= to jwks_uri as the authority does when the document was asked with it.
func byApplication(uri string, r *http.Request) string {
	if app := r.URL.Query().Get("appid"); isGUID(app) {
		return uri + "?appid=" + app
	}
	return uri
}

func (s *Service) configurationV2(ctx context.Context, r *http.Request, c *call) ([]byte, error) {
	a, err := s.resolve(ctx, c.segment)
	if err != nil {
		return nil, err
	}
	root := c.base + "/" + a.segment
	return encode(configurationV2{
		TokenEndpoint:       root + "/oauth2/v2.0/token",
		TokenAuthMethods:    []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		JWKS:                byApplication(root+"/discovery/v2.0/keys", r),
		ResponseModes:       []string{"query", "fragment", "form_post"},
		SubjectTypes:        []string{"pairwise"},
		IDTokenAlgorithms:   []string{"RS256"},
		ResponseTypes:       []string{"code", "id_token", "code id_token", "id_token token"},
		Scopes:              []string{"openid", "profile", "email", "offline_access"},
		Issuer:              s.V2Issuer(a.issuer),
		UserInfo:            s.GraphURL + "/oidc/userinfo",
		Authorization:       root + "/oauth2/v2.0/authorize",
		DeviceAuthorization: root + "/oauth2/v2.0/devicecode",
		HTTPLogout:          true,
		FrontChannelLogout:  true,
		EndSession:          root + "/oauth2/v2.0/logout",
		Claims: []string{"sub", "iss", "cloud_instance_name", "cloud_instance_host_name", "cloud_graph_host_name", "msgraph_host", "aud",
			"exp", "iat", "auth_time", "acr", "nonce", "preferred_username", "name", "tid", "ver", "at_hash", "c_hash", "email"},
		cloudMembers: s.cloud(root, a.region),
	})
}

func (s *Service) configurationV1(ctx context.Context, r *http.Request, c *call) ([]byte, error) {
	a, err := s.resolve(ctx, c.segment)
	if err != nil {
		return nil, err
	}
	root := c.base + "/" + a.segment
	keys := c.base + "/common/discovery/keys" // as recorded: tenants share their keys
	if a.ring != Ring {
		keys = root + "/discovery/keys"
	}
	return encode(configurationV1{
		TokenEndpoint:       root + "/oauth2/token",
		TokenAuthMethods:    []string{"client_secret_post", "private_key_jwt", "client_secret_basic"},
		JWKS:                byApplication(keys, r),
		ResponseModes:       []string{"query", "fragment", "form_post"},
		SubjectTypes:        []string{"pairwise"},
		IDTokenAlgorithms:   []string{"RS256"},
		ResponseTypes:       []string{"code", "id_token", "code id_token", "token id_token", "token"},
		Scopes:              []string{"openid"},
		Issuer:              s.V1Issuer(a.issuer),
		MultiRefresh:        true,
		Authorization:       root + "/oauth2/authorize",
		DeviceAuthorization: root + "/oauth2/devicecode",
		HTTPLogout:          true,
		FrontChannelLogout:  true,
		EndSession:          root + "/oauth2/logout",
		Claims: []string{"sub", "iss", "cloud_instance_name", "cloud_instance_host_name", "cloud_graph_host_name", "msgraph_host", "aud",
			"exp", "iat", "auth_time", "acr", "amr", "nonce", "email", "given_name", "family_name", "nickname"},
		CheckSession: root + "/oauth2/checksession",
		UserInfo:     root + "/openid/userinfo",
		cloudMembers: s.cloud(root, a.region),
	})
}
