package arm

import (
	"net/http"
	"net/url"
	"strings"
)

// Bounds of a path. ARM's own limit on a resource id is 1,600 characters.
const (
	maxPath     = 4096
	maxSegments = 64
)

// target is what a path names: an item, or a collection of items, of a type within a scope. Keywords,
// namespaces and types that we know are in their canonical spelling, names as the caller wrote them.
type target struct {
	Kind         string   // the path of the route that serves it
	Type         string   // with its namespace; the action without its verb
	Namespace    string   // "" for ARM's own paths, such as subscriptions and resource groups
	Types        []string // below the namespace, outermost first
	Names        []string // of the items of Types; one fewer for a collection
	Scope        string   // what holds it: "/", a subscription, a group, a resource
	Subscription string
	Group        string
	Collection   bool
	spec         typeSpec
}

// Name is the item's own name.
func (t target) Name() string {
	if len(t.Names) == 0 {
		return ""
	}
	return t.Names[len(t.Names)-1]
}

// ID is the item's resource id, or that of what holds the collection.
func (t target) ID() string {
	if t.Namespace == "" || len(t.Names) == 0 {
		return t.Scope
	}
	return resourceID(t.Scope, t.Namespace, t.Types, t.Names)
}

func resourceID(scope, namespace string, types, names []string) string {
	id := strings.TrimSuffix(scope, "/") + "/providers/" + namespace
	for i, n := range names {
		id += "/" + types[i] + "/" + n
	}
	return id
}

// action is what a method does to the target: "Microsoft.Network/virtualNetworks/read".
func (t target) action(method string) string {
	switch {
	case t.Kind == "/register":
		return t.Type
	case method == http.MethodGet || method == http.MethodHead:
		return t.Type + "/read"
	case method == http.MethodDelete:
		return t.Type + "/delete"
	case method == http.MethodPost:
		return t.Type + "/action"
	}
	return t.Type + "/write"
}

// authorizationScope is the scope of the access check, spelled as ARM spells it in its refusals: an item
// is its own scope; a collection's is what holds it, with the provider's namespace except directly below
// a subscription, where only Microsoft.Authorization answers for itself.
func (t target) authorizationScope() string {
	direct := isSubscription(t.Scope) && t.Namespace != authorizationNamespace
	if !t.Collection || t.Namespace == "" || len(t.Names) > 0 || direct {
		return t.ID()
	}
	return strings.TrimSuffix(t.Scope, "/") + "/providers/" + t.Namespace
}

func isSubscription(scope string) bool {
	return strings.HasPrefix(scope, "/subscriptions/") && strings.Count(scope, "/") == 2
}

// parsePath reads an escaped path, keywords in any case, doubled slashes ignored.
func parsePath(escaped string) (target, error) {
	segs, err := segments(escaped)
	if err != nil {
		return target{}, err
	}
	t := target{Scope: "/"}
	switch {
	case len(segs) == 1 && is(segs[0], "tenants"):
		return t.own("/tenants", "Microsoft.Resources/tenants"), nil
	case len(segs) == 1 && is(segs[0], "subscriptions"):
		return t.own("/subscriptions", "Microsoft.Resources/subscriptions"), nil
	case len(segs) >= 2 && is(segs[0], "subscriptions"):
		t.Subscription, t.Scope = segs[1], "/subscriptions/"+segs[1]
		return t.inSubscription(segs[2:])
	case len(segs) > 0 && is(segs[0], "providers"):
		return t.provider(segs)
	}
	return t, errMissingSubscription()
}

func segments(escaped string) ([]string, error) {
	if len(escaped) > maxPath {
		return nil, errorf(414, "RequestUriTooLong", "The request URI is longer than %d characters.", maxPath)
	}
	var segs []string
	for s := range strings.SplitSeq(escaped, "/") {
		if s == "" {
			continue
		}
		u, err := url.PathUnescape(s)
		if err != nil || strings.ContainsFunc(u, func(r rune) bool { return r < ' ' || r == 0x7f || r == '/' || r == 0xfffd }) {
			return nil, errorf(400, "InvalidRequestUri", "The request URI is not valid.")
		}
		if segs = append(segs, u); len(segs) > maxSegments {
			return nil, errorf(414, "RequestUriTooLong", "The request URI has more than %d segments.", maxSegments)
		}
	}
	return segs, nil
}

