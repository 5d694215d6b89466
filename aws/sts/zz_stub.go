package sts

import "github.com/treatyfed/treaty/aws/op"

// Operations that come with webidentity.go, outbound.go and saml.go.

func (s *Service) samlOperations() []op.Operation { return nil }
