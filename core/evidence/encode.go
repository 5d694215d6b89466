package evidence

import (
	"encoding/json"
	"strconv"
)

// AppendJSON writes checks as encoding/json does, without its reflection: each answer carries some two
// dozen of them into the audit.
func (cs Checks) AppendJSON(b []byte) []byte {
	if cs == nil {
		return append(b, "null"...)
	}
	b = append(b, '[')
	for i := range cs {
		if i > 0 {
			b = append(b, ',')
		}
		b = cs[i].append(b)
	}
	return append(b, ']')
}

func (c *Check) append(b []byte) []byte {
	b = AppendString(append(b, `{"name":`...), c.Name)
	b = appendMember(b, `,"claim":`, c.Claim)
	b = appendMember(b, `,"operator":`, c.Operator)
	b = AppendStrings(b, `,"want":`, c.Want)
	b = AppendStrings(b, `,"got":`, c.Got)
	b = strconv.AppendBool(append(b, `,"ok":`...), c.OK)
	if c.Skipped {
		b = append(b, `,"skipped":true`...)
	}
	b = appendMember(b, `,"note":`, c.Note)
	b = appendMember(b, `,"fix":`, c.Fix)
	return append(b, '}')
}

func appendMember(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return AppendString(append(b, name...), value)
}

// AppendStrings writes a member whose value is a list of texts, unless it is empty.
func AppendStrings(b []byte, name string, values []string) []byte {
	if len(values) == 0 {
		return b
	}
	b = append(append(b, name...), '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendString(b, v)
	}
	return append(b, ']')
}

// AppendString writes a text as JSON, as encoding/json does.
func AppendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(s) // of a string: never fails
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
