package sts

import (
	"context"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/treatyfed/treaty/aws/op"
	"github.com/treatyfed/treaty/core/access"
	"github.com/treatyfed/treaty/core/audit"
	"github.com/treatyfed/treaty/core/directory"
	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/core/policy"
	"github.com/treatyfed/treaty/wire/saml"
)

func (s *Service) samlOperations() []op.Operation {
	return []op.Operation{op.Public(s.assumeRoleWithSAML)}
}

// SAMLEvidence is what the audit event of AssumeRoleWithSAML carries: what was found of the provider, the
// response and its assertion, then what the role's policies said. The assertion itself is not kept.
type SAMLEvidence struct {
	Asked      Asked             `json:"asked"`
	ProviderID string            `json:"principalArn"`
	Parameters evidence.Checks   `json:"parameters,omitempty"`
	Provider   evidence.Checks   `json:"provider,omitempty"`
	Response   evidence.Checks   `json:"response,omitempty"`  // its form and signatures
	Assertion  evidence.Checks   `json:"assertion,omitempty"` // what it says
	Roles      evidence.Checks   `json:"roles,omitempty"`     // whether it may be used for the role
	Subject    *SAMLSubject      `json:"subject,omitempty"`
	Decisions  []policy.Decision `json:"decisions,omitempty"`
	Session    evidence.Checks   `json:"session,omitempty"`
}

// SAMLSubject is whom a verified assertion names.
type SAMLSubject struct {
	Issuer        string `json:"issuer"`
	Name          string `json:"nameId"`
	Type          string `json:"nameIdFormat"`
	NameQualifier string `json:"nameQualifier"`
}

// assumeRoleWithSAML gives a role to whom an identity provider's assertion names. Nobody signs the request:
// the assertion is the proof. It is not kept from being used twice, as AWS does not either.
func (s *Service) assumeRoleWithSAML(ctx context.Context, in *sts.AssumeRoleWithSAMLInput) (*sts.AssumeRoleWithSAMLOutput, error) {
	proof := SAMLEvidence{ProviderID: *in.PrincipalArn, Asked: Asked{
		Role: *in.RoleArn, Seconds: aws.ToInt32(in.DurationSeconds), Policies: len(inline(in.Policy)), PolicyARNs: policyARNs(in.PolicyArns),
	}}
	out, err := s.assumeByAssertion(ctx, in, &proof)
	if err := s.conclude(ctx, *in.RoleArn, proof, err); err != nil {
		return nil, err
	}
	return out, nil
}

// assumeByAssertion checks parameters, provider, response and assertion, the roles it names, then trust,
// duration and policies. That there is no such role shows only when trust is looked at.
func (s *Service) assumeByAssertion(ctx context.Context, in *sts.AssumeRoleWithSAMLInput, proof *SAMLEvidence) (*sts.AssumeRoleWithSAMLOutput, error) {
	var p parameters
	p.role(*in.RoleArn)
	p.samlProvider(*in.PrincipalArn)
	p.policies(in.Policy, in.PolicyArns)
	if proof.Parameters = p.checks; p.refusal != nil {
		return nil, p.refusal
	}
	x := &samlExamination{now: s.Now().UTC(), role: *in.RoleArn, requestID: audit.RequestOf(ctx).ID, proof: proof}
	if err := s.examineAssertion(ctx, in, x); err != nil {
		return nil, err
	}
	if x.refusal != nil {
		return nil, x.refusal
	}
	id := x.id
	audit.RequestOf(ctx).Caller = evidence.ClipTo(id.qualifier+":"+id.subject, 512) // as CloudTrail writes a SAML user
	proof.Asked.SessionName, proof.Asked.Source, proof.Asked.Transitive = id.sessionName, id.source, id.transitive
	for _, t := range id.tags {
		proof.Asked.Tags = append(proof.Asked.Tags, t.Key)
	}
	k := op.RequestContext(ctx)
	id.keys(k)
	ask := access.Assume{
		Subject: access.Subject{Principal: policy.Principal{Type: policy.SAML, Account: id.provider.AccountID, Federated: id.provider.ARN}},
		Action:  access.ActionWithSAML, RoleARN: *in.RoleArn, SessionName: id.sessionName,
		Duration: time.Duration(aws.ToInt32(in.DurationSeconds)) * time.Second, NotAfter: id.notAfter,
		Policies: inline(in.Policy), PolicyARNs: policyARNs(in.PolicyArns),
		Tags: id.tags, Transitive: id.transitive, Source: id.source,
		Context: k, Kept: id.kept(), Federated: id.provider.ARN, MinToken: int(aws.ToInt32(in.MinimumSessionTokenSize)),
	}
	done, err := s.Access.Assume(ctx, ask)
	if err != nil {
		return nil, err
	}
	proof.Decisions, proof.Session = done.Decisions, append(x.session, sessionChecks(ask, done)...)
	if refusal := reasonError(done, notAuthorized); refusal != nil {
		return nil, refusal
	}
	return samlOutput(id, done), nil
}

