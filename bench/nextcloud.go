package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	provisioning = "provisioning"        // the scenario of new accounts
	direct       = "direct"              // the engine of calls to Nextcloud without the gateway
	cloudLatency = 50 * time.Millisecond // of a Nextcloud that takes its time
	cloudRate    = 117 << 20             // bytes per second of its transfers, as over a gigabit link

	smallFile, largeFile       = 16 << 10, 256 << 20
	smallClients, largeClients = 8, 1
	provisioners               = 8 // the gateway's workers, or clients without it
	newAccounts                = 160
)

// largeContent is what large files consist of.
var largeContent = sync.OnceValue(func() string { return strings.Repeat(fileContent, largeFile/fileSize) })

// A transfer is a scenario with files, through the gateway and directly.
type transfer struct {
	scenario

	clients int
	direct  func(*client) error // what the gateway does for it
}

// transfers returns all. A file that exists is replaced in the way that loses neither the
// old nor the new one, with and without the gateway.
func transfers() (all []transfer) {
	small, large := fileContent[:smallFile], largeContent
	add := func(name string, clients int, gateway, direct func(*client) error) {
		all = append(all, transfer{scenario{name: name, steps: []func(*client) error{gateway}}, clients, direct})
	}
	add("files-small-download", smallClients,
		func(c *client) error { return c.viaGateway(http.MethodGet, "small", "", http.StatusOK) },
		func(c *client) error { return c.viaDAV(http.MethodGet, "files", "small", "", "", http.StatusOK) })
	add("files-small-create", smallClients,
		func(c *client) error { return c.viaGateway(http.MethodPut, c.newName(), small, http.StatusCreated) },
		func(c *client) error {
			return c.viaDAV(http.MethodPut, "files", c.newName(), hashed, small, http.StatusCreated)
		})
	add("files-small-replace", smallClients,
		func(c *client) error { return c.viaGateway(http.MethodPut, "small", small, http.StatusNoContent) },
		func(c *client) error { return c.replaceDirectly("small", small) })
	add("files-large-download", largeClients,
		func(c *client) error { return c.viaGateway(http.MethodGet, "large", "", http.StatusOK) },
		func(c *client) error { return c.viaDAV(http.MethodGet, "files", "large", "", "", http.StatusOK) })
	add("files-large-create", largeClients,
		func(c *client) error {
			name := c.newName()
			if err := c.viaGateway(http.MethodPut, name, large(), http.StatusCreated); err != nil {
				return err
			}
			return c.viaGateway(http.MethodDelete, name, "", http.StatusNoContent)
		},
		func(c *client) error {
			name := c.newName()
			if err := c.viaDAV(http.MethodPut, "files", name, hashed, large(), http.StatusCreated); err != nil {
				return err
			}
			return c.viaDAV(http.MethodDelete, "files", name, "", "", http.StatusNoContent)
		})
	add("files-large-replace", largeClients,
		func(c *client) error { return c.viaGateway(http.MethodPut, "large", large(), http.StatusNoContent) },
		func(c *client) error { return c.replaceDirectly("large", large()) })
	return all
}

// hashed asks Nextcloud for the hash of an upload, as the gateway does.
const hashed = "X-Hash: sha256\r\n"

func (c *client) newName() string {
	c.turn++
	return fmt.Sprint("new-", c.turn)
}

// viaGateway sends a request for a file to the gateway.
func (c *client) viaGateway(method, name, content string, status int) error {
	return c.stream(method, "/api/files/"+name, "Authorization: Bearer "+c.access+"\r\n", content, status)
}

// viaDAV sends a request for a file to Nextcloud, with further fields of its header.
func (c *client) viaDAV(method, tree, name, fields, content string, status int) error {
	return c.stream(method, "/remote.php/dav/"+tree+"/"+c.user()+"/"+name, basic(c.user(), password)+fields, content, status)
}

func (c *client) user() string { return fmt.Sprint("direct-", c.number) }

// replaceDirectly uploads the content as one chunk, and moves it over the file.
func (c *client) replaceDirectly(name, content string) error {
	to := "Destination: /remote.php/dav/files/" + c.user() + "/" + name + "\r\n"
	upload := c.newName()
	for _, call := range []func() error{
		func() error { return c.viaDAV("MKCOL", "uploads", upload, to, "", http.StatusCreated) },
		func() error {
			return c.viaDAV(http.MethodPut, "uploads", upload+"/00001", to+hashed, content, http.StatusCreated)
		},
		func() error { return c.viaDAV("MOVE", "uploads", upload+"/.file", to, "", http.StatusNoContent) },
	} {
		if err := call(); err != nil {
			return err
		}
	}
	return nil
}

