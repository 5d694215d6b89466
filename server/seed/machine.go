package seed

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
)

// ManagedIdentity is a user-assigned managed identity: an ARM resource and its service principal.
type ManagedIdentity struct {
	Name                 string                `yaml:"name"`
	ResourceGroup        string                `yaml:"resource_group"` // default treaty; made when it is not there
	Subscription         string                `yaml:"subscription"`   // default the tenant's first of this document
	Location             string                `yaml:"location"`       // default eastus
	PrincipalID          string                `yaml:"principal_id"`   // object id of its service principal: sub of its tokens
	ClientID             string                `yaml:"client_id"`
	FederatedCredentials []FederatedCredential `yaml:"federated_credentials"`
	Permissions          []Permission          `yaml:"permissions"`
	Roles                []Role                `yaml:"roles"`
}

// ResourceID is its ARM id.
func (m ManagedIdentity) ResourceID() string {
	return groupID(m.Subscription, m.ResourceGroup) + "/providers/" + identityType + "/" + m.Name
}

// Machine is where a workload of Azure runs, with the managed identities that it may use. The control
// interface speaks of it in the same shape.
type Machine struct {
	Name           string `yaml:"name" json:"name"`
	Kind           string `yaml:"kind" json:"kind,omitempty"`                     // vm (default), app_service, arc, cloud_shell
	ResourceGroup  string `yaml:"resource_group" json:"resource_group,omitempty"` // default treaty; made when it is not there
	Subscription   string `yaml:"subscription" json:"subscription,omitempty"`     // default the tenant's first
	ResourceID     string `yaml:"resource_id" json:"resource_id,omitempty"`       // ARM id; default by kind, group and name
	SystemAssigned bool   `yaml:"system_assigned" json:"system_assigned,omitempty"`
	// Identities are user-assigned ones, by ARM id, or by name when they are of the same document or in the
	// machine's own group.
	Identities []string `yaml:"identities" json:"identities,omitempty"`
	// Permissions and Roles are those of the system-assigned identity.
	Permissions []Permission `yaml:"permissions" json:"permissions,omitempty"`
	Roles       []Role       `yaml:"roles" json:"roles,omitempty"`
}

const (
	identityType    = "Microsoft.ManagedIdentity/userAssignedIdentities"
	groupType       = "Microsoft.Resources/resourceGroups"
	defaultGroup    = "treaty"
	defaultLocation = "eastus"
)

// machineTypes are the ARM types of the kinds. A Cloud Shell is a resource of the tenant, in no group.
var machineTypes = map[string]string{
	directory.MachineVM:         "Microsoft.Compute/virtualMachines",
	directory.MachineAppService: "Microsoft.Web/sites",
	directory.MachineArc:        "Microsoft.HybridCompute/machines",
	directory.MachineCloudShell: "Microsoft.Portal/consoles",
}

