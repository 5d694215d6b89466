package aws

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"reflect"
	"time"
)

// AppendResult appends the answer of an awsQuery operation: <OpResponse> around <OpResult>, which an
// output without members lacks, and the request id.
func (c *Codec) AppendResult(b []byte, namespace, operation, requestID string, out any) []byte {
	b = append(b, "<"+operation+`Response xmlns="`...)
	b = append(escape(b, namespace), "\">\n"...)
	if v := reflect.ValueOf(out); !c.Empty(v.Type()) {
		b = c.element(append(b, "  "...), operation+"Result", v)
		b = append(b, '\n')
	}
	b = append(b, "  <ResponseMetadata>\n    <RequestId>"...)
	b = escape(b, requestID)
	return append(b, "</RequestId>\n  </ResponseMetadata>\n</"+operation+"Response>\n"...)
}

func (c *Codec) element(b []byte, name string, v reflect.Value) []byte {
	if v.Kind() == reflect.Slice && v.Len() == 0 {
		return append(b, "<"+name+"/>"...)
	}
	b = append(b, "<"+name+">"...)
	b = c.appendXML(b, v)
	return append(b, "</"+name+">"...)
}

// appendXML appends the content of an element: lists as <member>, maps as <entry>, timestamps in whole
// seconds of UTC, but for the exact ones.
func (c *Codec) appendXML(b []byte, v reflect.Value) []byte {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	switch {
	case isTime(v.Type()):
		return v.Interface().(time.Time).UTC().AppendFormat(b, "2006-01-02T15:04:05Z")
	case isBlob(v.Type()):
		return base64.StdEncoding.AppendEncode(b, v.Bytes())
	}
	switch v.Kind() {
	case reflect.Struct:
		for _, f := range c.fields(v.Type()) {
			m := v.Field(f.index)
			if absent(m) {
				continue
			}
			if when, ok := m.Interface().(*time.Time); ok && f.exact {
				b = append(b, "<"+f.name+">"...)
				b = when.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
				b = append(b, "</"+f.name+">"...)
				continue
			}
			b = c.element(b, f.name, m)
		}
		return b
	case reflect.Slice:
		for i := range v.Len() {
			b = c.element(b, "member", v.Index(i))
		}
		return b
	case reflect.Map:
		for _, k := range sortedKeys(v) {
			b = append(b, "<entry>"...)
			b = c.element(b, "key", k)
			b = c.element(b, "value", v.MapIndex(k))
			b = append(b, "</entry>"...)
		}
		return b
	case reflect.String:
		return escape(b, v.String())
	default:
		return appendNumber(b, v)
	}
}

// escape appends text for XML; what XML cannot carry becomes U+FFFD.
func escape(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '<' || c == '>' || c == '&' || c == '"' || c == '\'' {
			var w bytes.Buffer
			_ = xml.EscapeText(&w, []byte(s)) // a bytes.Buffer does not fail
			return append(b, w.Bytes()...)
		}
	}
	return append(b, s...)
}
