package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/treatyfed/treaty/cmd/treaty/demo"
	"github.com/treatyfed/treaty/server"
)

const demoHelp = `Start a twin in memory and carry out, with the real SDK clients in this process, what Treaty is
for: a Cognito identity-pool token becomes an Entra access token, which reads Microsoft Graph and
Azure; an Entra token becomes the temporary keys of an AWS role, and the role's own token an Entra
token again; a token of an identity provider outside both clouds is taken by both; a managed
identity opens a second Entra tenant, where any other token of the first is refused. On the way
there are refusals, with the reason.

Each step prints what was done, the decoded tokens and the decision behind the answer. Nothing
leaves the machine and nothing is kept.`

func (a *app) demo() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "demo", Short: "See it work: the whole exchange, step by step, in memory", Long: demoHelp, Args: noArgs,
		Example: "  treaty demo\n  treaty demo --json | jq .did",
		RunE:    func(c *cobra.Command, _ []string) error { return a.runDemo(c.Context(), asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a step")
	return c
}

func (a *app) runDemo(ctx context.Context, asJSON bool) (err error) {
	s, err := server.New(ctx, server.Config{Getenv: func(string) string { return "" }, Version: version()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	who, names, client := s.Credentials(), s.Names(), s.HTTPClient()
	stage := &demo.Stage{
		Out: a.stdout, JSON: asJSON, Colour: a.colour(), Client: client,
		AWS: aws.Config{
			Region: who.AWS.Region, HTTPClient: client,
			Credentials: credentials.NewStaticCredentialsProvider(who.AWS.AccessKeyID, who.AWS.SecretAccessKey, ""),
		},
		TenantID: who.Azure.TenantID, Subscription: who.Azure.SubscriptionID, AdminID: who.Azure.ClientID, AdminSecret: who.Azure.ClientSecret,
		GraphURL: names.Graph, ARMURL: names.ARM,
		Explain: s.Explain, Control: s.Control, NewID: uuid.NewString,
	}
	for _, flow := range []interface{ Run(context.Context) error }{
		&demo.CognitoToEntra{Stage: stage}, &demo.EntraToAWS{Stage: stage}, &demo.OutsideToBoth{Stage: stage}, &demo.AcrossTenants{Stage: stage},
	} {
		if err := flow.Run(ctx); err != nil {
			return err
		}
	}
	if asJSON {
		return nil
	}
	_, err = fmt.Fprint(a.stdout, "\nThat was a server in memory. To have one for your own tools: treaty serve, then treaty exec --twin -- COMMAND\n")
	return err
}
