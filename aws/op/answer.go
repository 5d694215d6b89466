package op

import (
	"context"
	"errors"
	"net/http"

	"github.com/treatyfed/treaty/core/fault"
	"github.com/treatyfed/treaty/wire/aws"
)

// answer writes an operation's output.
func (x *exchange) answer(out any) {
	var b []byte
	if x.service.Protocol == Query {
		x.w.Header().Set("Content-Type", aws.XMLType)
		b = x.d.codec.AppendResult(b, x.service.Namespace, x.row.name, x.info.ID, out)
	} else {
		x.w.Header().Set("Content-Type", aws.JSONType)
		b = x.d.codec.AppendJSON(b, out)
	}
	if x.service.CORS {
		aws.SetCORS(x.w.Header())
	}
	x.write(http.StatusOK, b)
}

// fail answers an error of any kind: the service's own as it is, others by the service's mapping.
func (x *exchange) fail(err error) {
	var own *Error
	if errors.As(err, &own) {
		x.refuse(own)
		return
	}
	if x.service != nil && x.service.Fault != nil {
		own = x.service.Fault(err)
	}
	if own == nil || own.status() >= http.StatusInternalServerError {
		if !errors.Is(err, context.Canceled) {
			x.d.log().ErrorContext(x.r.Context(), "aws operation failed", "request", x.info.ID, "operation", x.info.Operation, "error", err.Error())
		}
	}
	if own == nil {
		own = x.internal()
	}
	x.refuse(own)
}

// internal is the service's answer to what it cannot explain.
func (x *exchange) internal() *Error {
	if x.service != nil && x.service.Fault != nil {
		if own := x.service.Fault(fault.New(fault.Internal, x.info.Operation, "")); own != nil {
			return own
		}
	}
	return &Error{
		Code: "InternalFailure", Status: http.StatusInternalServerError,
		Message: "The request processing has failed because of an unknown error, exception or failure.",
	}
}

// refuse writes an error in the protocol of the service, or of the request as far as it is known.
func (x *exchange) refuse(e *Error) {
	x.info.Code = e.Code
	json := x.r.Header.Get("X-Amz-Target") != ""
	namespace := ""
	if x.service != nil {
		json = x.service.Protocol == JSON11
		namespace = x.service.Namespace
		if x.service.CORS {
			aws.SetCORS(x.w.Header())
		}
	}
	if json {
		x.w.Header().Set("Content-Type", aws.JSONType)
		aws.SetErrorHeaders(x.w.Header(), e.Code, e.Message)
		x.write(e.status(), aws.AppendJSONError(nil, e.Code, e.Message))
		return
	}
	x.w.Header().Set("Content-Type", aws.XMLType)
	x.write(e.status(), aws.AppendError(nil, namespace, x.info.ID, e.status(), e.Code, e.Message))
}

func (x *exchange) write(status int, b []byte) {
	x.w.WriteHeader(status)
	if _, err := x.w.Write(b); err != nil {
		x.d.log().DebugContext(x.r.Context(), "aws answer not written", "request", x.info.ID, "error", err.Error())
	}
}
