package check

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// figure is a float64 in JSON. JSON has no infinity, so something that never happened is the string "+Inf"; it is read
// back as the same.
type figure float64

// MarshalJSON writes a number, or "+Inf" or "-Inf".
func (f figure) MarshalJSON() ([]byte, error) {
	switch v := float64(f); {
	case math.IsNaN(v):
		return nil, fmt.Errorf("check: a figure is not a number")
	case math.IsInf(v, 0):
		return []byte(strconv.Quote(strconv.FormatFloat(v, 'g', -1, 64))), nil
	default:
		return json.Marshal(v)
	}
}

// UnmarshalJSON reads what MarshalJSON writes.
func (f *figure) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case `"+Inf"`:
		*f = figure(math.Inf(1))
		return nil
	case `"-Inf"`:
		*f = figure(math.Inf(-1))
		return nil
	}
	return json.Unmarshal(b, (*float64)(f))
}

type plainThreshold Threshold

// thresholdJSON has the figures of a threshold in place of its plain numbers.
type thresholdJSON struct {
	*plainThreshold
	Limit  figure `json:"limit"`
	Actual figure `json:"actual"`
	Margin figure `json:"margin"`
}

// MarshalJSON writes infinite figures as "+Inf" and "-Inf".
func (t Threshold) MarshalJSON() ([]byte, error) {
	return json.Marshal(thresholdJSON{(*plainThreshold)(&t), figure(t.Limit), figure(t.Actual), figure(t.Margin)})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Threshold) UnmarshalJSON(b []byte) error {
	in := thresholdJSON{plainThreshold: (*plainThreshold)(t)}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	t.Limit, t.Actual, t.Margin = float64(in.Limit), float64(in.Actual), float64(in.Margin)
	return nil
}

type plainResult Result

type resultJSON struct {
	*plainResult
	Metrics map[string]figure `json:"metrics"`
}

// MarshalJSON writes infinite figures as "+Inf" and "-Inf", and metrics in the order of their names.
func (r Result) MarshalJSON() ([]byte, error) {
	out := resultJSON{(*plainResult)(&r), make(map[string]figure, len(r.Metrics))}
	for name, v := range r.Metrics {
		out.Metrics[name] = figure(v)
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (r *Result) UnmarshalJSON(b []byte) error {
	in := resultJSON{plainResult: (*plainResult)(r)}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	r.Metrics = make(map[string]float64, len(in.Metrics))
	for name, v := range in.Metrics {
		r.Metrics[name] = float64(v)
	}
	return nil
}
