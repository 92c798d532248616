// load puts the same load on any Kubernetes API server and prints what it took as one line of JSON. Only the standard library, so that
// `go build load.go` needs no network; written in Go because a generator in JavaScript would be the bottleneck.
//
//	load -server https://127.0.0.1:6443 -ca ca.crt -token T create|update|get|list|fill|watch [flags]
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	server      = flag.String("server", "", "https://127.0.0.1:6443")
	ca          = flag.String("ca", "", "PEM of the authority")
	token       = flag.String("token", "", "bearer token of an administrator")
	clients     = flag.Int("clients", 64, "requests under way at once")
	connections = flag.Int("connections", 16, "HTTP/2 connections that they share")
	duration    = flag.Duration("duration", 5*time.Second, "how long")
	size        = flag.Int("size", 200, "bytes of data in an object")
	count       = flag.Int("count", 10000, "fill: Services, each with a slice of 5 endpoints; watch: writes")
	watchers    = flag.Int("watchers", 1000, "watch: how many")
	pace        = flag.Float64("pace", 0, "requests a second of all clients together; 0: as fast as they are answered")
	prefix      = flag.String("prefix", "o", "names of objects; another one in each run")
)

// result is what one command prints. Times are in milliseconds.
type result struct {
	PerSecond float64 `json:"perSecond"`
	P50       float64 `json:"p50"`
	P99       float64 `json:"p99"`
	Count     int     `json:"count"`
	Bytes     int64   `json:"bytes,omitempty"`
}

func main() {
	flag.Parse()
	pool := newPool(*connections)
	var out result
	switch flag.Arg(0) {
	case "create":
		out = timed(pool, func(c *http.Client, client, turn int) int64 { return create(c, client, turn) })
	case "update":
		out = updates(pool)
	case "get":
		create(pool[0], 0, 0)
		out = timed(pool, func(c *http.Client, _, _ int) int64 { return do(c, "GET", maps+"/"+name(0, 0), nil) })
	case "list":
		out = timed(pool, func(c *http.Client, _, _ int) int64 { return do(c, "GET", "/api/v1/services", nil) })
	case "fill":
		out = fill(pool)
	case "watch":
		out = fanOut(pool)
	default:
		fail(fmt.Errorf("what to do: create, update, get, list, fill or watch"))
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "load:", err)
	os.Exit(1)
}

// newPool gives clients that have a connection each.
func newPool(size int) []*http.Client {
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(*ca)
	if err != nil {
		fail(err)
	}
	roots.AppendCertsFromPEM(pem)
	pool := make([]*http.Client, size)
	for i := range pool {
		pool[i] = &http.Client{Transport: &http.Transport{
			TLSClientConfig:    &tls.Config{RootCAs: roots},
			ForceAttemptHTTP2:  true,
			DisableCompression: true,
		}}
	}
	return pool
}

func request(ctx context.Context, method, path string, body []byte) *http.Request {
	req, err := http.NewRequestWithContext(ctx, method, *server+path, bytes.NewReader(body))
	if err != nil {
		fail(err)
	}
	req.Header.Set("Authorization", "Bearer "+*token)
	req.Header.Set("User-Agent", "load")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req
}

// do makes a request, reads the whole answer and gives its length. Anything but success ends the program.
func do(c *http.Client, method, path string, body []byte) int64 {
	res, err := c.Do(request(context.Background(), method, path, body))
	if err != nil {
		fail(err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		text, _ := io.ReadAll(res.Body)
		fail(fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, text))
	}
	n, err := io.Copy(io.Discard, res.Body)
	if err != nil {
		fail(err)
	}
	return n
}

// timed runs -clients loops of once for -duration. With -pace each request has its time, and the wait for a client that is late counts.
func timed(pool []*http.Client, once func(c *http.Client, client, turn int) int64) result {
	began := time.Now()
	end := began.Add(*duration)
	took := make([][]time.Duration, *clients)
	var total atomic.Int64
	each(*clients, func(client int) {
		c := pool[client%len(pool)]
		for turn := 0; time.Now().Before(end); turn++ {
			at := time.Now()
			if *pace > 0 {
				at = began.Add(time.Duration((float64(turn) + float64(client)/float64(*clients)) * float64(*clients) / *pace * float64(time.Second)))
				time.Sleep(time.Until(at))
			}
			total.Add(once(c, client, turn))
			took[client] = append(took[client], time.Since(at))
		}
	})
	return summary(flat(took), time.Since(began), total.Load())
}

func each(n int, f func(i int)) {
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { f(i) })
	}
	wait.Wait()
}

