package arm

import (
	"context"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
)

type list[T any] struct {
	Value    []T    `json:"value"`
	NextLink string `json:"nextLink,omitempty"`
}

type tenantView struct {
	ID             string   `json:"id"`
	TenantID       string   `json:"tenantId"`
	CountryCode    string   `json:"countryCode,omitempty"`
	DisplayName    string   `json:"displayName"`
	Domains        []string `json:"domains"`
	TenantCategory string   `json:"tenantCategory"`
	DefaultDomain  string   `json:"defaultDomain,omitempty"`
	TenantType     string   `json:"tenantType"`
}

// listTenants shows the caller's own tenant: a token speaks for one.
func (s *Service) listTenants(ctx context.Context, _ *struct{}) (*list[tenantView], error) {
	t, err := s.Tenants.Tenant(ctx, callOf(ctx).caller.TenantID)
	if err != nil {
		return nil, err
	}
	v := tenantView{ID: "/tenants/" + t.ID, TenantID: t.ID, CountryCode: t.CountryCode, DisplayName: t.DisplayName,
		Domains: append([]string{}, t.Domains...), TenantCategory: "Home", TenantType: "AAD"}
	if len(t.Domains) > 0 {
		v.DefaultDomain = t.Domains[0]
	}
	return &list[tenantView]{Value: []tenantView{v}}, nil
}

type subscriptionView struct {
	ID                   string   `json:"id"`
	AuthorizationSource  string   `json:"authorizationSource"`
	ManagedByTenants     []string `json:"managedByTenants"`
	SubscriptionID       string   `json:"subscriptionId"`
	TenantID             string   `json:"tenantId"`
	DisplayName          string   `json:"displayName"`
	State                string   `json:"state"`
	SubscriptionPolicies struct {
		LocationPlacementID string `json:"locationPlacementId"`
		QuotaID             string `json:"quotaId"`
		SpendingLimit       string `json:"spendingLimit"`
	} `json:"subscriptionPolicies"`
}

func viewSubscription(s directory.Subscription) subscriptionView {
	v := subscriptionView{ID: "/subscriptions/" + s.ID, AuthorizationSource: "RoleBased", ManagedByTenants: []string{},
		SubscriptionID: s.ID, TenantID: s.TenantID, DisplayName: s.DisplayName, State: s.State}
	v.SubscriptionPolicies.LocationPlacementID = "Public_2014-09-01"
	v.SubscriptionPolicies.QuotaID = "EnterpriseAgreement_2014-09-01"
	v.SubscriptionPolicies.SpendingLimit = "Off"
	return v
}

type subscriptionList struct {
	Value []subscriptionView `json:"value"`
	Count struct {
		Type  string `json:"type"`
		Value int    `json:"value"`
	} `json:"count"`
}

// listSubscriptions shows the subscriptions in which the caller holds any role, at, above or below them.
// Without one the list is empty; it is no refusal.
func (s *Service) listSubscriptions(ctx context.Context, _ *struct{}) (*subscriptionList, error) {
	c := callOf(ctx)
	subs, err := s.Subscriptions.Subscriptions(ctx, c.caller.TenantID)
	if err != nil {
		return nil, err
	}
	out := &subscriptionList{Value: []subscriptionView{}}
	for _, sub := range subs {
		if c.access.sees("/subscriptions/"+sub.ID, c.caller.TenantID) {
			out.Value = append(out.Value, viewSubscription(sub))
		}
	}
	out.Count.Type, out.Count.Value = "Total", len(out.Value)
	return out, nil
}

// sees reports whether the caller holds a role at, above or below a scope.
func (a access) sees(scope, tenant string) bool {
	for _, as := range a.assignments {
		_, defined := a.definitions[lower(as.RoleDefinitionID)]
		if defined && (covers(as.Scope, scope, tenant) || covers(scope, as.Scope, tenant)) {
			return true
		}
	}
	return false
}

func (s *Service) getSubscription(ctx context.Context, _ *struct{}) (*subscriptionView, error) {
	sub, err := s.subscription(ctx, callOf(ctx).target.Subscription)
	if err != nil {
		return nil, err
	}
	v := viewSubscription(sub)
	return &v, nil
}

type locationView struct {
	ID                  string           `json:"id"`
	Name                string           `json:"name"`
	Type                string           `json:"type"`
	DisplayName         string           `json:"displayName"`
	RegionalDisplayName string           `json:"regionalDisplayName"`
	Metadata            locationMetadata `json:"metadata"`
}

type locationMetadata struct {
	RegionType     string `json:"regionType"`
	RegionCategory string `json:"regionCategory"`
	Geography      string `json:"geography"`
	GeographyGroup string `json:"geographyGroup"`
}

func (s *Service) listLocations(ctx context.Context, _ *struct{}) (*list[locationView], error) {
	sub := "/subscriptions/" + callOf(ctx).target.Subscription
	out := &list[locationView]{Value: []locationView{}}
	for _, l := range locations {
		category := "Recommended"
		if l.other {
			category = "Other"
		}
		out.Value = append(out.Value, locationView{
			ID: sub + "/locations/" + l.name(), Name: l.name(), Type: "Region", DisplayName: l.display,
			RegionalDisplayName: "(" + l.group + ") " + l.display,
			Metadata:            locationMetadata{RegionType: "Physical", RegionCategory: category, Geography: l.geography, GeographyGroup: l.group},
		})
	}
	return out, nil
}