// provisionDirectly makes the calls that provision one account.
func (c *client) provisionDirectly() error {
	c.turn++
	id := fmt.Sprintf("new-%d-%d", c.number, c.turn)
	admin, user := basic("admin", password), basic(id, password+"2")
	const ocs, query = "/ocs/v2.php/", "?format=json"
	form := func(values ...string) string {
		v := url.Values{}
		for pair := range slices.Chunk(values, 2) {
			v.Set(pair[0], pair[1])
		}
		return v.Encode()
	}
	var app struct {
		OCS struct {
			Data struct{ AppPassword string }
		}
	}
	for _, k := range []struct{ method, path, as, body string }{
		{http.MethodGet, ocs + "cloud/users/details" + query + "&search=" + id + "&limit=50&offset=0", admin, ""},
		{http.MethodPost, ocs + "cloud/users" + query, admin, form("userid", id, "password", password, "displayName", "Ada", "quota", "5 GB")},
		{http.MethodPut, ocs + "cloud/users/" + id + query, basic(id, password), form("key", "password", "value", password+"2")},
		{http.MethodGet, ocs + "core/getapppassword" + query, user, ""},
	} {
		fields := k.as + "OCS-APIRequest: true\r\nContent-Type: application/x-www-form-urlencoded\r\n"
		body, err := c.expect(http.StatusOK, request(k.method, k.path, fields, k.body))
		if err != nil {
			return err
		}
		_ = json.Unmarshal(body, &app) // of the last response
	}
	fields := basic(id, app.OCS.Data.AppPassword) + "Depth: 0\r\n"
	_, err := c.expect(http.StatusMultiStatus, request("PROPFIND", "/remote.php/dav/files/"+id+"/", fields, ""))
	return err
}

func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password)) + "\r\n"
}

// startCloud starts a Nextcloud over TLS, with a client for each of its own accounts, and
// returns the gateway's settings for it.
func (r *rig) startCloud(ctx context.Context, latency time.Duration) (t *target, settings []string, err error) {
	program, err := r.program(ctx, "bench/cloud")
	if err != nil {
		return nil, nil, err
	}
	t = &target{engine: direct, tls: r.tls}
	for i := range max(smallClients, provisioners) {
		t.clients = append(t.clients, &client{number: i})
	}
	args := []string{"-cert", r.cert, "-key", r.key, "-dir", r.dir, "-password", password, "-users", fmt.Sprint(len(t.clients))}
	if latency > 0 {
		args = append(args, "-latency", latency.String(), "-rate", fmt.Sprint(cloudRate))
	}
	err = r.serve(t, exec.CommandContext(ctx, program, args...))
	if err != nil {
		return nil, nil, err
	}
	_, port, _ := strings.Cut(t.address, ":")
	return t, []string{
		"NEXTCLOUD_URL=https://localhost:" + port, "NEXTCLOUD_CA_FILE=" + r.cert,
		"NEXTCLOUD_ADMIN_USER=admin", "NEXTCLOUD_ADMIN_PASSWORD=" + password, "NEXTCLOUD_DEFAULT_QUOTA=5 GB",
	}, nil
}

// measureNextcloud measures transfers and the provisioning of accounts, each first directly
// and then through gateways.
func (p plan) measureNextcloud(ctx context.Context, r *rig, out io.Writer) (results []result, err error) {
	add := func(x result, err error) error {
		if err != nil {
			return err
		}
		results = append(results, x)
		line := tableLine(x)
		if x.Latency > 0 {
			line += fmt.Sprintf("   latency %.0f ms", x.Latency)
		}
		if base, ok := baseOf(results, x); ok {
			line += fmt.Sprintf("   %.2f of direct", x.PerSecond/base.PerSecond)
		}
		fmt.Fprintln(out, line)
		return nil
	}
	for _, latency := range []time.Duration{0, cloudLatency} {
		if err := p.measureTransfers(ctx, r, latency, add); err != nil {
			return results, err
		}
		if p.wants(provisioning) {
			if err := p.measureProvisioning(ctx, r, latency, add); err != nil {
				return results, err
			}
		}
	}
	return results, nil
}

// baseOf returns the direct measurement of the same, unless x is one.
func baseOf(results []result, x result) (result, bool) {
	i := slices.IndexFunc(results, func(base result) bool {
		return base.Engine == direct && base.Scenario == x.Scenario && base.Latency == x.Latency
	})
	if i < 0 || x.Engine == direct {
		return result{}, false
	}
	return results[i], true
}

// ofNextcloud reports whether the result is compared with a direct measurement.
func (r result) ofNextcloud() bool {
	return r.Scenario == provisioning || slices.ContainsFunc(groups(), func(s string) bool { return strings.HasPrefix(r.Scenario, s+"-") })
}

