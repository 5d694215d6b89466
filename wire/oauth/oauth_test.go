package oauth_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/treatyfed/treaty/wire/oauth"
)

func post(body, contentType string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/t/oauth2/v2.0/token", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	return r
}

func TestParseForm(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	for _, tt := range []struct {
		name, body, contentType string
		want                    oauth.Form
		err                     error
	}{
		{"reads parameters and plus as space", "scope=a%2F.default+openid&x=1", form, oauth.Form{"scope": "a/.default openid", "x": "1"}, nil},
		{"accepts a charset", "a=1", form + "; charset=utf-8", oauth.Form{"a": "1"}, nil},
		{"treats empty values as absent", "a=&b=1&", form, oauth.Form{"b": "1"}, nil},
		{"is empty for JSON", `{"a":1}`, "application/json", oauth.Form{}, nil},
		{"is empty without a content type", "a=1", "", oauth.Form{}, nil},
		{"allows the same value twice", "a=1&a=1", form, oauth.Form{"a": "1"}, nil},
		{"refuses two values of one parameter", "a=1&a=2", form, nil, oauth.ErrMalformed},
		{"refuses a broken escape", "a=%zz", form, nil, oauth.ErrMalformed},
		{"refuses too many parameters", strings.Repeat("a&", oauth.MaxParameters), form, nil, oauth.ErrTooLarge},
		{"refuses a long value", "a=" + strings.Repeat("x", oauth.MaxValue+1), form, nil, oauth.ErrTooLarge},
		{"refuses a long body", "a=" + strings.Repeat("x", oauth.MaxBody), form, nil, oauth.ErrTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := oauth.ParseForm(post(tt.body, tt.contentType))
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestBasic(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, header, id, secret string
		present                  bool
		err                      error
	}{
		{"absent", "", "", "", false, nil},
		{"another scheme", "Bearer x", "", "", false, nil},
		{"decodes both parts", "Basic " + base64.StdEncoding.EncodeToString([]byte("a%3Ab:p%7Ew+d")), "a:b", "p~w d", true, nil},
		{"ignores the case of the scheme", "basic " + base64.StdEncoding.EncodeToString([]byte("a:b")), "a", "b", true, nil},
		{"not base64", "Basic ***", "", "", true, oauth.ErrMalformed},
		{"no colon", "Basic " + base64.StdEncoding.EncodeToString([]byte("ab")), "", "", true, oauth.ErrMalformed},
		{"too long", "Basic " + strings.Repeat("A", oauth.MaxBasic+4), "", "", true, oauth.ErrTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := post("", "")
			if tt.header != "" {
				r.Header.Set("Authorization", tt.header)
			}
			id, secret, present, err := oauth.Basic(r)
			if id != tt.id || secret != tt.secret || present != tt.present || !errors.Is(err, tt.err) {
				t.Errorf("got %q %q %v %v", id, secret, present, err)
			}
		})
	}
}

func TestBodies(t *testing.T) {
	t.Parallel()
	token := oauth.Token{AccessToken: "x.y.z", ExpiresIn: 3599 * time.Second, NotBefore: time.Unix(1637191212, 0), ExpiresOn: time.Unix(1637195112, 0), Resource: "https://graph.microsoft.com/"}
	v2, err := token.V2()
	if want := `{"token_type":"Bearer","expires_in":3599,"ext_expires_in":3599,"access_token":"x.y.z"}`; err != nil || string(v2) != want {
		t.Errorf("v2: %s, %v", v2, err)
	}
	v1, err := token.V1()
	if want := `{"token_type":"Bearer","expires_in":"3599","ext_expires_in":"3599","expires_on":"1637195112","not_before":"1637191212","resource":"https://graph.microsoft.com/","access_token":"x.y.z"}`; err != nil || string(v1) != want {
		t.Errorf("v1: %s, %v", v1, err)
	}
}

func FuzzParseForm(f *testing.F) {
	f.Add("grant_type=client_credentials&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default")
	f.Add("a=%&b")
	f.Fuzz(func(t *testing.T, body string) {
		form, err := oauth.ParseForm(post(body, "application/x-www-form-urlencoded"))
		if err == nil && len(form) > oauth.MaxParameters {
			t.Errorf("%d parameters", len(form))
		}
		for name, value := range form {
			if name == "" || value == "" || len(value) > oauth.MaxValue {
				t.Errorf("%q=%q", name, value)
			}
		}
	})
}

func TestParseRepeated(t *testing.T) {
	t.Parallel()
	form, repeated, err := oauth.ParseRepeated(post("a=1&audience=x&audience=y&audience=x&resource=&a=1", "application/x-www-form-urlencoded"), "audience", "resource")
	if d := cmp.Diff(oauth.Form{"a": "1"}, form); d != "" || err != nil {
		t.Errorf("%v %s", err, d)
	}
	if d := cmp.Diff(map[string][]string{"audience": {"x", "y"}, "resource": nil}, repeated); d != "" {
		t.Error(d)
	}
	if _, _, err := oauth.ParseRepeated(post("a=1&a=2", "application/x-www-form-urlencoded"), "audience"); !errors.Is(err, oauth.ErrMalformed) {
		t.Error(err)
	}
}
