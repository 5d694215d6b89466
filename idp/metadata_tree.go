package idp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/treatyfed/treaty/core/directory"
)

// writeNode writes a value as text, a directory as its names, and either as JSON when it is asked for.
func writeNode(w http.ResponseWriter, r *http.Request, node any) {
	query := r.URL.Query()
	tree, is := node.(map[string]any)
	recursive := is && strings.EqualFold(query.Get("recursive"), "true")
	if recursive || query.Get("alt") == "json" {
		if is && !recursive {
			node = names(tree)
		}
		body, err := json.Marshal(node)
		if err != nil {
			refuseMetadata(w, r, http.StatusInternalServerError, "The value could not be written.")
			return
		}
		writeMetadata(w, "application/json", string(body))
		return
	}
	switch v := node.(type) {
	case map[string]any:
		writeMetadata(w, "application/text", strings.Join(append(names(v), ""), "\n"))
	case []string:
		writeMetadata(w, "application/text", strings.Join(append(v, ""), "\n"))
	default:
		writeMetadata(w, "application/text", fmt.Sprint(v))
	}
}

// names are what a directory has; directories among them end in a slash.
func names(tree map[string]any) []string {
	out := make([]string, 0, len(tree))
	for name, v := range tree {
		if _, is := v.(map[string]any); is {
			name += "/"
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// find walks a tree by a path.
func find(tree map[string]any, path string) (node any, directory, found bool) {
	node = tree
	for segment := range strings.SplitSeq(strings.TrimSuffix(path, "/"), "/") {
		if segment == "" {
			continue
		}
		name, err := url.PathUnescape(segment)
		if err != nil {
			return nil, false, false
		}
		t, is := node.(map[string]any)
		if node, found = t[name]; !is || !found {
			return nil, false, false
		}
	}
	_, directory = node.(map[string]any)
	return node, directory, directory || !strings.HasSuffix(path, "/")
}

// machineTree is what libraries ask about the machine. Access tokens of Google are not to be had here:
// service accounts have no "token".
func machineTree(i directory.Issuer) map[string]any {
	accounts := map[string]any{}
	for _, c := range i.Clients {
		email := textOf(googleAccount(i, c, nil), "email")
		accounts[email] = map[string]any{"aliases": []string{}, "email": email, "scopes": []string{"https://www.googleapis.com/auth/cloud-platform"}}
	}
	first, known := googleClient(i, "default")
	a := googleAccount(i, first, nil)
	if known {
		accounts["default"] = map[string]any{"aliases": []string{"default"}, "email": a["email"], "scopes": []string{"https://www.googleapis.com/auth/cloud-platform"}}
	}
	return map[string]any{
		"instance": map[string]any{
			"id":               json.Number(fmt.Sprint(a["instance_id"])),
			"name":             a["instance_name"],
			"zone":             fmt.Sprintf("projects/%v/zones/%v", a["project_number"], a["zone"]),
			"service-accounts": accounts,
		},
		"project":  map[string]any{"project-id": a["project_id"], "numeric-project-id": a["project_number"]},
		"universe": map[string]any{"universe-domain": "googleapis.com"},
	}
}
