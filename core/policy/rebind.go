package policy

// Rebind gives a copy of a trust policy in which each AWS principal is what id makes of it: the unique id
// of the user or role that the ARN named when the policy was written, or the ARN itself. An entity that gets
// the same name later is another one (IAM user guide, "AWS JSON policy elements: Principal").
func (d *Document) Rebind(id func(arn string) string) *Document {
	out := *d
	out.Statements = make([]Statement, len(d.Statements))
	for i, s := range d.Statements {
		s.Principals, s.NotPrincipals = s.Principals.rebind(id), s.NotPrincipals.rebind(id)
		s.compile(d.Version)
		out.Statements[i] = s
	}
	return &out
}

func (p *Principals) rebind(id func(arn string) string) *Principals {
	if p == nil || len(p.AWS) == 0 {
		return p
	}
	out := *p
	out.AWS = make([]string, len(p.AWS))
	for i, arn := range p.AWS {
		out.AWS[i] = id(arn)
	}
	return &out
}