// Forms of names: "Naming rules and restrictions for Azure resources" for identities and groups; a machine's
// name is part of a path and of a host name.
var (
	identityName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{2,127}$`)
	groupName    = regexp.MustCompile(`^[\pL\pN_().-]*[\pL\pN_()-]$`) // at most 90; see below
	locationForm = regexp.MustCompile(`^[a-z0-9]{1,40}$`)
	machineName  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	armID        = regexp.MustCompile(`^(?i:(/subscriptions/[0-9a-f-]{36}(/resourceGroups/[^/\s]+)?)?/providers/[^/\s]+(/[^/\s]+/[^/\s]+)+)$`)
	identityID   = regexp.MustCompile(`^(?i:/subscriptions/[0-9a-f-]{36}/resourceGroups/[^/\s]+/providers/Microsoft\.ManagedIdentity/userAssignedIdentities/[^/\s]+)$`)
)

const maxGroupName = 90

func groupID(subscription, group string) string {
	return "/subscriptions/" + subscription + "/resourceGroups/" + group
}

func (m *ManagedIdentity) complete(t *Tenant) {
	or(&m.ResourceGroup, defaultGroup)
	or(&m.Subscription, t.subscription())
	or(&m.Location, defaultLocation)
	m.Location = strings.ToLower(strings.ReplaceAll(m.Location, " ", ""))
	m.Subscription = strings.ToLower(m.Subscription)
	at := strings.ToLower(m.ResourceID())
	guid(&m.PrincipalID, t.ID, "managed identity", at)
	guid(&m.ClientID, t.ID, "managed identity client", at)
	for i := range m.FederatedCredentials {
		m.FederatedCredentials[i].complete(m.ClientID)
	}
}

// subscription is the tenant's first in this document, "" when it lists none.
func (t *Tenant) subscription() string {
	if len(t.Subscriptions) == 0 {
		return ""
	}
	return t.Subscriptions[0].ID
}

// Complete fills in what may be left out.
func (m *Machine) Complete(subscription string) {
	or(&m.Kind, directory.MachineVM)
	or(&m.ResourceGroup, defaultGroup)
	or(&m.Subscription, subscription)
	m.Subscription = strings.ToLower(m.Subscription)
	if m.ResourceID != "" {
		return
	}
	m.ResourceID = groupID(m.Subscription, m.ResourceGroup) + "/providers/" + machineTypes[m.Kind] + "/" + m.Name
	if m.Kind == directory.MachineCloudShell {
		m.ResourceID = "/providers/" + machineTypes[m.Kind] + "/default"
	}
}

// identity gives the ARM id of one of the machine's identities.
func (m Machine) identity(name string, named map[string]string) string {
	if strings.HasPrefix(name, "/") {
		return name
	}
	if id, ok := named[strings.ToLower(name)]; ok {
		return id
	}
	return ManagedIdentity{Name: name, ResourceGroup: m.ResourceGroup, Subscription: m.Subscription}.ResourceID()
}

// named are the ARM ids of a tenant's identities in the document, by name in lower case.
func (t Tenant) named() map[string]string {
	out := map[string]string{}
	for _, m := range t.ManagedIdentities {
		out[strings.ToLower(m.Name)] = m.ResourceID()
	}
	return out
}

func (c *checker) managedIdentity(path, tenant string, m ManagedIdentity) {
	c.form(path+".name", m.Name, identityName, "name of 3 to 128 letters, digits, - and _")
	c.unique("identity resource", path+".name", m.ResourceID())
	c.place(path, m.Subscription, m.ResourceGroup)
	c.form(path+".location", m.Location, locationForm, "location such as eastus")
	c.form(path+".principal_id", m.PrincipalID, guidForm, "GUID")
	c.unique("object "+tenant, path+".principal_id", m.PrincipalID)
	c.form(path+".client_id", m.ClientID, guidForm, "GUID")
	c.unique("app", path+".client_id", m.ClientID)
	c.federated(path, m.ClientID, m.FederatedCredentials)
	c.held(path, m.Permissions, m.Roles)
}

func (c *checker) place(path, subscription, group string) {
	if subscription == "" {
		c.Add(path+".subscription", "is missing: the tenant has none in this document")
	} else {
		c.form(path+".subscription", subscription, guidForm, "GUID")
	}
	if len(group) > maxGroupName || !groupName.MatchString(group) {
		c.Add(path+".resource_group", "%q is no resource group name", group)
	}
}

func (c *checker) machine(path string, m Machine) {
	c.form(path+".name", m.Name, machineName, "lower-case DNS label")
	c.unique("machine", path+".name", m.Name)
	c.place(path, m.Subscription, m.ResourceGroup)
	if machineTypes[m.Kind] == "" {
		c.Add(path+".kind", "%q is none of vm, app_service, arc, cloud_shell", m.Kind)
	} else {
		c.form(path+".resource_id", m.ResourceID, armID, "ARM id")
		// By this in their ARM id, tokens of user-assigned identities are known, which alone may be exchanged.
		if strings.Contains(strings.ToLower(m.ResourceID), strings.ToLower("/providers/"+identityType+"/")) {
			c.Add(path+".resource_id", "is that of an identity, which no machine is")
		}
	}
	for i, id := range m.Identities {
		p := fmt.Sprintf("%s.identities[%d]", path, i)
		if strings.HasPrefix(id, "/") {
			c.form(p, id, identityID, "ARM id of a user-assigned identity")
		} else {
			c.form(p, id, identityName, "name of an identity")
		}
	}
	if !m.SystemAssigned && len(m.Permissions)+len(m.Roles) > 0 {
		c.Add(path+".system_assigned", "permissions and roles are those of the system-assigned identity, which it has not")
	}
	c.held(path, m.Permissions, m.Roles)
}

// held checks what a principal holds.
func (c *checker) held(path string, permissions []Permission, roles []Role) {
	for i, g := range permissions {
		if g.Role == "" {
			c.Add(fmt.Sprintf("%s.permissions[%d].role", path, i), "is missing")
		}
	}
	for i, r := range roles {
		c.role(fmt.Sprintf("%s.roles[%d]", path, i), r)
	}
}

// Check reports everything wrong with a complete machine, as config.Problems with paths inside of it.
func (m Machine) Check() error {
	c := &checker{seen: map[string]string{}}
	c.machine("", m)
	for i := range c.Problems {
		c.Problems[i].Path = strings.TrimPrefix(c.Problems[i].Path, ".")
	}
	return c.Err()
}
