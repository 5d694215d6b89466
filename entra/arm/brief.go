package arm

import (
	"encoding/json"
	"slices"

	"github.com/treatyfed/treaty/core/evidence"
)

// Bounds of a decision's record: 4,000 assignments of roles with 2,048 actions each may be looked at, and an
// event that is too large to be kept would refuse the call.
const (
	maxEvidence      = 128 << 10 // bytes; a larger decision is kept in brief
	briefAssignments = 30
	briefChecks      = 12
	briefValues      = 10
	briefValue       = 128 // bytes
)

// encode writes a decision for the record. One that is too large keeps the assignments that grant, then
// those whose scope covers the request's, then others, and says how many it leaves out.
func (d Decision) encode() ([]byte, error) {
	if d.size() <= maxEvidence {
		return json.Marshal(d)
	}
	all := slices.Clone(d.Assignments)
	weight := func(c ConsideredAssignment) int {
		switch {
		case c.Grants:
			return 0
		case c.reaching:
			return 1
		}
		return 2
	}
	slices.SortStableFunc(all, func(x, y ConsideredAssignment) int { return weight(x) - weight(y) })
	d.Assignments = all[:min(len(all), briefAssignments)]
	d.Omitted = len(all) - len(d.Assignments)
	for i := range d.Assignments {
		c := &d.Assignments[i]
		c.Checks = slices.Clone(c.Checks[:min(len(c.Checks), briefChecks)])
		for j := range c.Checks {
			c.Checks[j].Want, c.Checks[j].Got = few(c.Checks[j].Want), few(c.Checks[j].Got)
			c.Checks[j].Note = evidence.Clip(c.Checks[j].Note)
		}
	}
	return json.Marshal(d)
}

// size is about how long the decision is, or more than maxEvidence: it is not worth counting further.
func (d Decision) size() (n int) {
	for _, a := range d.Assignments {
		n += len(a.ID) + len(a.Role) + len(a.RoleID) + len(a.Scope) + 64
		for _, c := range a.Checks {
			n += len(c.Name) + len(c.Note) + 64
			for _, v := range c.Want {
				if n += len(v) + 3; n > maxEvidence {
					return n
				}
			}
		}
	}
	return n
}

func few(values []string) []string {
	out := slices.Clone(values[:min(len(values), briefValues)])
	for i := range out {
		out[i] = evidence.ClipTo(out[i], briefValue)
	}
	return out
}
