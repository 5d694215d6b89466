package idp

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// kubernetesStatus is a meta/v1 Status that tells of a failure.
type kubernetesStatus struct {
	Code    int
	Reason  string
	Message string
	Details *kubernetesDetails
}

type kubernetesDetails struct {
	Name   string            `json:"name,omitempty"`
	Group  string            `json:"group,omitempty"`
	Kind   string            `json:"kind,omitempty"`
	Causes []kubernetesCause `json:"causes,omitempty"`
}

type kubernetesCause struct {
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Field   string `json:"field"`
}

func kubernetesNoResource() kubernetesStatus {
	return kubernetesStatus{Code: http.StatusNotFound, Reason: "NotFound", Message: "the server could not find the requested resource", Details: &kubernetesDetails{}}
}

func kubernetesBad(message string) kubernetesStatus {
	return kubernetesStatus{Code: http.StatusBadRequest, Reason: "BadRequest", Message: message}
}

func kubernetesForbidden(user, namespace, name string) kubernetesStatus {
	return kubernetesStatus{Code: http.StatusForbidden, Reason: "Forbidden",
		Message: fmt.Sprintf("serviceaccounts %q is forbidden: User %q cannot create resource \"serviceaccounts/token\" in API group \"\" in the namespace %q", name, user, namespace),
		Details: &kubernetesDetails{Name: name, Kind: "serviceaccounts"}}
}

func kubernetesInvalid(field string, v int64, why string) kubernetesStatus {
	why = fmt.Sprintf("Invalid value: %d: %s", v, why)
	return kubernetesStatus{Code: http.StatusUnprocessableEntity, Reason: "Invalid",
		Message: fmt.Sprintf("TokenRequest.authentication.k8s.io \"\" is invalid: %s: %s", field, why),
		Details: &kubernetesDetails{Group: "authentication.k8s.io", Kind: "TokenRequest", Causes: []kubernetesCause{{"FieldValueInvalid", why, field}}}}
}

// kubernetesFailure is a refusal that is not the protocol's: a rule that failed, or a failure of our own.
func kubernetesFailure(e *Refusal) kubernetesStatus {
	switch e.Status {
	case http.StatusBadRequest:
		return kubernetesBad(e.Description)
	case http.StatusServiceUnavailable:
		return kubernetesStatus{Code: e.Status, Reason: "ServiceUnavailable", Message: e.Description}
	}
	return kubernetesStatus{Code: http.StatusInternalServerError, Reason: "InternalError", Message: "Internal error occurred: " + e.Description}
}

func (s *Service) writeStatus(w http.ResponseWriter, k kubernetesStatus) {
	s.writeKubernetes(w, k.Code, struct {
		Kind       string             `json:"kind"`
		APIVersion string             `json:"apiVersion"`
		Metadata   struct{}           `json:"metadata"`
		Status     string             `json:"status"`
		Message    string             `json:"message"`
		Reason     string             `json:"reason"`
		Details    *kubernetesDetails `json:"details,omitempty"`
		Code       int                `json:"code"`
	}{Kind: "Status", APIVersion: "v1", Status: "Failure", Message: k.Message, Reason: k.Reason, Details: k.Details, Code: k.Code})
}

// writeKubernetes writes JSON as kube-apiserver does: with a line's end.
func (s *Service) writeKubernetes(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	h.Set("Cache-Control", "no-cache, private")
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client is gone if this fails
}
