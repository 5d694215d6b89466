package arm

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/wire/rest"
)

const (
	authorizationNamespace = "Microsoft.Authorization"
	identityNamespace      = "Microsoft.ManagedIdentity"
	networkNamespace       = "Microsoft.Network"
	resourcesNamespace     = "Microsoft.Resources"
	groupType              = "Microsoft.Resources/resourceGroups"
	identityType           = "Microsoft.ManagedIdentity/userAssignedIdentities"
	credentialType         = "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials"
	networkType            = "Microsoft.Network/virtualNetworks"
	subnetType             = "Microsoft.Network/virtualNetworks/subnets"
)

// typeSpec is a type that a provider serves, as GET …/providers/NAMESPACE describes it.
type typeSpec struct {
	Name     string // below the namespace
	Versions []string
	Scopes   scopes
	Regional bool // its items have a location
}

// scopes says where a type lives.
type scopes int

const (
	anyScope   scopes = iota // an extension of whatever it is put on
	groupScope               // items in a resource group; listed there and in a subscription
)

type namespaceSpec struct {
	Name  string
	Types []typeSpec
}

// The API versions are the folders of the vendors' public REST specifications (azure-rest-api-specs),
// as far as the types here have them.
var (
	authorizationVersions = versions(`2014-04-01-preview 2014-07-01-preview 2014-10-01-preview 2015-05-01-preview 2015-06-01 2015-07-01
		2016-07-01 2017-05-01 2017-09-01 2017-10-01-preview 2018-01-01-preview 2018-05-01-preview 2018-07-01 2018-09-01-preview
		2019-04-01-preview 2020-03-01-preview 2020-04-01-preview 2020-08-01-preview 2020-10-01-preview 2021-04-01-preview
		2022-01-01-preview 2022-04-01 2022-05-01-preview 2023-04-01-preview`)
	identityVersions = versions(`2015-08-31-preview 2018-11-30 2021-09-30-preview 2022-01-31-preview 2023-01-31 2023-07-31-preview
		2024-11-30 2025-01-31-preview 2025-05-31-preview 2026-04-30`)
	credentialVersions = identityVersions[:slices.Index(identityVersions, "2022-01-31-preview")+1] // newest first
	networkVersions    = versions(`2015-05-01-preview 2015-06-15 2016-03-30 2016-06-01 2016-07-01 2016-08-01 2016-09-01 2016-10-01
		2016-11-01 2016-12-01 2017-03-01 2017-04-01 2017-06-01 2017-08-01 2017-09-01 2017-10-01 2017-11-01 2018-01-01 2018-02-01
		2018-03-01 2018-04-01 2018-05-01 2018-06-01 2018-07-01 2018-08-01 2018-10-01 2018-11-01 2018-12-01 2019-02-01 2019-04-01
		2019-06-01 2019-07-01 2019-08-01 2019-09-01 2019-11-01 2019-12-01 2020-01-01 2020-03-01 2020-04-01 2020-05-01 2020-06-01
		2020-07-01 2020-08-01 2020-11-01 2021-01-01 2021-02-01 2021-03-01 2021-04-01 2021-05-01 2021-06-01 2021-08-01 2021-12-01
		2022-01-01 2022-05-01 2022-07-01 2022-09-01 2022-11-01 2023-02-01 2023-04-01 2023-05-01 2023-06-01 2023-09-01 2023-11-01
		2024-01-01 2024-03-01 2024-05-01 2024-07-01 2024-10-01 2025-01-01 2025-03-01 2025-05-01`)
	resourcesVersions = versions(`2014-01-01 2014-04-01-preview 2014-04-01 2015-01-01 2015-11-01 2016-02-01 2016-06-01 2016-07-01
		2016-09-01 2017-05-01 2017-05-10 2017-08-01 2018-01-01 2018-02-01 2018-05-01 2018-08-01 2018-11-01 2019-03-01 2019-04-01
		2019-05-01 2019-05-10 2019-06-01 2019-07-01 2019-08-01 2019-09-01 2019-10-01 2019-11-01 2020-01-01 2020-05-01 2020-06-01
		2020-08-01 2020-09-01 2020-10-01 2021-01-01 2021-04-01 2021-05-01 2022-01-01 2022-05-01 2022-06-01 2022-09-01 2022-12-01
		2023-03-01-preview 2023-07-01 2023-07-01-preview 2024-03-01 2024-07-01 2024-08-01 2024-11-01 2025-03-01 2025-04-01`)

	// resourcesSpec stands for ARM's own paths.
	resourcesSpec = typeSpec{Name: "subscriptions", Versions: resourcesVersions}

	namespaces = []namespaceSpec{
		{authorizationNamespace, []typeSpec{
			{Name: "permissions", Versions: authorizationVersions},
			{Name: "roleAssignments", Versions: authorizationVersions},
			{Name: "roleDefinitions", Versions: authorizationVersions},
		}},
		{identityNamespace, []typeSpec{
			{Name: "identities", Versions: identityVersions},
			{Name: "userAssignedIdentities", Versions: identityVersions, Scopes: groupScope, Regional: true},
			{Name: "userAssignedIdentities/federatedIdentityCredentials", Versions: credentialVersions, Scopes: groupScope},
		}},
		{networkNamespace, []typeSpec{
			{Name: "virtualNetworks", Versions: networkVersions, Scopes: groupScope, Regional: true},
			{Name: "virtualNetworks/subnets", Versions: networkVersions, Scopes: groupScope},
		}},
		{resourcesNamespace, []typeSpec{
			{Name: "locations", Versions: resourcesVersions},
			{Name: "operationResults", Versions: resourcesVersions},
			{Name: "providers", Versions: resourcesVersions},
			{Name: "resourceGroups", Versions: resourcesVersions, Regional: true},
			{Name: "resources", Versions: resourcesVersions},
			{Name: "subscriptions", Versions: resourcesVersions},
			{Name: "tenants", Versions: resourcesVersions},
		}},
	}
)

