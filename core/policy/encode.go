package policy

import (
	"strconv"

	"github.com/treatyfed/treaty/core/evidence"
)

// AppendDecisions writes decisions as encoding/json does, without its reflection: every signed call carries
// one into the audit.
func AppendDecisions(b []byte, ds []Decision) []byte {
	b = append(b, '[')
	for i := range ds {
		if i > 0 {
			b = append(b, ',')
		}
		b = ds[i].append(b)
	}
	return append(b, ']')
}

func (d *Decision) append(b []byte) []byte {
	b = evidence.AppendString(append(b, `{"result":`...), string(d.Result))
	b = evidence.AppendString(append(b, `,"action":`...), d.Action)
	b = evidence.AppendString(append(b, `,"resource":`...), d.Resource)
	b = evidence.AppendString(append(b, `,"caller":`...), d.Caller)
	if d.Because != "" {
		b = evidence.AppendString(append(b, `,"because":`...), d.Because)
	}
	b = append(b, `,"layers":`...)
	if d.Layers == nil {
		b = append(b, "null"...)
	} else {
		b = append(b, '[')
		for i := range d.Layers {
			if i > 0 {
				b = append(b, ',')
			}
			b = d.Layers[i].append(b)
		}
		b = append(b, ']')
	}
	if len(d.Statements) > 0 {
		b = append(b, `,"statements":[`...)
		for i := range d.Statements {
			if i > 0 {
				b = append(b, ',')
			}
			b = d.Statements[i].append(b)
		}
		b = append(b, ']')
	}
	return append(evidence.AppendStrings(b, `,"missing":`, d.Missing), '}')
}

func (l *Layer) append(b []byte) []byte {
	b = evidence.AppendString(append(b, `{"type":`...), l.Type.String())
	b = evidence.AppendString(append(b, `,"result":`...), string(l.Result))
	b = strconv.AppendBool(append(b, `,"needed":`...), l.Needed)
	b = strconv.AppendInt(append(b, `,"statements":`...), int64(l.Statements), 10)
	if l.Note != "" {
		b = evidence.AppendString(append(b, `,"note":`...), l.Note)
	}
	return append(b, '}')
}

func (m *Matched) append(b []byte) []byte {
	b = evidence.AppendString(append(b, `{"source":`...), m.Source)
	b = evidence.AppendString(append(b, `,"type":`...), m.Type.String())
	b = strconv.AppendInt(append(b, `,"index":`...), int64(m.Index), 10)
	if m.SID != "" {
		b = evidence.AppendString(append(b, `,"sid":`...), m.SID)
	}
	b = evidence.AppendString(append(b, `,"effect":`...), string(m.Effect))
	b = strconv.AppendBool(append(b, `,"applies":`...), m.Applies)
	b = m.Checks.AppendJSON(append(b, `,"checks":`...))
	b = m.Start.append(append(b, `,"start":`...))
	return append(m.End.append(append(b, `,"end":`...)), '}')
}

func (p Position) append(b []byte) []byte {
	b = strconv.AppendInt(append(b, `{"Line":`...), int64(p.Line), 10)
	return append(strconv.AppendInt(append(b, `,"Column":`...), int64(p.Column), 10), '}')
}
