package cognitoidentity

import (
	"encoding/base64"

	"github.com/treatyfed/treaty/core/credential"
)

// maxPageToken bounds a page token: the longest holds a user identifier of 1024 characters.
const maxPageToken = 8 << 10

// pages makes and reads page tokens: the last key of a page, sealed for one list of one caller, so that
// a token of another list, account or pool is refused.
type pages struct{ Sealer *credential.Sealer }

func (p pages) token(list, last string) (*string, error) {
	sealed, err := p.Sealer.Seal(pageLabel(list), []byte(last))
	if err != nil {
		return nil, err
	}
	return new(base64.RawURLEncoding.EncodeToString(sealed)), nil
}

// after returns the key that the token continues from, "" without a token.
func (p pages) after(list string, token *string) (string, error) {
	if token == nil {
		return "", nil
	}
	bad := refusal(invalidParameter, "Invalid NextToken.")
	if len(*token) > maxPageToken {
		return "", bad
	}
	sealed, err := base64.RawURLEncoding.DecodeString(*token)
	if err != nil {
		return "", bad
	}
	last, err := p.Sealer.Open(pageLabel(list), sealed)
	if err != nil {
		return "", bad
	}
	return string(last), nil
}

func pageLabel(list string) string { return Name + " page of " + list }