// versions orders a list newest first, as ARM prints it.
func versions(list string) []string {
	v := strings.Fields(list)
	slices.Sort(v)
	slices.Reverse(v)
	return v
}

func namespaceOf(name string) (namespaceSpec, bool) {
	for _, ns := range namespaces {
		if is(name, ns.Name) {
			return ns, true
		}
	}
	return namespaceSpec{}, false
}

func canonicalNamespace(name string) string {
	if ns, ok := namespaceOf(name); ok {
		return ns.Name
	}
	if is(name, "Microsoft.Management") {
		return "Microsoft.Management"
	}
	return name
}

// canonicalType spells the type at a depth below the namespace as we know it.
func canonicalType(namespace string, depth int, name string) string {
	if namespace == "Microsoft.Management" && is(name, "managementGroups") {
		return "managementGroups"
	}
	ns, _ := namespaceOf(namespace)
	for _, t := range ns.Types {
		if parts := strings.Split(t.Name, "/"); depth < len(parts) && is(parts[depth], name) {
			return parts[depth]
		}
	}
	return name
}

// versionOf reads the api-version, which is mandatory and a date, with -preview or another suffix.
func versionOf(r *http.Request) (string, error) {
	q, err := rest.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return "", err
	}
	v := q["api-version"]
	if len(v) == 0 || v[0] == "" {
		return "", errorf(400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
	}
	return lower(strings.Join(v, ",")), nil
}

// known reports whether the target's namespace and type are ours: only then may they name the operation
// in logs and metrics, which must not grow by what anybody asks for.
func (t target) known() bool {
	if t.Namespace == "" {
		_, ok := namespaceOf(t.Name())
		return ok || t.Kind != "/register"
	}
	ns, _ := namespaceOf(t.Namespace)
	return slices.ContainsFunc(ns.Types, func(s typeSpec) bool { return s.Name == strings.Join(t.Types, "/") })
}

