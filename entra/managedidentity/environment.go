package managedidentity

import (
	"strings"

	"github.com/treatyfed/treaty/core/directory"
)

// Variable is one variable of a workload's environment. One with Unset must not be there: clients would
// take it for another kind of machine or another credential.
type Variable struct {
	Name  string
	Value string
	Unset bool
	Note  string // what the variable does not reach, or why it must go
}

// tokenPath is where machines and Arc servers ask for tokens.
const tokenPath = "/metadata/identity/oauth2/token"

// family are the variables by which clients tell kinds of machines apart, and those that make a default
// credential chain stop before the managed identity.
var family = []Variable{
	{Name: "IDENTITY_ENDPOINT"}, {Name: "IDENTITY_HEADER"}, {Name: "IMDS_ENDPOINT"}, {Name: "MSI_ENDPOINT"}, {Name: "MSI_SECRET"},
	{Name: "AZURE_POD_IDENTITY_AUTHORITY_HOST"},
	{Name: "APPSETTING_WEBSITE_SITE_NAME", Note: "old Azure CLIs take the machine for an app"},
	{Name: "IDENTITY_SERVER_THUMBPRINT", Note: "it stands for Service Fabric"},
	{Name: "AZURE_FEDERATED_TOKEN_FILE", Note: "the workload identity comes before the managed one"},
	{Name: "AZURE_CLIENT_SECRET", Note: "the environment's credential comes first"},
	{Name: "AZURE_CLIENT_CERTIFICATE_PATH", Note: "the environment's credential comes first"},
	{Name: "AZURE_USERNAME", Note: "the environment's credential comes first"},
	{Name: "AZURE_PASSWORD", Note: "the environment's credential comes first"},
	{Name: "AZURE_CLIENT_ID", Note: "it names a user-assigned identity; keep it only as one's client id"},
}

// Environment says which variables send an unmodified client to a machine's endpoints below base, and
// which must be unset.
//
// A virtual machine has no variable that every client reads. AZURE_POD_IDENTITY_AUTHORITY_HOST is read by
// @azure/identity, by azure-identity and MSAL for Python and by MSAL for .NET. azidentity for Go and
// older Azure CLIs know 169.254.169.254 alone: they reach the machine "default" with HTTP_PROXY set
// to this server's proxy and 169.254.169.254 not in NO_PROXY.
func (s *Service) Environment(m directory.Machine, base string) []Variable {
	base = strings.TrimSuffix(base, "/") + "/machines/" + m.Name
	set := []Variable{{Name: "AZURE_TOKEN_CREDENTIALS", Value: "ManagedIdentityCredential", Note: "for DefaultAzureCredential: no other credential, no probe"}}
	switch m.Kind {
	case directory.MachineVM:
		set = append(set, Variable{Name: "AZURE_POD_IDENTITY_AUTHORITY_HOST", Value: base,
			Note: "not read by azidentity for Go nor by old Azure CLIs, which ask 169.254.169.254: set HTTP_PROXY for them"})
	case directory.MachineAppService:
		secret := s.header(m).Reveal()
		set = append(set,
			Variable{Name: "IDENTITY_ENDPOINT", Value: base + "/msi/token"},
			Variable{Name: "IDENTITY_HEADER", Value: secret},
			Variable{Name: "MSI_ENDPOINT", Value: base + "/msi/token", Note: "for clients of API version 2017-09-01, like old Azure CLIs"},
			Variable{Name: "MSI_SECRET", Value: secret, Note: "belongs to MSI_ENDPOINT"},
			Variable{Name: "APPSETTING_WEBSITE_SITE_NAME", Value: m.Name, Note: "by which old Azure CLIs know an app"})
	case directory.MachineArc:
		set = append(set, Variable{Name: "IDENTITY_ENDPOINT", Value: base + tokenPath},
			Variable{Name: "IMDS_ENDPOINT", Value: base, Note: "clients read challenge files in " + DefaultArcFolder + " alone"})
	case directory.MachineCloudShell:
		set = append(set, Variable{Name: "MSI_ENDPOINT", Value: base + "/cloudshell/" + s.shellSecret(m).Reveal() + "/oauth2/token",
			Note: "the path is secret"})
	}
	return append(set, unset(set)...)
}

// unset lists those of the family that are not set.
func unset(set []Variable) (out []Variable) {
	is := make(map[string]bool, len(set))
	for _, v := range set {
		is[v.Name] = true
	}
	for _, v := range family {
		if !is[v.Name] {
			v.Unset = true
			out = append(out, v)
		}
	}
	return out
}
