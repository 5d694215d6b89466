package graph

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/wire/rest"
)

// Client secrets: 40 characters, of which the fourth to sixth are fixed, as in the secrets that Entra
// makes (secret scanners look for them), and the first three are shown as the hint.
const (
	secretLength   = 40
	secretMark     = "8Q~"
	hintLength     = 3
	secretAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_."
	maxCredentials = 200
	maxLabel       = 120 // of a credential's displayName
)

// secretYears is the default life of a secret (graph/api/application-addpassword, endDateTime).
const secretYears = 2

// newSecret makes a secret's text from 64 characters, so that each random byte gives one without bias.
func (s *Service) newSecret() credential.Secret {
	b := s.random(secretLength)
	for i := range b {
		b[i] = secretAlphabet[b[i]%byte(len(secretAlphabet))]
	}
	copy(b[hintLength:], secretMark)
	return credential.Secret(b)
}

// passwordInput is a passwordCredential as a client gives it.
type passwordInput struct {
	DisplayName *string    `json:"displayName"`
	Start       *time.Time `json:"startDateTime"`
	End         *time.Time `json:"endDateTime"`
	SecretText  *string    `json:"secretText"`
	KeyID       *string    `json:"keyId"`
}

// newPassword makes a secret; its text is in the answer and nowhere else.
func (s *Service) newPassword(in passwordInput) (directory.ClientSecret, credential.Secret, error) {
	now := s.Now().UTC()
	out := directory.ClientSecret{ID: s.newGUID(), NotBefore: now}
	switch {
	case in.SecretText != nil:
		return out, "", badRequest("Property 'secretText' is read-only and cannot be set.")
	case in.DisplayName != nil && len(*in.DisplayName) > maxLabel:
		return out, "", invalidValue("displayName", "PasswordCredential")
	case in.DisplayName != nil:
		out.DisplayName = *in.DisplayName
	}
	if in.Start != nil {
		out.NotBefore = in.Start.UTC()
	}
	out.NotAfter = out.NotBefore.AddDate(secretYears, 0, 0)
	if in.End != nil {
		out.NotAfter = in.End.UTC()
	}
	if !out.NotAfter.After(out.NotBefore) {
		return out, "", invalidValue("endDateTime", "PasswordCredential")
	}
	secret := s.newSecret()
	out.Hint, out.Hash = secret.Reveal()[:hintLength], s.Secrets.Hash(secret)
	return out, secret, nil
}

// password is a secret as Graph shows it; secretText only in the answer that makes it.
func password(k directory.ClientSecret, secret credential.Secret) map[string]any {
	return map[string]any{
		"customKeyIdentifier": nil, "displayName": text(k.DisplayName), "endDateTime": stamp(k.NotAfter), "hint": text(k.Hint),
		"keyId": k.ID, "secretText": text(secret.Reveal()), "startDateTime": stamp(k.NotBefore),
	}
}

func passwords(secrets []directory.ClientSecret) []any {
	out := make([]any, len(secrets))
	for i, k := range secrets {
		out[i] = password(k, "")
	}
	return out
}

// addPassword is the action of the same name.
func (s *Service) addPassword(kind string) func(context.Context, *call, *keyOptional) (*answer, error) {
	return func(ctx context.Context, c *call, in *keyOptional) (*answer, error) {
		var body passwordInput
		if raw, ok := in.Body["passwordCredential"]; ok && rest.Decode(raw, &body) != nil {
			return nil, invalidValue("passwordCredential", "PasswordCredential")
		}
		made, secret, err := s.newPassword(body)
		if err != nil {
			return nil, err
		}
		_, err = s.change(ctx, c, kind, in.Key, func(o object) error {
			if len(*o.secrets()) >= maxCredentials {
				return badRequest("The number of credentials of resource '" + o.resource() + "' exceeds the limit.")
			}
			*o.secrets() = append(*o.secrets(), made)
			return nil
		})
		if err != nil {
			return nil, err
		}
		out := password(made, secret)
		out["@odata.context"] = s.metadata(c, "microsoft.graph.passwordCredential")
		return &answer{body: out}, nil
	}
}

// removePassword is the action of the same name.
func (s *Service) removePassword(kind string) func(context.Context, *call, *keyBody) (*answer, error) {
	return func(ctx context.Context, c *call, in *keyBody) (*answer, error) {
		id, err := keyID(in.Body)
		if err != nil {
			return nil, err
		}
		_, err = s.change(ctx, c, kind, in.Key, func(o object) error {
			before := len(*o.secrets())
			*o.secrets() = slices.DeleteFunc(*o.secrets(), func(k directory.ClientSecret) bool { return strings.EqualFold(k.ID, id) })
			if len(*o.secrets()) == before {
				return badRequest("No password credential found with keyId '" + id + "'.")
			}
			return nil
		})
		return nil, err
	}
}

// keyID reads the member of that name.
func keyID(p payload) (string, error) {
	var id string
	if _, err := p.set("keyId", &id); err != nil || !isGUID(id) {
		return "", invalidValue("keyId", "Credential")
	}
	return id, nil
}

// initialPasswords makes the secrets that a new application asks for, with their texts by key id
// (graph/api/application-post-applications, "passwordCredentials").
func (s *Service) initialPasswords(p payload) (made []directory.ClientSecret, byKey map[string]credential.Secret, err error) {
	raw, ok := p["passwordCredentials"]
	if !ok {
		return nil, nil, nil
	}
	var in []passwordInput
	if rest.Decode(raw, &in) != nil || len(in) > maxCredentials {
		return nil, nil, invalidValue("passwordCredentials", "Application")
	}
	byKey = map[string]credential.Secret{}
	for _, i := range in {
		k, secret, err := s.newPassword(i)
		if err != nil {
			return nil, nil, err
		}
		made, byKey[k.ID] = append(made, k), secret
	}
	return made, byKey, nil
}

// keepPasswords applies passwordCredentials of an update: secrets may go, but none may come or change,
// since only addPassword makes them.
func keepPasswords(secrets *[]directory.ClientSecret, p payload) error {
	raw, ok := p["passwordCredentials"]
	if !ok {
		return nil
	}
	var in []struct {
		KeyID string          `json:"keyId"`
		Text  json.RawMessage `json:"secretText"`
	}
	if rest.Decode(raw, &in) != nil {
		return invalidValue("passwordCredentials", "Application")
	}
	var kept []directory.ClientSecret
	for _, k := range in {
		i := slices.IndexFunc(*secrets, func(h directory.ClientSecret) bool { return strings.EqualFold(h.ID, k.KeyID) })
		if i < 0 || !isNull(k.Text) {
			return badRequest("New password credentials must be generated with service actions, addPassword.")
		}
		kept = append(kept, (*secrets)[i])
	}
	*secrets = kept
	return nil
}
