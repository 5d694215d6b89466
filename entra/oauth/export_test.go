package oauth

import (
	"context"

	"github.com/treatyfed/treaty/core/token"
)

// AddGrant adds a grant to the table as a later one would stand there: it says whether it needs a
// confidential client, and nothing else about authentication. ran is told the request's code whenever one
// of its hooks runs. It is for TestMain: the table is read by every request.
func AddGrant(name string, confidential bool, ran func(code string)) {
	grants = append(grants, grant{
		name:         name,
		confidential: confidential,
		needs:        []string{"code"},
		resource: func(c *call) (string, error) {
			ran(c.form["code"])
			return applicationResource(c)
		},
		claims: func(ctx context.Context, s *Service, c *call) (token.Claims, error) {
			ran(c.form["code"])
			return applicationClaims(ctx, s, c)
		},
	})
}
