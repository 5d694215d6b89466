package graph

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"slices"
	"strings"
	"time"

	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/jose"
	"github.com/treatyfed/treaty/wire/rest"
)

// proofAudience is the audience of a proof of possession and proofLife its longest life
// (learn.microsoft.com graph/application-rollkey-prooftoken).
const (
	proofAudience = "00000002-0000-0000-c000-000000000000"
	proofLife     = 10 * time.Minute
)

// maxCertificate is the longest certificate taken, in bytes of DER.
const maxCertificate = 8 << 10

// keyInput is a keyCredential as a client gives it.
type keyInput struct {
	KeyID       *string    `json:"keyId"`
	DisplayName *string    `json:"displayName"`
	Type        *string    `json:"type"`
	Usage       *string    `json:"usage"`
	Key         *string    `json:"key"`
	Start       *time.Time `json:"startDateTime"`
	End         *time.Time `json:"endDateTime"`
	Identifier  *string    `json:"customKeyIdentifier"` // always the thumbprint here; taken and ignored
}

func badKey(code, message string) *failure {
	return &failure{Status: 400, Code: code, Message: message}
}

// newKeyCredential reads a certificate. Its dates may not exceed the certificate's own.
func (s *Service) newKeyCredential(in keyInput, resource string) (directory.Certificate, error) {
	k := directory.Certificate{ID: s.newGUID(), Type: "AsymmetricX509Cert", Usage: "Verify"}
	if in.Type != nil && *in.Type != k.Type {
		return k, badKey("KeyCredentialsInvalidKeyType", "Key credential type is invalid. Only 'AsymmetricX509Cert' is supported.")
	}
	if in.Usage != nil && *in.Usage != k.Usage {
		return k, badKey("KeyCredentialsInvalidKeyUsage", "Key credential usage is invalid. Only 'Verify' is supported.")
	}
	if in.KeyID != nil {
		if !isGUID(*in.KeyID) {
			return k, invalidValue("keyId", "KeyCredential")
		}
		k.ID = strings.ToLower(*in.KeyID)
	}
	if in.Key == nil || len(*in.Key) > 3*maxCertificate {
		return k, badKey("KeyCredentialsInvalidKeyValue", "Key credential key value is invalid.")
	}
	cert, err := readCertificate(*in.Key)
	if err != nil {
		return k, badKey("KeyCredentialsInvalidKeyValue", "Key credential key value is invalid.")
	}
	k.DER, k.NotBefore, k.NotAfter, k.DisplayName = cert.Raw, cert.NotBefore.UTC(), cert.NotAfter.UTC(), cert.Subject.String()
	if in.DisplayName != nil {
		k.DisplayName = *in.DisplayName
	}
	if in.Start != nil {
		k.NotBefore = in.Start.UTC()
	}
	if in.End != nil {
		k.NotAfter = in.End.UTC()
	}
	switch {
	case len(k.DisplayName) > 256:
		return k, invalidValue("displayName", "KeyCredential")
	case k.NotBefore.Before(cert.NotBefore.Add(-time.Second)) || !k.NotBefore.Before(k.NotAfter):
		return k, badKey("KeyCredentialsInvalidStartDate", "Key credential start date is invalid.")
	case k.NotAfter.After(cert.NotAfter.Add(time.Second)):
		return k, badKey("KeyCredentialsInvalidEndDate", "Key credential end date is invalid.")
	}
	return k, nil
}

// readCertificate reads the base64 of a certificate in DER, or of its PEM text, as Terraform sends it.
func readCertificate(key string) (*x509.Certificate, error) {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(key), ""))
	if err != nil {
		return nil, err
	}
	if block, _ := pem.Decode(der); block != nil && block.Type == "CERTIFICATE" {
		der = block.Bytes
	}
	if len(der) > maxCertificate {
		return nil, x509.ErrUnsupportedAlgorithm
	}
	return x509.ParseCertificate(der)
}

// setKeys replaces the key credentials. An entry without a key keeps the one of its keyId; an entry with
// the key of an existing keyId must be that key.
func (s *Service) setKeys(have *[]directory.Certificate, p payload, resource string) error {
	raw, ok := p["keyCredentials"]
	if !ok {
		return nil
	}
	var in []keyInput
	if rest.Decode(raw, &in) != nil || len(in) > maxCredentials {
		return invalidValue("keyCredentials", resource)
	}
	next := []directory.Certificate{}
	for _, i := range in {
		at := -1
		if i.KeyID != nil {
			at = slices.IndexFunc(*have, func(k directory.Certificate) bool { return strings.EqualFold(k.ID, *i.KeyID) })
		}
		if at >= 0 && i.Key == nil {
			next = append(next, (*have)[at])
			continue
		}
		k, err := s.newKeyCredential(i, resource)
		if err != nil {
			return err
		}
		if at >= 0 && !bytes.Equal((*have)[at].DER, k.DER) {
			return badRequest("Update to existing credential with KeyId '" + k.ID + "' is not allowed.")
		}
		if slices.ContainsFunc(next, func(o directory.Certificate) bool { return o.ID == k.ID }) {
			return &failure{Status: 400, Code: "DuplicateValue", Message: "Request contains a property with duplicate values."}
		}
		next = append(next, k)
	}
	*have = next
	return nil
}

