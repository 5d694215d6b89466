package sts

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/evidence"
)

// getDelegatedAccessToken exchanges the trade-in tokens that AWS sends to its product providers. None was
// issued here, so there is none that could be good: whatever the caller's policies allow, it is refused.
func (s *Service) getDelegatedAccessToken(ctx context.Context, _ *sts.GetDelegatedAccessTokenInput) (*sts.GetDelegatedAccessTokenOutput, error) {
	c := op.CallerOf(ctx)
	proof := Evidence{Authentication: c.Proof}
	err := s.refuseTradeIn(ctx, c, &proof)
	return nil, s.conclude(ctx, "*", proof, err)
}

func (s *Service) refuseTradeIn(ctx context.Context, c op.Caller, proof *Evidence) error {
	decision, err := s.Access.Decide(ctx, access.Ask{Subject: c.Subject, Action: "sts:GetDelegatedAccessToken", Resource: "*", Context: op.RequestContext(ctx)})
	if err != nil {
		return err
	}
	proof.Decisions = append(proof.Decisions, decision)
	proof.Session = append(proof.Session, evidence.Check{Name: "trade-in token", Operator: "issued here", Note: "trade-in tokens are not issued here"})
	return op.Denied(op.Query, decision, "*")
}