// providerARN is what PrincipalArn must look like: a SAML provider of an account.
var providerARN = regexp.MustCompile(`^arn:aws(?:-[a-z]+)*:iam::[0-9]{12}:saml-provider/[\w._-]{1,128}$`)

func (p *parameters) samlProvider(arn string) {
	p.check(evidence.Check{
		Name: "principal ARN", Operator: "matches", Want: []string{"arn:aws:iam::ACCOUNT:saml-provider/NAME"}, Got: []string{arn}, OK: providerARN.MatchString(arn),
	}, invalid(arn+" is invalid"))
}

// examineAssertion finds the provider and has the response verified by its metadata and keys alone.
func (s *Service) examineAssertion(ctx context.Context, in *sts.AssumeRoleWithSAMLInput, x *samlExamination) error {
	provider, err := s.SAML.WithARN(ctx, *in.PrincipalArn)
	missing := errors.Is(err, fault.NotFound)
	if err != nil && !missing {
		return err
	}
	found := evidence.Check{Name: "provider", Claim: "PrincipalArn", Operator: "exists", Got: []string{*in.PrincipalArn}, OK: !missing}
	if missing {
		found.Fix = "create the provider with iam create-saml-provider, or name the one that there is"
	}
	x.provider(found, x.discovery("Specified provider doesn't exist", noManifest))
	response := saml.ParseResponse(*in.SAMLAssertion)
	for _, c := range response.Checks {
		x.proof.Response = append(x.proof.Response, evidence.Check(c))
	}
	if missing {
		return nil
	}
	metadata, err := saml.ParseMetadata(provider.Metadata)
	c := evidence.Check{Name: "metadata", Operator: "is readable", OK: err == nil}
	if err != nil {
		c.Note, metadata = err.Error(), &saml.Metadata{}
	}
	x.provider(c, invalidToken("Could not parse metadata"))
	keys, err := s.privateKeys(provider)
	if err != nil {
		return err
	}
	x.encryption(provider, response)
	verified := response.Verify(saml.Trust{Certificates: metadata.Signing, Keys: keys})
	for _, c := range verified.Checks {
		x.proof.Response = append(x.proof.Response, evidence.Check(c))
	}
	if verified.Problem != nil {
		x.refuse(x.problem(verified.Problem))
		return nil
	}
	x.assertion(provider, metadata.EntityID, verified.Assertion)
	return nil
}

// privateKeys opens the keys by which a provider's encrypted assertions are read. IAM sealed them; their
// label is directory.SAMLKey's.
func (s *Service) privateKeys(p directory.SAMLProvider) (out []*rsa.PrivateKey, err error) {
	for _, k := range p.Keys {
		text, err := s.Sealer.Open(directory.SAMLKeyLabel(k.ID), k.Sealed)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, "open private key "+k.ID, err)
		}
		block, _ := pem.Decode(text)
		if block == nil {
			return nil, fault.New(fault.Internal, "read private key "+k.ID, "it is not PEM")
		}
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			out = append(out, key)
			continue
		}
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return nil, fault.Wrap(fault.Internal, "read private key "+k.ID, err)
		}
		if key, ok := parsed.(*rsa.PrivateKey); ok {
			out = append(out, key)
		}
	}
	return out, nil
}

// nameQualifier tells apart the users of two providers that name them alike (STS API reference,
// AssumeRoleWithSAML, NameQualifier).
func nameQualifier(issuer, account, provider string) string {
	sum := sha1.Sum([]byte(issuer + account + "/" + provider)) // AWS's own choice; nothing depends on its strength
	return base64.StdEncoding.EncodeToString(sum[:])
}

// subjectType is a name's format as the answer and saml:sub_type have it: only the prefix of SAML 2.0's own
// formats is left out.
func subjectType(format string) string { return strings.TrimPrefix(format, saml.NameIDFormat20) }

func samlOutput(id samlIdentity, done access.Assumed) *sts.AssumeRoleWithSAMLOutput {
	v := issue(done.Session, done.Token)
	out := &sts.AssumeRoleWithSAMLOutput{
		Credentials:             v.credentials,
		AssumedRoleUser:         &types.AssumedRoleUser{Arn: &done.Session.ARN, AssumedRoleId: &done.Session.UserID},
		Subject:                 &id.subject,
		SubjectType:             &id.subjectType,
		Issuer:                  &id.issuer,
		Audience:                &id.recipient,
		NameQualifier:           &id.qualifier,
		SessionTokenSize:        v.size,
		SessionTokenUtilization: v.utilization,
		//lint:ignore SA1019 deprecated, and still answered
		PackedPolicySize: done.PackedSize,
	}
	if done.Session.Source != "" {
		out.SourceIdentity = &done.Session.Source
	}
	return out
}
