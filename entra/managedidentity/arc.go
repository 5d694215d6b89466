package managedidentity

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/treatyfed/treaty/core/credential"
	"github.com/treatyfed/treaty/core/evidence"
)

// DefaultArcFolder is where the Connected Machine agent puts challenge files on Linux. Clients read them
// nowhere else.
const DefaultArcFolder = "/var/opt/azcmagent/tokens"

// arcVersions are the API versions that clients send: azure-identity 2019-11-01, MSAL 2020-06-01,
// Microsoft's examples also 2021-02-01.
var arcVersions = []string{"2019-08-15", "2019-11-01", "2020-06-01", "2021-02-01"}

// arcIdentityNotFound is how an agent that knows user-assigned identities refuses one that is not the
// machine's (tests of MSAL Go); it does so before the challenge (MSAL Python pull request 962).
var arcIdentityNotFound = refusal{status: http.StatusNotFound, code: "identity_not_found", text: "the requested identity has not been assigned to this resource"}

// arcRules: a real agent overlooks mi_res_id and answers with the system-assigned identity; here that
// name is refused, because a token of another identity than the one that was asked for helps nobody.
var arcRules = rules{accept: []string{"client_id", "object_id", "msi_res_id"}, other: arcIdentityNotFound, none: arcIdentityNotFound}

// arcToken is the endpoint of the Connected Machine agent (Microsoft, "Authenticate against Azure
// resources with Azure Arc-enabled servers"): who can read the file of the challenge may have the token.
func (s *Service) arcToken(ctx context.Context, r *http.Request, c *call) (answer, error) {
	c.metadata(r)
	c.method(r, http.MethodGet)
	c.read(r)
	c.version(arcVersions)
	c.target()
	if err := s.choose(ctx, c, arcRules); err != nil {
		return answer{}, err
	}
	s.challenge(ctx, r, c)
	t, err := s.token(ctx, c)
	body := c.metadataToken(t)
	// The answer names the selected identity by the selector's own name, which MSAL demands as proof that
	// the agent did not overlook it; client_id is there anyway.
	if c.query["object_id"] != "" {
		body.ObjectID = c.identity.principal.ID
	}
	if c.query["msi_res_id"] != "" {
		body.ResourceID = c.identity.principal.ResourceID
	}
	return c.granted(body), err
}

// challenge takes the secret of an earlier challenge, or makes a new challenge.
func (s *Service) challenge(ctx context.Context, r *http.Request, c *call) {
	if c.failed != nil {
		c.skip("challenge")
		return
	}
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	k := evidence.Check{Name: "challenge", Claim: "Authorization", Operator: "has the secret of a challenge file that is still open"}
	if k.OK = strings.EqualFold(scheme, "Basic") && s.challenges.take(credential.Secret(strings.TrimSpace(given)), c.machine.ID, c.now); k.OK {
		c.check(k, refusal{})
		return
	}
	folder := s.ArcFolder
	if folder == "" {
		folder = DefaultArcFolder
	}
	path, err := s.challenges.make(folder, c.machine.ID, c.now, s.Rand)
	if err != nil {
		s.log(ctx, c, fmt.Errorf("write the challenge of machine %s: %w", c.machine.Name, err))
		k.Note = "no challenge file can be written: " + err.Error()
		c.check(k, refusal{status: http.StatusInternalServerError, code: "challenge_file", text: "The challenge file cannot be written: " + err.Error() + ". The server must be able to write to " + folder + ", where clients look for it"})
		return
	}
	k.Note = "the secret is in a file now"
	if given != "" {
		k.Note = "this secret is unknown, used or too old; another is in a file now"
	}
	c.check(k, refusal{status: http.StatusUnauthorized, code: "challenge", text: "The content of the file that WWW-Authenticate names is needed as Authorization: Basic", challenge: "Basic realm=" + path})
}
