package poolprom_test

import (
	"context"
	"log"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/respawn-go/respawn/pool"
	"github.com/respawn-go/respawn/pool/poolprom"
)

// A pool's figures are collected when Prometheus asks for them.
func ExampleNew() {
	p, err := pool.New(context.Background(), pool.Config{Size: 4, Measure: true})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	prometheus.MustRegister(poolprom.New(p, prometheus.Labels{"pool": "images"}))
	http.Handle("/metrics", promhttp.Handler())
}
