package sts

import (
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/treatyfed/treaty/core/credential"
)

// issued is what every operation answers that hands out a session.
type issued struct {
	credentials *types.Credentials
	size        *int32 // of the session token, in bytes
	utilization *int32 // of the room that a session token has, in percent
}

func issue(s credential.Session, token string) issued {
	n := int32(len(token)) // at most credential.MaxSessionToken
	return issued{
		credentials: &types.Credentials{
			AccessKeyId: &s.KeyID, SecretAccessKey: new(s.Secret.Reveal()), SessionToken: &token, Expiration: &s.Expires,
		},
		size:        &n,
		utilization: new(n * 100 / credential.MaxSessionToken),
	}
}
