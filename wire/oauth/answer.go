package oauth

import (
	"encoding/json"
	"strconv"
	"time"
)

// Token is what a success body says of an issued access token.
type Token struct {
	AccessToken string
	ExpiresIn   time.Duration // from now
	NotBefore   time.Time     // v1 bodies only
	ExpiresOn   time.Time     // v1 bodies only
	Resource    string        // v1 bodies only, as the client named it
}

type tokenV2 struct {
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	ExtExpiresIn int64  `json:"ext_expires_in"`
	AccessToken  string `json:"access_token"`
}

type tokenV1 struct {
	TokenType    string `json:"token_type"`
	ExpiresIn    string `json:"expires_in"`
	ExtExpiresIn string `json:"ext_expires_in"`
	ExpiresOn    string `json:"expires_on"`
	NotBefore    string `json:"not_before"`
	Resource     string `json:"resource"`
	AccessToken  string `json:"access_token"`
}

// V2 is the body of /oauth2/v2.0/token for an app-only token: numbers, and neither scope nor refresh
// token, whatever scopes the client listed (recorded in Azure/kubelogin's fixtures).
func (t Token) V2() ([]byte, error) {
	seconds := int64(t.ExpiresIn / time.Second)
	return json.Marshal(tokenV2{"Bearer", seconds, seconds, t.AccessToken})
}

// V1 is the body of /oauth2/token for an app-only token: every number is a string.
func (t Token) V1() ([]byte, error) {
	seconds := strconv.FormatInt(int64(t.ExpiresIn/time.Second), 10)
	return json.Marshal(tokenV1{"Bearer", seconds, seconds,
		strconv.FormatInt(t.ExpiresOn.Unix(), 10), strconv.FormatInt(t.NotBefore.Unix(), 10), t.Resource, t.AccessToken})
}
