// Package constraints holds the tables of member constraints of the services that Treaty serves, one
// generated text file each, in the format of wire/aws.Checker.
//
// It owns nothing but the files. modelgen makes them from the trimmed service models in its testdata,
// and a test there makes them again and compares.
package constraints

import _ "embed"

// The tables, by signing name.
var (
	//go:embed cognito-identity.txt
	CognitoIdentity string
	//go:embed iam.txt
	IAM string
	//go:embed sts.txt
	STS string
)
