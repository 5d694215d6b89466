package idp

import (
	"net/http"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
)

// kubernetesPreset is a cluster's service account issuer ("Managing Service Accounts", "Service Account
// Issuer Discovery"). A client is a service account: its id is NAMESPACE/NAME or
// system:serviceaccount:NAMESPACE:NAME, or the attributes namespace and serviceaccount say which. A client
// with the attribute user is a user instead, and may only ask for the tokens of service accounts that its
// attribute token_requests lists.
func kubernetesPreset() preset {
	return preset{
		discovery: []string{openIDPath},
		keys:      "/openid/v1/jwks",
		keysType:  "application/jwk-set+json",
		claims: map[string]string{
			"sub": `"system:serviceaccount:" + client.attributes.namespace + ":" + client.attributes.serviceaccount`,
			"aud": `size(request.targets) == 0 ? dyn([issuer]) : dyn(request.targets)`,
			"kubernetes.io": `{"namespace": client.attributes.namespace,
  "serviceaccount": {"name": client.attributes.serviceaccount, "uid": client.attributes.uid},
  ?"pod": request.parameters.?pod, ?"secret": request.parameters.?secret, ?"node": request.parameters.?node}`,
		},
		untyped: true,
		nbf:     true,
		tokenID: guid,
		derive:  kubernetesAccount,
		amend: func(d *discovery, _ directory.Issuer, _ string) {
			d.Claims = nil
		},
		serve: (*Service).serveKubernetes,
	}
}

// kubernetesAccount fills in which service account a client is, and its uid.
func kubernetesAccount(i directory.Issuer, c directory.IssuerClient, parameters map[string]any) map[string]any {
	a := attributesOf(c, nil)
	for _, name := range [...]string{"namespace", "serviceaccount", "uid"} { // of a mint without a client
		setDefault(a, name, parameters[name])
	}
	if namespace, name, is := serviceAccount(c); is {
		setDefault(a, "namespace", namespace)
		setDefault(a, "serviceaccount", name)
	}
	for name, v := range a {
		if v == nil {
			delete(a, name)
		}
	}
	if namespace, name := textOf(a, "namespace"), textOf(a, "serviceaccount"); name != "" {
		setDefault(a, "uid", derivedGUID(i.Name, "serviceaccount", namespace, name))
	}
	return a
}

// serviceAccount says which service account a client is, if it is one.
func serviceAccount(c directory.IssuerClient) (namespace, name string, is bool) {
	if c.ID == "" || textOf(c.Attributes, "user") != "" {
		return "", "", false
	}
	namespace, name = textOf(c.Attributes, "namespace"), textOf(c.Attributes, "serviceaccount")
	if namespace != "" && name != "" {
		return namespace, name, true
	}
	id := strings.Replace(strings.TrimPrefix(c.ID, "system:serviceaccount:"), ":", "/", 1)
	before, after, both := strings.Cut(id, "/")
	if !both {
		before, after = "default", id
	}
	if namespace == "" {
		namespace = before
	}
	if name == "" {
		name = after
	}
	return namespace, name, true
}

// userOf is what a cluster calls a client.
func userOf(c directory.IssuerClient) string {
	if c.ID == "" {
		return "system:anonymous"
	}
	if namespace, name, is := serviceAccount(c); is {
		return "system:serviceaccount:" + namespace + ":" + name
	}
	return textOf(c.Attributes, "user")
}

// accountNamed finds the client that is a service account.
func accountNamed(i directory.Issuer, namespace, name string) (directory.IssuerClient, bool) {
	at := slices.IndexFunc(i.Clients, func(c directory.IssuerClient) bool {
		ns, n, is := serviceAccount(c)
		return is && ns == namespace && n == name
	})
	if at < 0 {
		return directory.IssuerClient{}, false
	}
	return i.Clients[at], true
}

// mayRequest reports whether a client may ask for tokens of a service account: its own, and those that
// token_requests lists as NAMESPACE/NAME, NAMESPACE/* or *.
func mayRequest(c directory.IssuerClient, namespace, name string) bool {
	if ns, n, is := serviceAccount(c); is && ns == namespace && n == name {
		return true
	}
	list, _ := c.Attributes["token_requests"].([]any)
	for _, e := range list {
		if p, _ := e.(string); p == "*" || p == namespace+"/*" || p == namespace+"/"+name {
			return true
		}
	}
	return false
}

// serveKubernetes answers as kube-apiserver does below /api.
func (s *Service) serveKubernetes(w http.ResponseWriter, r *http.Request, i directory.Issuer, path string) bool {
	rest, api := strings.CutPrefix(path, "/api/v1/namespaces/")
	if !api {
		if path != "/api" && path != "/apis" && !strings.HasPrefix(path, "/api/") && !strings.HasPrefix(path, "/apis/") {
			return false
		}
		s.writeStatus(w, kubernetesNoResource())
		return true
	}
	p := strings.Split(rest, "/")
	if len(p) != 4 || p[0] == "" || p[1] != "serviceaccounts" || p[2] == "" || p[3] != "token" {
		s.writeStatus(w, kubernetesNoResource())
		return true
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		s.writeStatus(w, kubernetesStatus{Code: http.StatusMethodNotAllowed, Reason: "MethodNotAllowed",
			Message: "the server does not allow this method on the requested resource", Details: &kubernetesDetails{}})
		return true
	}
	s.requestToken(w, r, i, p[0], p[2])
	return true
}
