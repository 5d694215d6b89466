package sts

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/core/credential"
)

// getAccessKeyInfo reads the account out of an access key id: it answers for keys of other accounts and
// for those that are gone as well, and says nothing of whether there is such a key.
func (s *Service) getAccessKeyInfo(_ context.Context, in *sts.GetAccessKeyInfoInput) (*sts.GetAccessKeyInfoOutput, error) {
	id := *in.AccessKeyId
	account, ok := credential.AccountOf(id)
	if !ok || !strings.HasPrefix(id, "AKIA") && !strings.HasPrefix(id, "ASIA") {
		return nil, invalid("1 validation error detected: Value '" + id + "' at 'accessKeyId' failed to satisfy constraint: Member must be a valid access key ID")
	}
	return &sts.GetAccessKeyInfoOutput{Account: &account}, nil
}