// nextcloudTable returns nothing if nothing of it was measured.
func (r run) nextcloudTable() string {
	rows := [][]string{{"scenario", "Nextcloud's latency", "clients", "engine", "per second", "directly", "share", "p50", "p99", "CPU server"}}
	for _, x := range r.Results {
		if base, ok := baseOf(r.Results, x); ok {
			rows = append(rows, []string{
				code(x.Scenario), number(x.Latency), fmt.Sprint(x.Clients), x.Engine, number(x.PerSecond), number(base.PerSecond),
				number(x.PerSecond / base.PerSecond), number(x.P50), number(x.P99), number(x.Server),
			})
		}
	}
	if len(rows) == 1 {
		return ""
	}
	return table(rows)
}

func (p plan) measureTransfers(ctx context.Context, r *rig, latency time.Duration, add func(result, error) error) error {
	var chosen []transfer
	for _, x := range transfers() {
		if p.wants(x.name) {
			chosen = append(chosen, x)
		}
	}
	if len(chosen) == 0 {
		return nil
	}
	cloud, settings, err := r.startCloud(ctx, latency)
	if err != nil {
		return err
	}
	gateways := []*target{cloud}
	for _, engine := range p.engines {
		t, err := r.startGateway(ctx, engine, false, smallClients, settings...)
		if err != nil {
			return err
		}
		gateways = append(gateways, t)
	}
	for _, t := range gateways {
		if err := t.prepareFiles(ctx, chosen); err != nil {
			return err
		}
	}
	for _, x := range chosen {
		for _, t := range gateways {
			s := x.scenario
			if t == cloud {
				s.steps = []func(*client) error{x.direct}
			}
			m, err := t.measure(s, t.clients[:x.clients], 0, p.time)
			m.Latency = float64(latency.Milliseconds())
			if err := add(m, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepareFiles uploads the files that are downloaded and replaced.
func (t *target) prepareFiles(ctx context.Context, chosen []transfer) error {
	large := false
	for _, x := range chosen {
		large = large || x.clients == largeClients
	}
	return each(t.clients, func(c *client) error {
		if err := c.connect(t.address, t.tls); err != nil {
			return err
		}
		put := func(name, content string) error {
			if t.engine == direct {
				return c.viaDAV(http.MethodPut, "files", name, "", content, http.StatusCreated)
			}
			return c.viaGateway(http.MethodPut, name, content, http.StatusCreated)
		}
		if err := eventually(ctx, func() error { return put("small", fileContent) }); err != nil {
			return err
		}
		if large && c.number < largeClients {
			return put("large", largeContent())
		}
		return nil
	})
}

// measureProvisioning compares the rate of the command that provisions waiting accounts with
// that of the same calls.
func (p plan) measureProvisioning(ctx context.Context, r *rig, latency time.Duration, add func(result, error) error) error {
	cloud, settings, err := r.startCloud(ctx, latency)
	if err != nil {
		return err
	}
	s := scenario{name: provisioning, steps: []func(*client) error{(*client).provisionDirectly}}
	m, err := cloud.measure(s, cloud.clients[:provisioners], 0, p.time)
	m.Latency = float64(latency.Milliseconds())
	if err := add(m, err); err != nil {
		return err
	}
	for _, engine := range p.engines {
		m, err := r.provision(ctx, engine, settings)
		m.Latency = float64(latency.Milliseconds())
		if err := add(m, err); err != nil {
			return err
		}
	}
	return nil
}

// provision lets accounts register while Nextcloud is down, and measures how fast the gateway
// then provisions them.
func (r *rig) provision(ctx context.Context, engine string, settings []string) (result, error) {
	down := append(slices.Clone(settings), "NEXTCLOUD_URL=https://127.0.0.1:1")
	t, err := r.startGateway(ctx, engine, false, 0, down...)
	if err != nil {
		return result{}, err
	}
	for i := range newAccounts {
		t.clients = append(t.clients, &client{number: i, engine: engine})
	}
	for some := range slices.Chunk(t.clients, signUps) {
		err := each(some, func(c *client) error { return errors.Join(c.connect(t.address, t.tls), c.register(), c.Close()) })
		if err != nil {
			return result{}, err
		}
	}
	if err := t.end(); err != nil {
		return result{}, err
	}
	reconcile := t.command("nextcloud", "reconcile", "--output", "json")
	reconcile.Env = append(reconcile.Env, settings...)
	out, err := reconcile.Output()
	if err != nil {
		return result{}, fmt.Errorf("reconcile: %w", err)
	}
	var done struct {
		Done    int
		Seconds float64
	}
	if err := json.Unmarshal(out, &done); err != nil {
		return result{}, err
	}
	return result{
		Scenario: provisioning, Engine: engine, Clients: provisioners, Requests: done.Done,
		PerSecond: float64(done.Done) / done.Seconds, IdleMemory: t.idle, Memory: t.idle,
	}, nil
}