func is(segment, keyword string) bool { return strings.EqualFold(segment, keyword) }

// own makes the target one of ARM's own types.
func (t target) own(kind, typ string) target {
	t.Kind, t.Type, t.spec = kind, typ, resourcesSpec
	switch kind {
	case "/tenants", "/subscriptions", "/groups", "/resources", "/locations", "/providers":
		t.Collection = true
	}
	return t
}

func (t target) inSubscription(segs []string) (target, error) {
	n := len(segs)
	switch {
	case n == 0:
		return t.own("/subscription", "Microsoft.Resources/subscriptions"), nil
	case is(segs[0], "resourceGroups") && n == 1:
		return t.own("/groups", "Microsoft.Resources/subscriptions/resourcegroups"), nil
	case is(segs[0], "resourceGroups"):
		t.Group = segs[1]
		t.Scope += "/resourceGroups/" + segs[1]
		return t.inGroup(segs[2:])
	case is(segs[0], "resources") && n == 1:
		return t.own("/resources", "Microsoft.Resources/subscriptions/resources"), nil
	case is(segs[0], "locations") && n == 1:
		return t.own("/locations", "Microsoft.Resources/subscriptions/locations"), nil
	case is(segs[0], "operationresults") && n == 2:
		t.Names = segs[1:]
		return t.own("/operationresult", "Microsoft.Resources/subscriptions/operationresults"), nil
	case is(segs[0], "providers"):
		return t.provider(segs)
	}
	return t, errNotFound(t.Scope + "/" + strings.Join(segs, "/"))
}

func (t target) inGroup(segs []string) (target, error) {
	switch {
	case len(segs) == 0:
		return t.own("/group", "Microsoft.Resources/subscriptions/resourcegroups"), nil
	case len(segs) == 1 && is(segs[0], "resources"):
		return t.own("/resources", "Microsoft.Resources/subscriptions/resourcegroups/resources"), nil
	case is(segs[0], "providers") && len(segs) > 2:
		return t.provider(segs)
	}
	return t, errNotFound(t.Scope + "/" + strings.Join(segs, "/"))
}

// provider reads providers/NAMESPACE/TYPE/NAME/…; a "providers" in the place of a type makes what came
// before it the scope of an extension, such as a role assignment on a virtual network.
func (t target) provider(segs []string) (target, error) {
	if t.Group == "" {
		switch {
		case len(segs) == 1:
			return t.own("/providers", "Microsoft.Resources/subscriptions/providers"), nil
		case len(segs) == 2:
			t.Names = []string{canonicalNamespace(segs[1])}
			return t.own("/provider", "Microsoft.Resources/subscriptions/providers"), nil
		case len(segs) == 3 && t.Subscription != "" && is(segs[2], "register"):
			t.Names = []string{canonicalNamespace(segs[1])}
			return t.own("/register", t.Names[0]+"/register/action"), nil
		}
	}
	for {
		if len(segs) < 3 {
			return t, errNotFound(strings.TrimSuffix(t.Scope, "/") + "/" + strings.Join(segs, "/"))
		}
		t.Namespace, t.Types, t.Names = canonicalNamespace(segs[1]), nil, nil
		segs = segs[2:]
		for len(segs) > 0 && !is(segs[0], "providers") {
			t.Types = append(t.Types, canonicalType(t.Namespace, len(t.Types), segs[0]))
			if len(segs) == 1 {
				segs = nil
				break
			}
			t.Names = append(t.Names, segs[1])
			segs = segs[2:]
		}
		if len(segs) == 0 {
			return t.typed(), nil
		}
		t.Scope = resourceID(t.Scope, t.Namespace, t.Types, t.Names)
	}
}

// typed fills what follows from namespace and types.
func (t target) typed() target {
	t.Type = t.Namespace + "/" + strings.Join(t.Types, "/")
	t.Collection = len(t.Names) < len(t.Types)
	t.Kind = "/item/" + lower(t.Type)
	if t.Collection {
		t.Kind = "/list/" + lower(t.Type)
	}
	return t
}

func lower(s string) string { return strings.ToLower(s) }