// key is a key credential as Graph shows it; the key itself only when $select names it.
func key(k directory.Certificate, withKey bool) map[string]any {
	sum := sha1.Sum(k.DER)
	m := map[string]any{
		"customKeyIdentifier": strings.ToUpper(hex.EncodeToString(sum[:])), "displayName": text(k.DisplayName),
		"endDateTime": stamp(k.NotAfter), "key": nil, "keyId": k.ID, "startDateTime": stamp(k.NotBefore), "type": k.Type, "usage": k.Usage,
	}
	if withKey {
		m["key"] = base64.StdEncoding.EncodeToString(k.DER)
	}
	return m
}

func keys(certificates []directory.Certificate, withKey bool) []any {
	out := make([]any, len(certificates))
	for i, k := range certificates {
		out[i] = key(k, withKey)
	}
	return out
}

// addKey is the action of the same name: a further certificate, with proof that the caller has one of
// those the object has already.
func (s *Service) addKey(kind string) func(context.Context, *call, *keyBody) (*answer, error) {
	return func(ctx context.Context, c *call, in *keyBody) (*answer, error) {
		var k keyInput
		if present, err := in.Body.set("keyCredential", &k); err != nil || !present {
			return nil, invalidValue("keyCredential", "KeyCredential")
		}
		if raw, ok := in.Body["passwordCredential"]; ok && !isNull(raw) {
			return nil, badKey("KeyCredentialsInvalidKeyType", "Key credential type is invalid. Only 'AsymmetricX509Cert' is supported.")
		}
		made, err := s.newKeyCredential(k, "KeyCredential")
		if err != nil {
			return nil, err
		}
		_, err = s.change(ctx, c, kind, in.Key, func(o object) error {
			if err := s.prove(ctx, o, in.Body); err != nil {
				return err
			}
			if slices.ContainsFunc(*o.certificates(), func(h directory.Certificate) bool { return h.ID == made.ID }) {
				return badRequest("Update to existing credential with KeyId '" + made.ID + "' is not allowed.")
			}
			*o.certificates() = append(*o.certificates(), made)
			return nil
		})
		if err != nil {
			return nil, err
		}
		out := key(made, false)
		out["@odata.context"] = s.metadata(c, "microsoft.graph.keyCredential")
		return &answer{body: out}, nil
	}
}

// removeKey is the action of the same name, with the same proof.
func (s *Service) removeKey(kind string) func(context.Context, *call, *keyBody) (*answer, error) {
	return func(ctx context.Context, c *call, in *keyBody) (*answer, error) {
		id, err := keyID(in.Body)
		if err != nil {
			return nil, err
		}
		_, err = s.change(ctx, c, kind, in.Key, func(o object) error {
			if err := s.prove(ctx, o, in.Body); err != nil {
				return err
			}
			before := len(*o.certificates())
			*o.certificates() = slices.DeleteFunc(*o.certificates(), func(k directory.Certificate) bool { return strings.EqualFold(k.ID, id) })
			if len(*o.certificates()) == before {
				return badRequest("No key credential found with keyId '" + id + "'.")
			}
			return nil
		})
		return nil, err
	}
}

// ownKeys is the key source of an object's certificates that are valid now.
type ownKeys struct {
	certificates []directory.Certificate
	now          time.Time
}

// PublicKeys lists the certificates' keys; the issuer is the object itself.
func (k ownKeys) PublicKeys(context.Context, string, string) ([]token.PublicKey, error) {
	var out []token.PublicKey
	for _, c := range k.certificates {
		cert, err := x509.ParseCertificate(c.DER)
		if err != nil || k.now.Before(c.NotBefore) || k.now.After(c.NotAfter) {
			continue
		}
		sum := sha1.Sum(c.DER)
		for _, id := range []string{base64.RawURLEncoding.EncodeToString(sum[:]), strings.ToUpper(hex.EncodeToString(sum[:]))} {
			out = append(out, token.PublicKey{ID: id, Key: cert.PublicKey, Certificate: cert})
		}
	}
	return out, nil
}

// prove verifies the proof of possession: a JWT that one of the object's certificates signed, issued by
// the object, for proofAudience, that lives at most proofLife.
func (s *Service) prove(ctx context.Context, o object, p payload) error {
	refused := &failure{Status: 401, Code: "Authentication_MissingOrMalformed", Message: "Access Token missing or malformed."}
	var proof string
	if _, err := p.set("proof", &proof); err != nil || proof == "" {
		return refused
	}
	v := token.Verifier{Source: ownKeys{*o.certificates(), s.Now()}, Algorithms: slices.Concat(jose.RSAPKCS1, jose.RSAPSS), Leeway: 5 * time.Minute, Now: s.Now}
	claims, _, err := v.Verify(ctx, proof, o.id())
	if err != nil || !slices.Contains(claims.Texts("aud"), proofAudience) {
		return refused
	}
	from, hasFrom := claims.Time("nbf")
	to, _ := claims.Time("exp")
	if !hasFrom || to.Sub(from) > proofLife {
		return refused
	}
	return nil
}
