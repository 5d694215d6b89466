// Package telemetry is what a server says of itself to machines: Prometheus metrics, and OpenTelemetry
// traces when somebody has said where they go.
//
// It owns names and labels of the metrics, and the life of the trace exporter. What is measured comes from
// the server's middleware; nothing here is global, so that several servers live in one process.
package telemetry

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxOperations bounds the operation label: a client chooses part of it (X-Amz-Target, ARM types).
const maxOperations = 1000

// other stands for the operations beyond that.
const other = "other"

// Metrics are the server's own.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge

	mu         sync.Mutex
	operations map[[2]string]bool
}

// NewMetrics registers everything in a registry of its own. version and mode ("twin", "hub") label treaty_info.
func NewMetrics(version, mode string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "treaty_requests_total", Help: "Requests answered, by surface, operation, the cloud's own error code (empty on success) and HTTP status.",
		}, []string{"surface", "operation", "code", "status"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "treaty_request_duration_seconds", Help: "Time from a request's header to the end of its answer.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"surface", "operation"}),
		inFlight:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "treaty_requests_in_flight", Help: "Requests being answered."}),
		operations: map[[2]string]bool{},
	}
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "treaty_info", Help: "One, with the version and the mode of names as labels.", ConstLabels: prometheus.Labels{"version": version, "mode": mode},
	})
	info.Set(1)
	m.registry.MustRegister(m.requests, m.duration, m.inFlight, info,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// Begin notes a request; call the result when it is answered.
func (m *Metrics) Begin() (end func()) {
	m.inFlight.Inc()
	return m.inFlight.Dec
}

// Observe counts an answered request.
func (m *Metrics) Observe(surface, operation, code string, status int, took time.Duration) {
	operation, code = m.bounded(surface, operation, code, status)
	m.requests.WithLabelValues(surface, operation, code, strconv.Itoa(status)).Inc()
	m.duration.WithLabelValues(surface, operation).Observe(took.Seconds())
}

// bounded keeps the number of series finite. An operation that a client made up is refused as not found
// (404, or AWS's 400 codes for unknown operations), and those are counted together.
func (m *Metrics) bounded(surface, operation, code string, status int) (string, string) {
	switch code {
	case "UnknownOperationException", "InvalidAction", "MissingAction":
		return other, code
	}
	if status == http.StatusNotFound && code == "" {
		return other, code
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	key := [2]string{surface, operation}
	if !m.operations[key] {
		if len(m.operations) >= maxOperations {
			return other, code
		}
		m.operations[key] = true
	}
	return operation, code
}
