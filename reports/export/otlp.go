package export

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"strconv"
)

// The types below are the part of OTLP's JSON encoding (opentelemetry-proto, trace/v1) that is needed here.
type (
	otlpTraces struct {
		ResourceSpans []otlpResourceSpans `json:"resourceSpans"`
	}
	otlpResourceSpans struct {
		Resource   otlpResource     `json:"resource"`
		ScopeSpans []otlpScopeSpans `json:"scopeSpans"`
	}
	otlpResource struct {
		Attributes []otlpAttribute `json:"attributes"`
	}
	otlpScopeSpans struct {
		Scope otlpScope  `json:"scope"`
		Spans []otlpSpan `json:"spans"`
	}
	otlpScope struct {
		Name string `json:"name"`
	}
	otlpSpan struct {
		TraceID    string          `json:"traceId"`
		SpanID     string          `json:"spanId"`
		ParentID   string          `json:"parentSpanId,omitempty"`
		Name       string          `json:"name"`
		Kind       int             `json:"kind"`
		Start      string          `json:"startTimeUnixNano"`
		End        string          `json:"endTimeUnixNano"`
		Attributes []otlpAttribute `json:"attributes,omitempty"`
		Status     *otlpStatus     `json:"status,omitempty"`
	}
	otlpStatus struct {
		Code    int    `json:"code"`
		Message string `json:"message,omitempty"`
	}
	otlpAttribute struct {
		Key   string    `json:"key"`
		Value otlpValue `json:"value"`
	}
	otlpValue struct {
		String *string `json:"stringValue,omitempty"`
		Int    *string `json:"intValue,omitempty"`
	}
)

const (
	otlpInternal = 1 // a span's kind
	otlpError    = 2 // a status
)

func text(key, value string) otlpAttribute { return otlpAttribute{key, otlpValue{String: &value}} }

func count(key string, n int) otlpAttribute {
	digits := strconv.Itoa(n)
	return otlpAttribute{key, otlpValue{Int: &digits}}
}

// OTLP writes the run as one trace, as POST /v1/traces of an OpenTelemetry collector takes it.
func (r *Run) OTLP(w io.Writer) error {
	h := r.Header
	out := otlpScopeSpans{Scope: otlpScope{"github.com/respawn-go/respawn"}}
	for _, s := range r.Spans {
		out.Spans = append(out.Spans, r.otlp(s))
	}
	return json.NewEncoder(w).Encode(otlpTraces{[]otlpResourceSpans{{
		Resource: otlpResource{[]otlpAttribute{
			text("service.name", "respawn"), text("respawn.scenario", h.Scenario), text("respawn.run", h.Run),
			text("respawn.target", h.Target.Name),
		}},
		ScopeSpans: []otlpScopeSpans{out},
	}}})
}

func (r *Run) otlp(s *Span) otlpSpan {
	o := otlpSpan{
		TraceID: r.id(16), SpanID: r.id(8, string(s.Kind), s.ID), Name: s.Title(), Kind: otlpInternal,
		Start:      strconv.FormatInt(r.wall(s.Start).UnixNano(), 10),
		End:        strconv.FormatInt(r.wall(max(s.End, s.Start)).UnixNano(), 10),
		Attributes: []otlpAttribute{text("respawn.kind", string(s.Kind)), text("respawn.id", s.ID)},
	}
	if s.Parent != nil {
		o.ParentID = r.id(8, string(s.Parent.Kind), s.Parent.ID)
	}
	if s.Slot >= 0 {
		o.Attributes = append(o.Attributes, count("respawn.slot", s.Slot))
	}
	if s.PID > 0 {
		o.Attributes = append(o.Attributes, count("process.pid", s.PID))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Facts)) {
		o.Attributes = append(o.Attributes, text("respawn."+name, s.Facts[name]))
	}
	if s.Failed != "" {
		o.Status = &otlpStatus{otlpError, s.Failed}
	}
	return o
}
