package graph

import (
	"maps"
	"mime"
	"net/http"
	"strings"
)

// The amounts of control information that a client may ask for (OData JSON Format 4.01 section 3.1).
const (
	minimalMetadata = "minimal"
	fullMetadata    = "full"
	noMetadata      = "none"
)

// wantedMetadata reads odata.metadata of the first JSON media type of Accept; 4.01 lets the name go without
// its prefix. What is none of the three is minimal, as without any.
func wantedMetadata(h http.Header) string {
	for _, line := range h.Values("Accept") {
		for part := range strings.SplitSeq(line, ",") {
			media, params, err := mime.ParseMediaType(part)
			if err != nil || media != "application/json" {
				continue
			}
			level := params["odata.metadata"]
			if level == "" {
				level = params["metadata"]
			}
			if level = strings.ToLower(level); level == fullMetadata || level == noMetadata {
				return level
			}
			return minimalMetadata
		}
	}
	return minimalMetadata
}

// jsonType is the Content-Type of Graph's JSON with an amount of metadata.
func jsonType(metadata string) string {
	return "application/json;odata.metadata=" + metadata + ";odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
}

// entityTypes are the resource types of collections and navigation properties.
var entityTypes = map[string]string{
	applications: "application", servicePrincipals: "servicePrincipal", "users": "user",
	"organization": "organization", "domains": "domain", "oauth2PermissionGrants": "oAuth2PermissionGrant",
	"federatedIdentityCredentials": "federatedIdentityCredential",
	"appRoleAssignments":           "appRoleAssignment", "appRoleAssignedTo": "appRoleAssignment",
}

// described adds to an entity what only full metadata has: its type, its id and where it is edited. of is
// what stands behind "$metadata#" of the collection that it comes from. It is called before $select.
func (s *Service) described(c *call, of string, entity map[string]any) map[string]any {
	id, _ := entity["id"].(string)
	if c.metadata != fullMetadata || id == "" {
		return entity
	}
	owner, name, below := strings.Cut(of, "/")
	if !below {
		name = owner
	}
	out := maps.Clone(entity)
	if kind, known := entityTypes[name]; known {
		typed(out, kind)
	}
	kind, _ := out["@odata.type"].(string)
	kind = strings.TrimPrefix(kind, "#microsoft.graph.")
	link := s.directoryLink(c, kind, id)
	switch {
	case below:
		kind, key, _ := strings.Cut(owner, "(")
		link = s.GraphURL + "/v2/" + c.tenant.ID + "/directoryObjects/$/" + directoryClass(entityTypes[kind]) + "(" + key + "/" + name + "/" + id
	case kind == "domain" || kind == "oAuth2PermissionGrant": // no directory objects
		link = s.GraphURL + "/v2/" + c.tenant.ID + "/" + name + "/" + id
	}
	out["@odata.id"], out["@odata.editLink"] = link, link
	return out
}

// directoryLink is the id of a directory object as full metadata and references have it.
func (s *Service) directoryLink(c *call, kind, id string) string {
	return s.GraphURL + "/v2/" + c.tenant.ID + "/directoryObjects/" + id + "/" + directoryClass(kind)
}

// classPrefix starts the last segment of a directory object's id: the name that the directory itself has
// for the type ("Microsoft.DirectoryServices.ServicePrincipal").
const classPrefix = "Microsoft.DirectoryServices."

func directoryClass(kind string) string {
	if kind == "" {
		kind = "directoryObject"
	}
	return classPrefix + strings.ToUpper(kind[:1]) + kind[1:]
}

// undescribed is a value without control information at any depth, but for counts and next links, which
// odata.metadata=none keeps (OData JSON Format 4.01 section 3.1.3).
func undescribed(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, e := range v {
			_, control, annotation := strings.Cut(name, "@odata.")
			if !annotation || control == "count" || control == "nextLink" {
				out[name] = undescribed(e)
			}
		}
		return out
	case []map[string]any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = undescribed(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = undescribed(e)
		}
		return out
	}
	return v
}

// dress finishes an answer in the amount of metadata that was asked for. The id of a reference is what it
// consists of and stays.
func (c *call) dress(a *answer) {
	a.metadata = c.metadata
	body, ok := a.body.(map[string]any)
	switch {
	case c.metadata != noMetadata || !ok:
	case a.references:
		out := maps.Clone(body)
		delete(out, "@odata.context")
		a.body = out
	default:
		a.body = undescribed(body)
	}
}
