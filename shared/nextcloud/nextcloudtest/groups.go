package nextcloudtest

import (
	"maps"
	"slices"
)

// listGroups answers GET cloud/groups.
func (s *Server) listGroups(q query) reply {
	if !q.who.account.admin {
		return refused(403, notSubAdmin)
	}
	return ok(object{{"groups", anys(slices.Sorted(maps.Keys(s.groups)))}})
}

// addGroup answers POST cloud/groups.
func (s *Server) addGroup(q query) reply {
	name := q.params.get("groupid")
	switch {
	case !q.who.account.admin:
		return refused(403, notSubAdmin)
	case name == "":
		return refused(101, "Invalid group name")
	case s.groups[name]:
		return refused(102, "group exists")
	}
	s.groups[name] = true
	return ok(nil)
}

// removeGroup answers DELETE cloud/groups/{name}.
func (s *Server) removeGroup(q query) reply {
	switch {
	case !q.who.account.admin:
		return refused(403, notSubAdmin)
	case !s.groups[q.subject]:
		return refused(101, "")
	}
	delete(s.groups, q.subject)
	for _, a := range s.accounts {
		a.leave(q.subject)
	}
	return ok(nil)
}

// members answers GET cloud/groups/{name}/users.
func (s *Server) members(q query) reply {
	switch {
	case !q.who.account.admin:
		return refused(403, notSubAdmin)
	case !s.groups[q.subject]:
		return refused(404, "The requested group could not be found")
	}
	var ids []string
	for _, a := range s.sorted() {
		if slices.Contains(a.groups, q.subject) {
			ids = append(ids, a.id)
		}
	}
	return ok(object{{"users", anys(ids)}})
}

// groupsOf answers GET cloud/users/{id}/groups.
func (s *Server) groupsOf(q query) reply {
	a := s.find(q.subject)
	switch {
	case a == nil:
		return refused(998, "")
	case !q.who.account.admin && a != q.who.account:
		return refused(403, notSubAdmin)
	}
	return ok(object{{"groups", anys(a.groups)}})
}

// join answers POST cloud/users/{id}/groups.
func (s *Server) join(q query) reply { return s.membership(q, (*account).enter) }

// leave answers DELETE cloud/users/{id}/groups.
func (s *Server) leave(q query) reply { return s.membership(q, (*account).leave) }

func (s *Server) membership(q query, change func(*account, string)) reply {
	name, a := q.params.get("groupid"), s.find(q.subject)
	switch {
	case !q.who.account.admin:
		return refused(403, notSubAdmin)
	case name == "":
		return refused(101, "")
	case !s.groups[name]:
		return refused(102, "")
	case a == nil:
		return refused(103, "")
	}
	change(a, name)
	return ok(nil)
}

func (a *account) enter(group string) {
	if !slices.Contains(a.groups, group) {
		a.groups = append(a.groups, group)
	}
}

func (a *account) leave(group string) {
	a.groups = slices.DeleteFunc(a.groups, func(g string) bool { return g == group })
}

func anys(list []string) []any {
	all := make([]any, len(list))
	for i, item := range list {
		all[i] = item
	}
	return all
}
