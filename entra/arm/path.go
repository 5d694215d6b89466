package arm

import (
	"net/http"
	"net/url"
	"strings"
)

// Bounds of a path: ARM's own limit on a resource id is 1,600 characters.
const (
	maxPath     = 2048
	maxSegments = 40
)

// target is what a path names: an item or a collection of a type within a scope. Keywords, namespaces
// and types are in their canonical spelling, names as the caller wrote them.
type target struct {
	Kind         string // the path of the route that serves it
	Type         string // "Microsoft.Network/virtualNetworks/subnets"; the action without its verb
	Scope        string // what holds it: "/", "/subscriptions/S", …/resourceGroups/G, a resource's id
	Subscription string
	Group        string
	Names        []string // of the types' items, outermost first
	Collection   bool
	Post         bool   // an action such as register
	Namespace    string // of the provider that serves it
	kind         resourceType
}

// Name is the last of Names.
func (t target) Name() string {
	if len(t.Names) == 0 {
		return ""
	}
	return t.Names[len(t.Names)-1]
}

// ID is the item's resource id; a collection has none.
func (t target) ID() string {
	switch {
	case t.Collection:
		return ""
	case t.Namespace == "":
		return t.Scope
	}
	id := strings.TrimSuffix(t.Scope, "/") + "/providers/" + t.Namespace
	for i, typ := range strings.Split(t.Type, "/")[1:] {
		if i < len(t.Names) {
			id += "/" + typ + "/" + t.Names[i]
		}
	}
	return id
}

// action is what a method does to the target: "Microsoft.Network/virtualNetworks/read".
func (t target) action(method string) string {
	if t.Post {
		return t.Type + "/action"
	}
	switch method {
	case http.MethodGet, http.MethodHead:
		return t.Type + "/read"
	case http.MethodDelete:
		return t.Type + "/delete"
	case http.MethodPost:
		return t.Type + "/action"
	}
	return t.Type + "/write"
}

// authorizationScope is the scope of the access check, spelled as ARM spells it in its refusals: an item
// itself, and for a collection its scope with the provider, without it directly below a subscription.
func (t target) authorizationScope() string {
	if !t.Collection {
		return t.ID()
	}
	if t.Namespace == "" || len(t.Names) > 0 || isSubscription(t.Scope) && t.Namespace != authorizationNamespace {
		parent := t
		parent.Collection = false
		return parent.ID2()
	}
	return strings.TrimSuffix(t.Scope, "/") + "/providers/" + t.Namespace
}

// ID2 is the id of what directly holds a collection: its scope, or the item one level up.
func (t target) ID2() string {
	if t.Namespace == "" || len(t.Names) == 0 {
		return t.Scope
	}
	return t.ID()
}

func isSubscription(scope string) bool {
	return strings.HasPrefix(scope, "/subscriptions/") && strings.Count(scope, "/") == 2
}
