package treatytest

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// A model of which identity a machine's endpoint chooses, written from Microsoft's pages and the reports of
// users alone ("How managed identities for Azure resources work with Azure virtual machines", "Managed
// identities for App Service and Azure Functions: REST endpoint reference").

// drawnIdentity is an identity as the model knows it.
type drawnIdentity struct {
	ManagedIdentity
	user, gone, disabled bool
}

// drawnMachine is a machine as the model knows it.
type drawnMachine struct {
	name, kind  string
	environment map[string]string
	address     string
	system      *drawnIdentity
	has         []*drawnIdentity
}

// drawnAsk is a request that names an identity, or none.
type drawnAsk struct{ selectors [][2]string }

// chosen is the identity that a request gets, nil for none.
func (m drawnMachine) chosen(a drawnAsk, old bool) *drawnIdentity {
	if len(a.selectors) > 1 {
		return nil
	}
	var users []*drawnIdentity
	for _, i := range m.has {
		if !i.gone {
			users = append(users, i)
		}
	}
	if len(a.selectors) == 0 {
		switch {
		case m.system != nil:
			return m.system
		case m.kind != "app_service" && len(users) == 1:
			return users[0]
		}
		return nil
	}
	name, value := a.selectors[0][0], strings.ToLower(a.selectors[0][1])
	of := map[string]func(*drawnIdentity) string{
		"client_id": clientOf, "clientid": clientOf, "object_id": objectOf, "principal_id": objectOf, "msi_res_id": armOf, "mi_res_id": armOf,
	}[name]
	known := map[string][]string{
		"vm":          {"client_id", "object_id", "principal_id", "msi_res_id", "mi_res_id"},
		"cloud_shell": {"client_id", "object_id", "msi_res_id", "mi_res_id"},
		"app_service": {"client_id", "object_id", "principal_id", "mi_res_id"},
	}[m.kind]
	if old {
		known = []string{"clientid"}
	}
	if !slices.Contains(known, name) {
		return nil
	}
	candidates := users
	if m.system != nil && m.kind != "app_service" { // App Service gives its own only to who names none
		candidates = append(slices.Clone(users), m.system)
	}
	for _, i := range candidates {
		if id := of(i); id != "" && strings.ToLower(id) == value {
			return i
		}
	}
	return nil
}

func clientOf(i *drawnIdentity) string { return i.ClientID }
func objectOf(i *drawnIdentity) string { return i.PrincipalID }

// armOf is the ARM id of a user-assigned identity; a machine's own has none.
func armOf(i *drawnIdentity) string {
	if !i.user {
		return ""
	}
	return i.ID
}

// TestAMachineGivesTheIdentityThatTheModelChooses draws machines, identities and requests.
func TestAMachineGivesTheIdentityThatTheModelChooses(t *testing.T) {
	t.Parallel()
	d := sameDraw(3)
	w := &workload{Treaty: New(t)}
	var all []*drawnIdentity
	for n := range 5 {
		all = append(all, &drawnIdentity{ManagedIdentity: w.AddManagedIdentity("Drawn" + raw(n)), user: true})
	}
	var machines []*drawnMachine
	for n := range 16 {
		machine := &drawnMachine{name: fmt.Sprintf("m%d", n), kind: pick(d, "vm", "vm", "app_service", "cloud_shell")}
		for _, i := range all {
			if d.IntN(3) == 0 {
				machine.has = append(machine.has, i)
			}
		}
		if n == 0 {
			machine.name = "default"
		}
		w.make(machine, d.IntN(2) == 0)
		machines = append(machines, machine)
	}
	got, none, refusedOnes := 0, 0, 0
	for round := range 700 {
		machine := machines[d.IntN(len(machines))]
		old := machine.kind == "app_service" && d.IntN(3) == 0
		ask, want := d.askOf(machine, all), (*drawnIdentity)(nil)
		want = machine.chosen(ask, old)
		status, said, token := w.choose(machine, ask, old)
		switch {
		case want == nil && status/100 == 4 && token == "":
			none++
		case want != nil && want.disabled && token == "" && (strings.Contains(said, "AADSTS7000112") || machine.kind == "app_service" && status == 500):
			refusedOnes++
		case want != nil && !want.disabled && token != "" && claimsOf(t, token)["oid"] == want.PrincipalID:
			got++
		default:
			t.Fatalf("round %d: %s, %v (older %v): got %d %s\nwant %+v\nof %+v %+v", round, machine.kind, ask, old, status, said, want, machine.system, machine.has)
		}
		n := d.IntN(len(all))
		switch i := all[n]; d.IntN(60) {
		case 0:
			if !i.gone {
				w.ARM("DELETE", i.ID+"?api-version=2023-01-31", nil, nil)
				i.gone = true
			}
		case 1, 2, 3, 4: // its machines have the one that is made again under the name when they are made again, too
			if i.gone {
				all[n] = &drawnIdentity{ManagedIdentity: w.AddManagedIdentity(i.ID[strings.LastIndex(i.ID, "/")+1:]), user: true}
				for _, machine := range machines {
					if slices.Contains(machine.has, i) && d.IntN(3) > 0 {
						machine.has = slices.DeleteFunc(append(machine.has, all[n]), func(i *drawnIdentity) bool { return i.gone })
						w.Control("DELETE", "machines/"+machine.name, nil, nil)
						w.make(machine, machine.system != nil)
					}
				}
			}
		case 5, 6:
			if !i.gone {
				i.disabled = !i.disabled
				w.graph("PATCH", "/v1.0/servicePrincipals/"+i.PrincipalID, m{"accountEnabled": !i.disabled}, nil)
			}
		}
	}
	t.Logf("%d tokens, %d found no identity, %d a disabled one", got, none, refusedOnes)
	if got < 100 || none < 50 || refusedOnes < 5 {
		t.Error("the draw is too narrow to prove anything")
	}
}

