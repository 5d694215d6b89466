package policy

import (
	"fmt"
	"testing"
)

// BenchmarkEvaluate50 decides by fifty statements, of which most do not match: those of other services, those
// of other resources and one that applies, or none.
func BenchmarkEvaluate50(b *testing.B) {
	d := &Document{Version: variables}
	for i := range 50 {
		s := Statement{
			Effect:     Allow,
			Actions:    []string{fmt.Sprintf("dynamodb:Get%d*", i), "sqs:SendMessage", "s3:PutObject"},
			Resources:  []string{fmt.Sprintf("arn:aws:s3:::bucket-%d/${aws:username}/*", i), fmt.Sprintf("arn:aws:dynamodb:*:*:table/t%d", i)},
			Conditions: []Condition{{Operator: "StringEquals", Key: "aws:PrincipalTag/team", Values: []string{"red"}}},
		}
		if i < 40 {
			s.Actions[2] = "sqs:ReceiveMessage"
		}
		s.compile(d.Version)
		d.Statements = append(d.Statements, s)
	}
	x := Context{}
	x.Set("aws:username", "alice")
	x.Set("aws:PrincipalTag/team", "red")
	for name, r := range map[string]Request{
		"allowed": {Principal: cast["user"], Action: "s3:PutObject", Resource: "arn:aws:s3:::bucket-49/alice/x", Context: x},
		"denied":  {Principal: cast["user"], Action: "s3:DeleteObject", Resource: "arn:aws:s3:::bucket-x/alice/x", Context: x},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if Evaluate(r, Source{Type: IdentityBased, Document: d}).Allows() != (name == "allowed") {
					b.Fatal("decided otherwise")
				}
			}
		})
	}
}