type location struct {
	display, geography, group string
	other                     bool // an alternate region
}

// name is the display name in lower case without spaces; ARM takes either wherever a location is given.
func (l location) name() string { return normalLocation(l.display) }

func normalLocation(s string) string { return lower(strings.ReplaceAll(s, " ", "")) }

// locations are the public cloud's regions (Microsoft Learn, "List of Azure regions").
var locations = []location{
	{display: "East US", geography: "United States", group: "US"},
	{display: "South Central US", geography: "United States", group: "US"},
	{display: "West US 2", geography: "United States", group: "US"},
	{display: "West US 3", geography: "United States", group: "US"},
	{display: "Australia East", geography: "Australia", group: "Asia Pacific"},
	{display: "Southeast Asia", geography: "Asia Pacific", group: "Asia Pacific"},
	{display: "North Europe", geography: "Europe", group: "Europe"},
	{display: "Sweden Central", geography: "Sweden", group: "Europe"},
	{display: "UK South", geography: "United Kingdom", group: "Europe"},
	{display: "West Europe", geography: "Europe", group: "Europe"},
	{display: "Central US", geography: "United States", group: "US"},
	{display: "South Africa North", geography: "South Africa", group: "Africa"},
	{display: "Central India", geography: "India", group: "Asia Pacific"},
	{display: "East Asia", geography: "Asia Pacific", group: "Asia Pacific"},
	{display: "Indonesia Central", geography: "Indonesia", group: "Asia Pacific"},
	{display: "Japan East", geography: "Japan", group: "Asia Pacific"},
	{display: "Japan West", geography: "Japan", group: "Asia Pacific"},
	{display: "Korea Central", geography: "Korea", group: "Asia Pacific"},
	{display: "Malaysia West", geography: "Malaysia", group: "Asia Pacific"},
	{display: "New Zealand North", geography: "New Zealand", group: "Asia Pacific"},
	{display: "Canada Central", geography: "Canada", group: "Canada"},
	{display: "Austria East", geography: "Austria", group: "Europe"},
	{display: "Belgium Central", geography: "Belgium", group: "Europe"},
	{display: "France Central", geography: "France", group: "Europe"},
	{display: "Germany West Central", geography: "Germany", group: "Europe"},
	{display: "Italy North", geography: "Italy", group: "Europe"},
	{display: "Norway East", geography: "Norway", group: "Europe"},
	{display: "Poland Central", geography: "Poland", group: "Europe"},
	{display: "Spain Central", geography: "Spain", group: "Europe"},
	{display: "Switzerland North", geography: "Switzerland", group: "Europe"},
	{display: "Mexico Central", geography: "Mexico", group: "Mexico"},
	{display: "UAE North", geography: "UAE", group: "Middle East"},
	{display: "Brazil South", geography: "Brazil", group: "South America"},
	{display: "Chile Central", geography: "Chile", group: "South America"},
	{display: "Israel Central", geography: "Israel", group: "Middle East"},
	{display: "Qatar Central", geography: "Qatar", group: "Middle East"},
	{display: "East US 2", geography: "United States", group: "US"},
	{display: "North Central US", geography: "United States", group: "US", other: true},
	{display: "West US", geography: "United States", group: "US", other: true},
	{display: "West Central US", geography: "United States", group: "US", other: true},
	{display: "South Africa West", geography: "South Africa", group: "Africa", other: true},
	{display: "Australia Central", geography: "Australia", group: "Asia Pacific", other: true},
	{display: "Australia Central 2", geography: "Australia", group: "Asia Pacific", other: true},
	{display: "Australia Southeast", geography: "Australia", group: "Asia Pacific", other: true},
	{display: "Korea South", geography: "Korea", group: "Asia Pacific", other: true},
	{display: "South India", geography: "India", group: "Asia Pacific", other: true},
	{display: "West India", geography: "India", group: "Asia Pacific", other: true},
	{display: "Canada East", geography: "Canada", group: "Canada", other: true},
	{display: "France South", geography: "France", group: "Europe", other: true},
	{display: "Germany North", geography: "Germany", group: "Europe", other: true},
	{display: "Norway West", geography: "Norway", group: "Europe", other: true},
	{display: "Switzerland West", geography: "Switzerland", group: "Europe", other: true},
	{display: "UK West", geography: "United Kingdom", group: "Europe", other: true},
	{display: "UAE Central", geography: "UAE", group: "Middle East", other: true},
	{display: "Brazil Southeast", geography: "Brazil", group: "South America", other: true},
}

func locationNames() []string {
	out := make([]string, len(locations))
	for i, l := range locations {
		out[i] = l.name()
	}
	return out
}

// locationOf normalises a location; ok is false for one that does not exist.
func locationOf(s string) (string, bool) {
	n := normalLocation(s)
	for _, l := range locations {
		if l.name() == n {
			return n, true
		}
	}
	return n, false
}
