// Package sts is AWS Security Token Service as far as it is served: GetCallerIdentity, by which a caller
// sees who it is, presigned as well.
//
// It owns what STS's operations mean. Signatures, errors and the wire are aws/op's. An operation that is
// not in the table is answered as AWS answers one that a version of the API does not have.
package sts

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/wire/aws/constraints"
)

// Service is STS. It keeps nothing: what GetCallerIdentity tells was found by the signature.
type Service struct{}

// Describe is the service's table.
func (s Service) Describe() op.Service {
	return op.Service{
		Name:        "sts",
		Protocol:    op.Query,
		Version:     "2011-06-15",
		Namespace:   "https://sts.amazonaws.com/doc/2011-06-15/",
		Constraints: constraints.STS,
		FixedWindow: true,
		Operations: []op.Operation{
			op.Authenticated(s.getCallerIdentity), // no policy can deny it (STS API reference, GetCallerIdentity)
		},
	}
}

func (s Service) getCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityInput) (*sts.GetCallerIdentityOutput, error) {
	c := op.CallerOf(ctx)
	return &sts.GetCallerIdentityOutput{Account: &c.Account, Arn: &c.ARN, UserId: &c.UserID}, nil
}
