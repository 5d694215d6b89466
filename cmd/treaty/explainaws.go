package main

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/explain"
	"github.com/treatyfed/treaty/server"
	"github.com/treatyfed/treaty/server/folder"
)

const awsHelp = `Tell whether a token would get a role's credentials by AssumeRoleWithWebIdentity: the token itself, the
account's OIDC provider for its issuer, the role's trust policy condition by condition, and what the role
may then do. It is the decision of STS itself. Nothing is issued or recorded.

The role is one of the data folder's server, running or not. The token's keys are asked of its issuer.

Exit codes: 0 it would get them, 10 it would not, 2 wrong usage, 3 no server and no database, 1 any
other failure.`

const awsExamples = `  treaty explain aws --token token.jwt --role arn:aws:iam::123456789012:role/deployer
  treaty explain aws --token - --role arn:aws:iam::123456789012:role/deployer --session ci --json
  treaty explain aws --token token.jwt --role arn:aws:iam::123456789012:role/deployer --action s3:GetObject --resource arn:aws:s3:::reports/a.csv`

const policyHelp = `Tell what the policies of a user, role or account's root say to an action on a resource: every type of
policy that has a say, and every statement that matters with its conditions. It is the decision that each
signed call meets.

Condition keys that a call would bring (--context KEY=VALUE, again for more values) are absent unless given.

Exit codes: 0 allowed, 10 not, 2 wrong usage, 3 no server and no database, 1 any other failure.`

const policyExamples = `  treaty explain policy --principal arn:aws:iam::123456789012:user/ann --action s3:GetObject --resource arn:aws:s3:::reports/a.csv
  treaty explain policy --principal arn:aws:iam::123456789012:role/deployer --action iam:PassRole --resource '*' --context iam:PassedToService=ec2.amazonaws.com`

func (a *app) explainAWS(asJSON *bool) *cobra.Command {
	var q server.RoleQuestion
	var file string
	c := &cobra.Command{
		Use: "aws --token FILE --role ARN", Short: "Tell whether a token would get a role at AWS", Long: awsHelp, Example: awsExamples, Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			const hint = "treaty explain aws --help has examples"
			if file == "" || q.Role == "" {
				return usage(hint, "--token and --role are needed")
			}
			raw, err := a.read(file)
			if err != nil {
				return err
			}
			q.Token = strings.TrimSpace(string(raw))
			return a.ask(c.Context(), "explain/role", q, *asJSON, func(ctx context.Context, s *server.Server) (explain.Report, error) { return s.ExplainRole(ctx, q) })
		},
	}
	fl := c.Flags()
	fl.StringVar(&file, "token", "", "`file` with the token, - for standard input")
	fl.StringVar(&q.Role, "role", "", "`ARN` of the role")
	fl.StringVar(&q.Session, "session", "explain", "role session `name`")
	fl.StringVar(&q.Action, "action", "", "tell as well what the session may do: an `action`, as s3:GetObject")
	fl.StringVar(&q.Resource, "resource", "", "`ARN` that the action is on (default *)")
	return c
}

func (a *app) explainPolicy(asJSON *bool) *cobra.Command {
	var q server.PolicyQuestion
	var keys []string
	c := &cobra.Command{
		Use: "policy --principal ARN --action ACTION --resource ARN", Short: "Tell what a principal's policies say", Long: policyHelp, Example: policyExamples, Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			const hint = "treaty explain policy --help has examples"
			if q.Principal == "" || q.Action == "" || q.Resource == "" {
				return usage(hint, "--principal, --action and --resource are needed")
			}
			q.Context = map[string][]string{}
			for _, pair := range keys {
				key, value, ok := strings.Cut(pair, "=")
				if !ok || key == "" {
					return usage(hint, "--context %q is not KEY=VALUE", pair)
				}
				q.Context[key] = append(q.Context[key], value)
			}
			return a.ask(c.Context(), "explain/policy", q, *asJSON, func(ctx context.Context, s *server.Server) (explain.Report, error) { return s.ExplainPolicy(ctx, q) })
		},
	}
	fl := c.Flags()
	fl.StringVar(&q.Principal, "principal", "", "`ARN` of a user, role, role session or root")
	fl.StringVar(&q.Action, "action", "", "`action`, as s3:GetObject")
	fl.StringVar(&q.Resource, "resource", "", "`ARN` of the resource, or *")
	fl.StringArrayVar(&keys, "context", nil, "condition `KEY=VALUE` that the call brings")
	return c
}

// ask has a question answered by the running server, else by the data folder's at rest.
func (a *app) ask(ctx context.Context, path string, question any, asJSON bool, atRest func(context.Context, *server.Server) (explain.Report, error)) error {
	var r explain.Report
	err := a.control(ctx, http.MethodPost, path, question, &r)
	if errors.Is(err, folder.ErrNoServer) {
		err = a.atRest(ctx, func(s *server.Server) error {
			r, err = atRest(ctx, s)
			return missing(err)
		})
	}
	if err != nil {
		return err
	}
	return a.printReport(r, asJSON)
}

// missing words a fault about what a question names as the running server does.
func missing(err error) error {
	var f *fault.Fault
	if errors.As(err, &f) && (f.Kind == fault.NotFound || f.Kind == fault.Invalid) {
		return errors.New(server.Missing(f))
	}
	return err
}