// make makes a machine with the identities that it has, and notes where it answers.
func (w *workload) make(machine *drawnMachine, system bool) {
	var given []ManagedIdentity
	for _, i := range machine.has {
		given = append(given, i.ManagedIdentity)
	}
	machine.environment = w.AddMachine(machine.name, machine.kind, system, given...)
	machine.address = "http://169.254.169.254/machines/" + machine.name + "/metadata/identity/oauth2/token"
	if e := machine.environment; machine.kind != "vm" {
		machine.address = cmpOr(e["IDENTITY_ENDPOINT"], e["MSI_ENDPOINT"])
	}
	var view struct {
		Resource string `json:"resource_id"`
		System   *struct {
			Object string `json:"object_id"`
			Client string `json:"client_id"`
		} `json:"system_identity"`
	}
	w.Control("GET", "machines/"+machine.name, nil, &view)
	if system {
		machine.system = &drawnIdentity{ManagedIdentity: ManagedIdentity{ID: view.Resource, ClientID: view.System.Client, PrincipalID: view.System.Object}}
	}
}

// askOf draws which identity a request names: mostly one that the machine has, by one name.
func (d draw) askOf(machine *drawnMachine, all []*drawnIdentity) (a drawnAsk) {
	n := pick(d, 0, 0, 1, 1, 1, 1, 2)
	from := all
	if len(machine.has) > 0 && d.IntN(3) > 0 {
		from = machine.has
	}
	if machine.system != nil && d.IntN(4) == 0 {
		from = []*drawnIdentity{machine.system}
	}
	for len(a.selectors) < n {
		i := from[d.IntN(len(from))]
		name := pick(d, "client_id", "client_id", "clientid", "object_id", "principal_id", "msi_res_id", "mi_res_id")
		value := map[string]string{"client_id": i.ClientID, "clientid": i.ClientID, "object_id": i.PrincipalID, "principal_id": i.PrincipalID, "msi_res_id": i.ID, "mi_res_id": i.ID}[name]
		if slices.ContainsFunc(a.selectors, func(s [2]string) bool { return s[0] == name }) {
			continue
		}
		switch d.IntN(8) {
		case 0:
			value = strings.ToUpper(value)
		case 1:
			value = value[:len(value)-1]
		case 2:
			value = pick(d, i.ClientID, i.PrincipalID, i.ID, "x")
		}
		a.selectors = append(a.selectors, [2]string{name, value})
	}
	return a
}

// choose makes the request as the machine's kind has it.
func (w *workload) choose(machine *drawnMachine, ask drawnAsk, old bool) (status int, said, token string) {
	return w.askAt(machine.address, func(r *http.Request, q url.Values) {
		for _, s := range ask.selectors {
			q.Set(s[0], s[1])
		}
		switch {
		case machine.kind == "app_service" && old:
			q.Set("api-version", "2017-09-01")
			r.Header.Set("secret", machine.environment["MSI_SECRET"])
		case machine.kind == "app_service":
			q.Set("api-version", "2019-08-01")
			r.Header.Set("X-IDENTITY-HEADER", machine.environment["IDENTITY_HEADER"])
		case machine.kind == "cloud_shell":
			post(r, q)
		}
	})
}

// post sends what was the query as a form.
func post(r *http.Request, q url.Values) {
	form := q.Encode()
	clear(q)
	p, _ := http.NewRequest("POST", r.URL.String(), strings.NewReader(form)) // an address that was parsed before
	p.Header = r.Header
	p.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	*r = *p
}
