package idp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/wire/rest"
)

// tokenRequest is authentication.k8s.io/v1 TokenRequest.
type tokenRequest struct {
	Kind       string             `json:"kind"`
	APIVersion string             `json:"apiVersion"`
	Metadata   tokenMetadata      `json:"metadata"`
	Spec       tokenSpec          `json:"spec"`
	Status     tokenRequestStatus `json:"status"`
}

type tokenMetadata struct {
	Name      string `json:"name,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Created   string `json:"creationTimestamp,omitempty"`
}

type tokenSpec struct {
	Audiences  []string `json:"audiences"`
	Expiration *int64   `json:"expirationSeconds"`
	Bound      *boundTo `json:"boundObjectRef"`
}

type boundTo struct {
	Kind       string `json:"kind,omitempty"`
	APIVersion string `json:"apiVersion,omitempty"`
	Name       string `json:"name,omitempty"`
	UID        string `json:"uid,omitempty"`
}

type tokenRequestStatus struct {
	Token   string `json:"token"`
	Expires string `json:"expirationTimestamp"`
}

// Bounds of expirationSeconds (ValidateTokenRequest in Kubernetes). longest is what
// --service-account-max-token-expiration would be.
const (
	defaultExpiration = 3600
	shortestRequest   = 600
	longestRequest    = 1 << 32
)

// requestToken answers POST serviceaccounts/NAME/token. As a cluster does, it authenticates, authorises,
// reads the body and only then looks whether there is such an account.
func (s *Service) requestToken(w http.ResponseWriter, r *http.Request, i directory.Issuer, namespace, name string) {
	var status kubernetesStatus
	var in tokenRequest
	deny := func(k kubernetesStatus) error {
		status = k
		return &Refusal{Code: k.Reason, Description: k.Message, Status: k.Code}
	}
	minted, refused := s.issue(w, r, i, "token kubernetes", func(_ context.Context, c *call) (Mint, error) {
		if err := s.authenticateBearer(r, c); err != nil && r.Header.Get("Authorization") != "" {
			return Mint{}, deny(kubernetesStatus{Code: http.StatusUnauthorized, Reason: "Unauthorized", Message: "Unauthorized"})
		}
		may := mayRequest(c.client, namespace, name)
		c.evidence.Client = append(c.evidence.Client, evidence.Check{Name: "authorization", Operator: "may create serviceaccounts/token",
			Want: []string{evidence.Clip(namespace + "/" + name)}, Got: []string{evidence.Clip(userOf(c.client))}, OK: may})
		if !may {
			return Mint{}, deny(kubernetesForbidden(userOf(c.client), namespace, name))
		}
		k, err := readTokenRequest(r, &in, name)
		if err != nil {
			return Mint{}, deny(k)
		}
		account, exists := accountNamed(i, namespace, name)
		if !exists {
			return Mint{}, deny(kubernetesStatus{Code: http.StatusNotFound, Reason: "NotFound",
				Message: fmt.Sprintf("serviceaccounts %q not found", name), Details: &kubernetesDetails{Name: name, Kind: "serviceaccounts"}})
		}
		c.client = account
		return in.mint(i, account, namespace), nil
	})
	if refused != nil {
		if status.Code == 0 {
			status = kubernetesFailure(refused)
		}
		s.writeStatus(w, status)
		return
	}
	granted := int64(minted.Lifetime() / time.Second)
	if asked := *in.Spec.Expiration; asked > granted {
		w.Header().Set("Warning", fmt.Sprintf(`299 - "requested expiration of %d seconds shortened to %d seconds"`, asked, granted))
	}
	in.Spec.Expiration, in.Spec.Audiences = &granted, minted.Claims.Texts("aud")
	s.writeKubernetes(w, http.StatusCreated, tokenRequest{
		Kind: "TokenRequest", APIVersion: "authentication.k8s.io/v1",
		Metadata: tokenMetadata{name, namespace, minted.IssuedAt.Format(time.RFC3339)},
		Spec:     in.Spec,
		Status:   tokenRequestStatus{minted.Token, minted.ExpiresAt.Format(time.RFC3339)},
	})
}

// mint is what the token is made from. Nothing runs in this cluster, so an object that a token is bound to
// is taken to exist, with a uid of its name unless the request has one.
func (in *tokenRequest) mint(i directory.Issuer, account directory.IssuerClient, namespace string) Mint {
	m := Mint{Client: account.ID, Audience: in.Spec.Audiences, grant: "kubernetes",
		Lifetime: time.Duration(min(*in.Spec.Expiration, int64(longest/time.Second))) * time.Second}
	if b := in.Spec.Bound; b != nil {
		if b.UID == "" {
			b.UID = derivedGUID(i.Name, b.Kind, namespace, b.Name)
		}
		kind := map[string]string{"Pod": "pod", "Secret": "secret", "Node": "node"}[b.Kind]
		m.Parameters = map[string]any{kind: map[string]any{"name": b.Name, "uid": b.UID}}
	}
	return m
}

var errRefused = errors.New("refused")

// readTokenRequest reads and checks the body.
func readTokenRequest(r *http.Request, in *tokenRequest, name string) (kubernetesStatus, error) {
	media := "application/json"
	if ct := r.Header.Get("Content-Type"); ct != "" {
		var err error
		if media, _, err = mime.ParseMediaType(ct); err != nil || media != "application/json" && media != kubernetesProtobuf {
			return kubernetesStatus{Code: http.StatusUnsupportedMediaType, Reason: "UnsupportedMediaType",
				Message: "the body of the request was in an unknown format - accepted media types include: application/json, " + kubernetesProtobuf}, errRefused
		}
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, rest.MaxBody+1))
	if err != nil {
		return kubernetesBad("the body could not be read"), errRefused
	}
	if len(body) > rest.MaxBody {
		return kubernetesStatus{Code: http.StatusRequestEntityTooLarge, Reason: "RequestEntityTooLarge", Message: "Request entity too large: limit is 1048576"}, errRefused
	}
	switch {
	case media == kubernetesProtobuf:
		err = in.readProtobuf(body)
	case len(bytes.TrimSpace(body)) > 0:
		err = rest.Decode(body, in)
	}
	if err != nil {
		return kubernetesBad("TokenRequest in version \"v1\" cannot be handled as a TokenRequest: " + err.Error()), errRefused
	}
	return in.check(name)
}

// check fills in and checks what a request asks for.
func (in *tokenRequest) check(name string) (kubernetesStatus, error) {
	if in.Kind != "" && in.Kind != "TokenRequest" || in.APIVersion != "" && in.APIVersion != "authentication.k8s.io/v1" {
		return kubernetesBad(fmt.Sprintf("the request is a %.64q of %.64q, not a TokenRequest of authentication.k8s.io/v1", in.Kind, in.APIVersion)), errRefused
	}
	if in.Metadata.Name != "" && in.Metadata.Name != name {
		return kubernetesBad(fmt.Sprintf("the name of the object (%.64s) does not match the name on the URL (%.64s)", in.Metadata.Name, name)), errRefused
	}
	if in.Spec.Expiration == nil {
		in.Spec.Expiration = new(int64(defaultExpiration))
	}
	switch v := *in.Spec.Expiration; {
	case v < shortestRequest:
		return kubernetesInvalid("spec.expirationSeconds", v, "may not specify a duration less than 10 minutes"), errRefused
	case v > longestRequest:
		return kubernetesInvalid("spec.expirationSeconds", v, "may not specify a duration larger than 2^32 seconds"), errRefused
	}
	if len(in.Spec.Audiences) > maxTargets {
		return kubernetesBad("spec.audiences has too many values"), errRefused
	}
	for _, a := range in.Spec.Audiences {
		if refuseText(a, maxTarget) != "" {
			return kubernetesBad("spec.audiences has a value that is empty, too long or not printable"), errRefused
		}
	}
	return in.Spec.Bound.check()
}

// check refuses what no token can be bound to.
func (b *boundTo) check() (kubernetesStatus, error) {
	switch {
	case b == nil:
		return kubernetesStatus{}, nil
	case b.APIVersion != "v1" || b.Kind != "Pod" && b.Kind != "Secret" && b.Kind != "Node":
		group := b.APIVersion
		if group == "v1" {
			group = "/v1"
		}
		return kubernetesBad(fmt.Sprintf("cannot bind token to object of type %.64s, Kind=%.64s", group, b.Kind)), errRefused
	case refuseText(b.Name, maxClientID) != "" || b.UID != "" && refuseText(b.UID, maxClientID) != "":
		return kubernetesBad("spec.boundObjectRef has a name or uid that cannot be"), errRefused
	}
	return kubernetesStatus{}, nil
}