func flat(lists [][]time.Duration) []time.Duration {
	var all []time.Duration
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

func summary(took []time.Duration, elapsed time.Duration, bytes int64) result {
	sort.Slice(took, func(i, j int) bool { return took[i] < took[j] })
	at := func(share float64) float64 {
		if len(took) == 0 {
			return 0
		}
		return float64(took[int(float64(len(took)-1)*share)].Microseconds()) / 1000
	}
	return result{PerSecond: float64(len(took)) / elapsed.Seconds(), P50: at(0.5), P99: at(0.99), Count: len(took), Bytes: bytes}
}

const maps = "/api/v1/namespaces/default/configmaps"

func name(client, turn int) string { return fmt.Sprintf("%s-%d-%d", *prefix, client, turn) }

func configMap(name, text string) []byte {
	return fmt.Appendf(nil, `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":%q,"labels":{"app":"load"}},"data":{"text":%q}}`, name, text)
}

func create(c *http.Client, client, turn int) int64 {
	return do(c, "POST", maps, configMap(name(client, turn), strings.Repeat("x", *size)))
}

// updates: each client writes its own object again and again, each time with other data of the same size.
func updates(pool []*http.Client) result {
	each(*clients, func(client int) { create(pool[client%len(pool)], client, 0) })
	return timed(pool, func(c *http.Client, client, turn int) int64 {
		text := fmt.Sprintf("%0*d", *size, turn)
		return do(c, "PUT", maps+"/"+name(client, 0), configMap(name(client, 0), text))
	})
}

// fill makes -count Services and as many EndpointSlices of five endpoints.
func fill(pool []*http.Client) result {
	began := time.Now()
	took := make([][]time.Duration, *clients)
	var next atomic.Int64
	each(*clients, func(client int) {
		c := pool[client%len(pool)]
		for i := int(next.Add(1)) - 1; i < *count; i = int(next.Add(1)) - 1 {
			at := time.Now()
			do(c, "POST", "/api/v1/namespaces/default/services", service(i))
			took[client] = append(took[client], time.Since(at))
			do(c, "POST", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", slice(i))
		}
	})
	return summary(flat(took), time.Since(began), 0)
}

func service(i int) []byte {
	return fmt.Appendf(nil, `{"kind":"Service","apiVersion":"v1","metadata":{"name":"web-%d","labels":{"app":"web-%d"}},`+
		`"spec":{"selector":{"app":"web-%d"},"ports":[{"name":"http","port":80,"targetPort":8080,"protocol":"TCP"}]}}`, i, i, i)
}

func slice(i int) []byte {
	endpoints := make([]string, 5)
	for e := range endpoints {
		n := i*5 + e
		endpoints[e] = fmt.Sprintf(`{"addresses":["10.%d.%d.%d"],"conditions":{"ready":true,"serving":true,"terminating":false},"nodeName":"node-%d",`+
			`"targetRef":{"kind":"Pod","namespace":"default","name":"web-%d-%d","uid":"00000000-0000-0000-0000-%012d"}}`, 128+n>>16, n>>8&255, n&255, n%100, i, e, n)
	}
	return fmt.Appendf(nil, `{"kind":"EndpointSlice","apiVersion":"discovery.k8s.io/v1","metadata":{"name":"web-%d-abcde","labels":{"kubernetes.io/service-name":"web-%d"}},`+
		`"addressType":"IPv4","ports":[{"name":"http","port":8080,"protocol":"TCP"}],"endpoints":[%s]}`, i, i, strings.Join(endpoints, ","))
}

// fanOut opens -watchers watches, writes -count objects with -clients writers and waits until every watch has told of each. A delivery is
// timed from the moment at which the write was sent.
func fanOut(pool []*http.Client) result {
	var ready, done sync.WaitGroup
	sent := make([]atomic.Int64, *count)
	took := make([][]time.Duration, *watchers)
	for w := range *watchers {
		ready.Add(1)
		done.Go(func() { took[w] = follow(pool[w%len(pool)], &ready, sent) })
	}
	ready.Wait()
	began := time.Now()
	var next atomic.Int64
	each(*clients, func(client int) {
		for i := int(next.Add(1)) - 1; i < *count; i = int(next.Add(1)) - 1 {
			sent[i].Store(time.Now().UnixNano())
			create(pool[client%len(pool)], 0, i)
		}
	})
	done.Wait()
	return summary(flat(took), time.Since(began), 0)
}

// follow reads a watch of everything new in the namespace until it has seen each of the objects once.
func follow(c *http.Client, ready *sync.WaitGroup, sent []atomic.Int64) []time.Duration {
	res := get(c, maps+"?watch=true&resourceVersion="+now(c))
	defer res.Body.Close()
	ready.Done()
	took := make([]time.Duration, 0, len(sent))
	mark := []byte(`"name":"` + *prefix + `-0-`)
	lines := bufio.NewReaderSize(res.Body, 16<<10)
	for len(took) < len(sent) {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			fail(fmt.Errorf("a watch ended after %d of %d events: %w", len(took), len(sent), err))
		}
		at := bytes.Index(line, mark)
		if at < 0 {
			continue
		}
		var i int
		for _, digit := range line[at+len(mark):] {
			if digit == '"' {
				break
			}
			i = i*10 + int(digit-'0')
		}
		took = append(took, time.Duration(time.Now().UnixNano()-sent[i].Load()))
	}
	return took
}

// get comes again when the server has no room for it, as client-go does.
func get(c *http.Client, path string) *http.Response {
	for {
		res, err := c.Do(request(context.Background(), "GET", path, nil))
		if err != nil {
			fail(err)
		}
		switch res.StatusCode {
		case http.StatusOK:
			return res
		case http.StatusTooManyRequests:
			res.Body.Close()
			time.Sleep(100 * time.Millisecond)
		default:
			fail(fmt.Errorf("GET %s: %d", path, res.StatusCode))
		}
	}
}

// now is the current resourceVersion.
func now(c *http.Client) string {
	res := get(c, maps+"?limit=1")
	defer res.Body.Close()
	var list struct {
		Metadata struct {
			ResourceVersion string `json:"resourceVersion"`
		} `json:"metadata"`
	}
	if err := json.NewDecoder(res.Body).Decode(&list); err != nil {
		fail(err)
	}
	return list.Metadata.ResourceVersion
}
