package nextcloudtest

import (
	"slices"
	"strconv"
	"strings"
)

// get answers GET cloud/users/{id}.
func (s *Server) get(q query) reply {
	a := s.find(q.subject)
	switch {
	case a == nil:
		return refused(404, "User does not exist")
	case a != q.who.account && !q.who.account.admin:
		return refused(998, "")
	}
	return ok(s.data(a, q.who))
}

// self answers GET cloud/user, which does not contain whether the user is enabled.
func (s *Server) self(q query) reply {
	d := s.data(q.who.account, q.who)
	return ok(slices.DeleteFunc(d, func(m member) bool {
		return m.name == "enabled" || m.name == "storageLocation"
	}))
}

// list answers GET cloud/users. PHP makes numbers of ids that are digits.
func (s *Server) list(q query) reply {
	if !q.who.account.admin {
		return refused(403, notSubAdmin)
	}
	ids := []any{}
	for _, a := range s.page(q) {
		if n, err := strconv.ParseInt(a.id, 10, 64); err == nil && strconv.FormatInt(n, 10) == a.id {
			ids = append(ids, n)
			continue
		}
		ids = append(ids, a.id)
	}
	return ok(object{{"users", ids}})
}

// details answers GET cloud/users/details.
func (s *Server) details(q query) reply {
	if !q.who.account.admin {
		return refused(403, notSubAdmin)
	}
	users := object{}
	for _, a := range s.page(q) {
		users = append(users, member{a.id, s.data(a, q.who)})
	}
	if len(users) == 0 {
		return ok(object{{"users", []any{}}})
	}
	return ok(object{{"users", users}})
}

// page returns the accounts of a query: a page in the order of names, sorted by
// id.
func (s *Server) page(q query) []*account {
	params := q.r.URL.Query()
	var found []*account
	for _, a := range s.sorted() {
		if a.matches(params.Get("search")) {
			found = append(found, a)
		}
	}
	if offset, err := strconv.Atoi(params.Get("offset")); err == nil && offset > 0 {
		found = found[min(offset, len(found)):]
	}
	if limit, err := strconv.Atoi(params.Get("limit")); err == nil && limit >= 0 {
		found = found[:min(limit, len(found))]
	}
	slices.SortFunc(found, func(a, b *account) int {
		return strings.Compare(strings.ToLower(a.id), strings.ToLower(b.id))
	})
	return found
}

func (s *Server) enable(q query) reply  { return s.setDisabled(q, false) }
func (s *Server) disable(q query) reply { return s.setDisabled(q, true) }

// setDisabled answers PUT cloud/users/{id}/enable and /disable. A missing user and
// the caller get the same answer.
func (s *Server) setDisabled(q query, disabled bool) reply {
	a := s.find(q.subject)
	switch {
	case !q.who.account.admin:
		return refused(403, notSubAdmin)
	case a == nil || a == q.who.account:
		return refused(101, "")
	}
	a.disabled = disabled
	return ok(nil)
}

// remove answers DELETE cloud/users/{id}.
func (s *Server) remove(q query) reply {
	a := s.find(q.subject)
	switch {
	case !q.who.account.admin:
		return refused(403, notSubAdmin)
	case a == nil:
		return refused(998, "")
	case a == q.who.account:
		return refused(101, "")
	case a.id == "0": // PHP treats it as empty
		return crashed()
	}
	s.drop(a)
	return ok(nil)
}

// drop removes the account with its app passwords.
func (s *Server) drop(a *account) {
	delete(s.accounts, strings.ToLower(a.id))
	for plain, t := range s.tokens {
		if t.owner == a {
			delete(s.tokens, plain)
		}
	}
}
