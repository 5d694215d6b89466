package graph

import (
	"context"
	"encoding/json"
	"maps"
	"net/url"
	"strings"

	"github.com/treatyfed/treaty/wire/rest"
)

// listOwnerReferences lists the owners as references. There is nothing to select of a reference.
func (s *Service) listOwnerReferences(kind string) func(context.Context, *call, *byKey) (*answer, error) {
	return func(ctx context.Context, c *call, in *byKey) (*answer, error) {
		plain := *c
		plain.params = maps.Clone(c.params)
		for _, name := range []string{"$select", "select", "$expand", "expand"} {
			delete(plain.params, name)
		}
		a, err := s.owners(ctx, &plain, kind, in.Key, "Collection($ref)")
		if err != nil {
			return nil, err
		}
		body, _ := a.body.(map[string]any)
		found, _ := body["value"].([]map[string]any)
		for i, m := range found {
			found[i] = map[string]any{"@odata.id": s.referenceTo(c, m)}
		}
		a.references = true
		return a, nil
	}
}

// getOwnerReference answers with the reference of one owner (OData Protocol 4.01 section 11.2.8). Terraform's
// client asks for it before it removes an owner, selecting properties that a reference does not have.
func (s *Service) getOwnerReference(kind string) func(context.Context, *call, *byChild) (*answer, error) {
	return func(ctx context.Context, c *call, in *byChild) (*answer, error) {
		o, err := s.permitted(ctx, c, kind, in.Key, readApplications)
		if err != nil {
			return nil, err
		}
		if !containsFold(*o.owners(), in.Child) {
			return nil, notFound(in.Child)
		}
		m, err := s.objectResource(ctx, c, canonical(in.Child))
		if err != nil {
			return nil, err
		}
		if m == nil { // it was deleted since, and with it the link
			return nil, notFound(in.Child)
		}
		return &answer{references: true, body: map[string]any{"@odata.context": s.metadata(c, "$ref"), "@odata.id": s.referenceTo(c, m)}}, nil
	}
}

// referenceTo is the @odata.id of a directory object.
func (s *Service) referenceTo(c *call, m map[string]any) string {
	kind, _ := m["@odata.type"].(string)
	id, _ := m["id"].(string)
	return s.directoryLink(c, strings.TrimPrefix(kind, "#microsoft.graph."), id)
}

// reference reads the id at the end of an @odata.id or bound URL: …/directoryObjects/{id}, or the same with
// the type behind it, as references and full metadata give it.
func reference(raw json.RawMessage) (string, error) {
	var link string
	if err := rest.Decode(raw, &link); err != nil || len(link) > maxText {
		return "", badRequest("Invalid URL format specified for @odata.id.")
	}
	u, err := url.Parse(link)
	if err != nil {
		return "", badRequest("Invalid URL format specified for @odata.id.")
	}
	path, ok := segments.Normalise(u.EscapedPath())
	parts := strings.Split(path, "/")
	if last := parts[len(parts)-1]; len(parts) > 2 && len(last) > len(classPrefix) && strings.EqualFold(last[:len(classPrefix)], classPrefix) {
		parts = parts[:len(parts)-1]
	}
	id := parts[len(parts)-1]
	if !ok || !isGUID(id) {
		return "", badRequest("Invalid URL format specified for @odata.id.")
	}
	return strings.ToLower(id), nil
}