// supports checks that the target's type exists, lives at that scope and has the version.
func (t target) supports(version, method string) error {
	if t.Namespace == "" {
		if slices.Contains(resourcesVersions, version) {
			return nil
		}
		return errorf(400, "InvalidApiVersionParameter", "The api-version '%s' is invalid. The supported versions are '%s'.",
			version, strings.Join(resourcesVersions, ","))
	}
	ns, ok := namespaceOf(t.Namespace)
	if !ok {
		return errNamespace(t.Namespace)
	}
	name := strings.Join(t.Types, "/")
	i := slices.IndexFunc(ns.Types, func(s typeSpec) bool { return s.Name == name })
	if i < 0 || ns.Name == resourcesNamespace {
		return errorf(404, "InvalidResourceType", "The resource type could not be found in the namespace '%s' for api version '%s'.", ns.Name, version)
	}
	spec := ns.Types[i]
	if !slices.Contains(spec.Versions, version) {
		return unsupportedVersion(spec, ns.Name, version, method)
	}
	if spec.Scopes == groupScope && (t.Subscription == "" || t.Group == "" && (!t.Collection || len(t.Names) > 0)) ||
		spec.Scopes == groupScope && strings.Contains(t.Scope, "/providers/") {
		return errMissingSubscription()
	}
	return nil
}

// unsupportedVersion is what an api-version gets that the type does not have: on a write ARM looks for
// a provider at the item's location, on a read for the type.
func unsupportedVersion(spec typeSpec, namespace, version, method string) error {
	supported := strings.Join(spec.Versions, ", ")
	if method == http.MethodPut && spec.Regional {
		return errorf(400, "NoRegisteredProviderFound", "No registered resource provider found for API version '%s' for type '%s'. The supported api-versions are '%s'. The supported locations are '%s'.",
			version, spec.Name, supported, strings.Join(locationNames(), ", "))
	}
	return errorf(404, "InvalidResourceType", "The resource type '%s' could not be found in the namespace '%s' for api version '%s'. The supported api-versions are '%s'.",
		spec.Name, namespace, version, strings.Join(spec.Versions, ","))
}

type providerView struct {
	ID                 string             `json:"id"`
	Namespace          string             `json:"namespace"`
	ResourceTypes      []resourceTypeView `json:"resourceTypes"`
	RegistrationState  string             `json:"registrationState,omitempty"`
	RegistrationPolicy string             `json:"registrationPolicy"`
}

type resourceTypeView struct {
	ResourceType string   `json:"resourceType"`
	Locations    []string `json:"locations"`
	APIVersions  []string `json:"apiVersions"`
	Capabilities string   `json:"capabilities"`
}

// viewProvider describes a namespace. Everything that is served is always registered.
func viewProvider(subscription string, ns namespaceSpec) providerView {
	v := providerView{ID: "/providers/" + ns.Name, Namespace: ns.Name, RegistrationPolicy: "RegistrationFree"}
	if subscription != "" {
		v.ID = "/subscriptions/" + subscription + v.ID
		v.RegistrationState = "Registered"
	}
	if ns.Name == networkNamespace || ns.Name == identityNamespace {
		v.RegistrationPolicy = "RegistrationRequired"
	}
	for _, t := range ns.Types {
		rt := resourceTypeView{ResourceType: t.Name, Locations: []string{}, APIVersions: t.Versions, Capabilities: "None"}
		if t.Regional {
			for _, l := range locations {
				rt.Locations = append(rt.Locations, l.display)
			}
			rt.Capabilities = "SupportsTags, SupportsLocation"
		}
		v.ResourceTypes = append(v.ResourceTypes, rt)
	}
	return v
}

func (s *Service) listProviders(ctx context.Context, _ *struct{}) (*list[providerView], error) {
	out := &list[providerView]{Value: []providerView{}}
	for _, ns := range namespaces {
		out.Value = append(out.Value, viewProvider(callOf(ctx).target.Subscription, ns))
	}
	return out, nil
}

func (s *Service) getProvider(ctx context.Context, _ *struct{}) (*providerView, error) {
	t := callOf(ctx).target
	ns, ok := namespaceOf(t.Name())
	if !ok {
		return nil, errNamespace(t.Name())
	}
	v := viewProvider(t.Subscription, ns)
	return &v, nil
}

// registerProvider does nothing to a namespace that we serve, which is registered already.
func (s *Service) registerProvider(ctx context.Context, in *struct{}) (*providerView, error) {
	return s.getProvider(ctx, in)
}

func errNamespace(name string) *Error {
	return errorf(http.StatusNotFound, "InvalidResourceNamespace", "The resource namespace '%s' is invalid.", name)
}
