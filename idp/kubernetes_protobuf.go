package idp

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// kubernetesProtobuf is how kubectl and client-go send what they create, since Kubernetes 1.32. They take
// JSON in answer.
const kubernetesProtobuf = "application/vnd.kubernetes.protobuf"

// protobufMagic begins every object of Kubernetes in this form ("Kubernetes Protobuf encoding").
const protobufMagic = "k8s\x00"

var errProtobuf = errors.New("the body is not a protocol buffer of Kubernetes")

// readProtobuf reads a TokenRequest in protocol buffers: a runtime.Unknown with the object inside. Field
// numbers are those of generated.proto in k8s.io/api and k8s.io/apimachinery.
func (in *tokenRequest) readProtobuf(body []byte) error {
	if len(body) < len(protobufMagic) || string(body[:len(protobufMagic)]) != protobufMagic {
		return errProtobuf
	}
	return eachField(body[len(protobufMagic):], func(unknown int, v protoValue) error {
		switch unknown {
		case 1: // typeMeta
			return eachField(v.bytes, textFields(1, &in.APIVersion, 2, &in.Kind))
		case 2: // raw
			return in.readMessage(v.bytes)
		}
		return nil
	})
}

func (in *tokenRequest) readMessage(raw []byte) error {
	return eachField(raw, func(field int, v protoValue) error {
		switch field {
		case 1: // metadata
			return eachField(v.bytes, textFields(1, &in.Metadata.Name, 3, &in.Metadata.Namespace))
		case 2: // spec
			return eachField(v.bytes, in.Spec.readField)
		}
		return nil
	})
}

func (s *tokenSpec) readField(field int, v protoValue) error {
	switch field {
	case 1:
		audience, err := v.text()
		s.Audiences = append(s.Audiences, audience)
		return err
	case 3:
		if s.Bound == nil {
			s.Bound = &boundTo{}
		}
		b := s.Bound
		return eachField(v.bytes, textFields(1, &b.Kind, 2, &b.APIVersion, 3, &b.Name, 4, &b.UID))
	case 4:
		s.Expiration = new(int64(v.number))
	}
	return nil
}

// textFields fills texts from the fields of a message: pairs of a field's number and its place.
func textFields(pairs ...any) func(int, protoValue) error {
	return func(field int, v protoValue) (err error) {
		for n := 0; n+1 < len(pairs); n += 2 {
			if pairs[n] == field {
				*pairs[n+1].(*string), err = v.text()
			}
		}
		return err
	}
}

// protoValue is a field's value: a number, or bytes.
type protoValue struct {
	number uint64
	bytes  []byte
}

func (v protoValue) text() (string, error) {
	if !utf8.Valid(v.bytes) {
		return "", errProtobuf
	}
	return string(v.bytes), nil
}

// eachField walks the fields of a message ("Protocol Buffers: Encoding"). Groups, which are out of use, and
// whatever is cut short are an error.
func eachField(message []byte, visit func(field int, v protoValue) error) error {
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<29 {
			return errProtobuf
		}
		message = message[n:]
		var v protoValue
		size := 0
		switch tag & 7 {
		case 0:
			v.number, size = binary.Uvarint(message)
		case 1:
			size = 8
		case 2:
			length, n := binary.Uvarint(message)
			if n <= 0 || length > uint64(len(message)-n) {
				return errProtobuf
			}
			size = n + int(length)
			v.bytes = message[n:size]
		case 5:
			size = 4
		}
		if size <= 0 || size > len(message) {
			return errProtobuf
		}
		message = message[size:]
		if err := visit(int(tag>>3), v); err != nil {
			return err
		}
	}
	return nil
}
