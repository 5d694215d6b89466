package sts

import (
	"context"
	"crypto/elliptic"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/wire/jose"
)

// The families of rings that sign the tokens of accounts: one ring of each for every account.
const (
	RSARings = "sts-rsa"
	ECRings  = "sts-ec384"
)

// Kinds are those of the keys in the rings, for a Keyring: their ids are RSA_0 and EC384_0, then RSA_1 …
// (recorded).
func Kinds() map[string]token.Kind {
	return map[string]token.Kind{
		RSARings: {KeyID: token.Counted("RSA_")},
		ECRings:  {KeyID: token.Counted("EC384_"), Curve: elliptic.P384()},
	}
}

// ring is the ring that signs an account's tokens with an algorithm.
func ring(account, algorithm string) string {
	if algorithm == jose.ES384 {
		return ECRings + "/" + account
	}
	return RSARings + "/" + account
}

// tokenClaim holds everything that is AWS's own (IAM user guide, "Understanding token claims").
const tokenClaim = "https://sts.amazonaws.com/"

// signToken makes the token of a caller whose parameters and permissions are in order.
func (s *Service) signToken(ctx context.Context, c op.Caller, account directory.Account, in *sts.GetWebIdentityTokenInput, now time.Time, proof *OutboundEvidence) (string, error) {
	id, err := newGUID(s.Rand)
	if err != nil {
		return "", err
	}
	own, err := s.tokenDetails(ctx, c, in)
	if err != nil {
		return "", err
	}
	claims := token.Claims{
		"iss": s.TokenIssuerURL(account.TokenIssuer), "sub": own["principal_id"], "jti": id,
		"iat": now.Unix(), "exp": now.Unix() + int64(life(in)/time.Second), tokenClaim: own,
	}
	if claims["aud"] = in.Audience; len(in.Audience) == 1 {
		claims["aud"] = in.Audience[0]
	}
	issuer := &token.Issuer{Keys: s.Tokens, Ring: ring(account.ID, *in.SigningAlgorithm), Algorithm: *in.SigningAlgorithm, Type: "JWT", KidFirst: true, Rand: s.Rand}
	raw, err := issuer.Issue(ctx, claims)
	if err != nil {
		return "", err
	}
	if n := payloadSize(raw); n > maxPayload {
		return "", &op.Error{Code: "JWTPayloadSizeExceededException", Message: "The requested token payload size exceeds the maximum allowed size."}
	}
	proof.Token = &VendedToken{ID: id, Issuer: claims.Text("iss"), Subject: claims.Text("sub"), Expires: claims["exp"].(int64)}
	return raw, nil
}

// tokenDetails are the members of AWS's own claim. One that does not apply is absent; organisations and the
// hardware behind a credential are not known here.
func (s *Service) tokenDetails(ctx context.Context, c op.Caller, in *sts.GetWebIdentityTokenInput) (map[string]any, error) {
	p := c.Subject.Principal
	subject := p.ARN
	if p.Type == policy.AssumedRole {
		subject = p.Issuer // the role's ARN, path included, and not the session's
	}
	d := map[string]any{"aws_account": c.Account, "source_region": op.RegionOf(ctx), "principal_id": subject}
	tags, err := s.principalTags(ctx, c)
	if err != nil {
		return nil, err
	}
	if len(tags) > 0 {
		d["principal_tags"] = tags
	}
	if asked := requestTags(in); len(asked) > 0 {
		d["request_tags"] = asked
	}
	if v := c.Subject.Session; v != nil {
		d["original_session_exp"] = v.Expires.UTC().Format("2006-01-02T15:04:05Z")
		if v.Source != "" {
			d["source_identity"] = v.Source
		}
		if v.Federated != "" {
			d["federated_provider"] = v.Federated
		}
	}
	return d, nil
}

// payloadSize is the length in bytes of a token's claims.
func payloadSize(raw string) int {
	parts := strings.SplitN(raw, ".", 3)
	return base64.RawURLEncoding.DecodedLen(len(parts[1]))
}

// newGUID makes a random GUID (RFC 9562 version 4).
func newGUID(rand io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(rand, b[:]); err != nil {
		return "", fault.Wrap(fault.Internal, "token id", err)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}
