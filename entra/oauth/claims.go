package oauth

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"github.com/treatyfed/treaty/core/evidence"
	"github.com/treatyfed/treaty/core/token"
	"github.com/treatyfed/treaty/entra/aadsts"
)

// defaultDirectoryRole is the wids entry of every application's Graph token: the role template of no
// directory role at all (Microsoft, "Microsoft Entra built-in roles", User).
const defaultDirectoryRole = "0997a1d0-0d1d-4acb-b408-d5ca73121e90"

// applicationClaims are the claims of an app-only token: the service principal is both oid and sub, and
// roles appears only when one is assigned.
func applicationClaims(ctx context.Context, s *Service, c *call) (token.Claims, error) {
	roles, assigned, err := s.grantedRoles(ctx, c.client.principal.ID, c.resource)
	if err != nil {
		return nil, err
	}
	if c.resource.principal.AssignmentRequired && !assigned {
		c.fail(evidence.Check{Name: "app role assignment", Operator: "present", Want: []string{c.resource.principal.ID}, Fix: "assign the application a role of the resource"})
		return nil, aadsts.New(aadsts.RoleNotAssigned, c.client.appID, c.client.name, c.resource.asked, c.resource.principal.DisplayName)
	}
	opaque, err := s.opaque()
	if err != nil {
		return nil, err
	}
	issued := c.now.Add(-backdated).Unix()
	claims := token.Claims{
		"iat":     issued,
		"nbf":     issued,
		"exp":     c.now.Add(c.client.lifetime()).Unix(),
		"aio":     opaque.aio,
		"oid":     c.client.principal.ID,
		"rh":      resourceHint(c.tenant.ID, c.resource.principal.AppID),
		"sub":     c.client.principal.ID,
		"tid":     c.tenant.ID,
		"uti":     uniqueTokenID(c.record.ID),
		"xms_ftd": opaque.ftd,
	}
	if len(roles) > 0 {
		claims["roles"] = roles
	}
	if c.resource.idtyp {
		claims["idtyp"] = "app"
	}
	if c.client.managed() {
		c.addManaged(claims)
	}
	if c.resource.version == 2 {
		s.addV2(claims, c)
	} else {
		s.addV1(claims, c)
	}
	return claims, nil
}

func (s *Service) addV2(claims token.Claims, c *call) {
	claims["aud"] = c.resource.principal.AppID
	claims["iss"] = s.V2Issuer(c.tenant.ID)
	claims["azp"] = c.client.appID
	claims["azpacr"] = c.strength
	claims["ver"] = "2.0"
}

func (s *Service) addV1(claims token.Claims, c *call) {
	issuer := s.V1Issuer(c.tenant.ID)
	claims["aud"] = c.resource.asked
	claims["iss"] = issuer
	claims["idp"] = issuer
	claims["appid"] = c.client.appID
	claims["appidacr"] = c.strength
	claims["ver"] = "1.0"
	switch c.resource.principal.AppID {
	case graphAppID:
		claims["app_displayname"] = c.client.name
		claims["tenant_region_scope"] = regionOf(c.tenant.CountryCode)
		claims["wids"] = []string{defaultDirectoryRole}
		fallthrough
	case armAppID:
		claims["xms_idrel"] = "7 24"
		claims["xms_tcdt"] = c.tenant.CreatedAt.Unix()
	}
}

// addManaged adds what marks a managed identity's token, whatever the resource: the identity's own ARM id
// (of the machine, for a system-assigned one) and, when it is known, the machine's.
func (c *call) addManaged(claims token.Claims) {
	claims["idtyp"] = "app"
	claims["xms_mirid"] = armID(c.client.principal.ResourceID)
	if c.machine != "" {
		claims["xms_az_rid"] = armID(c.machine)
	}
}

// armID writes an ARM id as tokens do: "resourcegroups" in lower case, the rest as it is.
func armID(id string) string {
	segments := strings.SplitN(id, "/", 5) // "", subscriptions, id, resourceGroups, …
	if len(segments) < 5 || !strings.EqualFold(segments[3], "resourcegroups") {
		return id
	}
	segments[3] = "resourcegroups"
	return strings.Join(segments, "/")
}

// opaqueClaims are claims that only their issuer reads; clients must not look into them.
type opaqueClaims struct{ aio, ftd string }

func (s *Service) opaque() (opaqueClaims, error) {
	var b [26 + 48]byte
	if _, err := io.ReadFull(s.Rand, b[:]); err != nil {
		return opaqueClaims{}, fmt.Errorf("opaque claims: %w", err)
	}
	b[0], b[1], b[2] = 0x93, 0x64, 0x60 // recorded values begin with k2Rg
	return opaqueClaims{base64.StdEncoding.EncodeToString(b[:26]), base64.RawURLEncoding.EncodeToString(b[26:])}, nil
}

// resourceHint is the rh claim in its recorded layout: tenant and resource between two tags.
func resourceHint(tenant, appID string) string {
	t, _ := guidBytes(tenant)
	a, _ := guidBytes(appID)
	b := make([]byte, 0, 37)
	b = append(b, 0x01, 0x74, 0x00)
	b = append(b, t[:]...)
	b = append(b, a[:]...)
	b = append(b, 0x74, 0x00)
	return "1." + base64.RawURLEncoding.EncodeToString(b) + "."
}
