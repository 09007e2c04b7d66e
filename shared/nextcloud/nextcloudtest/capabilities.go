package nextcloudtest

// capabilities answers GET cloud/capabilities. Callers without a login see less.
// It contains only what the gateway may read.
func (s *Server) capabilities(q query) reply {
	delay, _ := s.throttle(address(q.r), s.opts.Now())
	all := object{{"bruteforce", object{
		{"delay", delay.Milliseconds()},
		{"allow-listed", s.allowListed},
	}}}
	if q.who.account != nil {
		all = append(all,
			member{"dav", object{{"chunking", "1.0"}, {"bulkupload", "1.0"}}},
			member{"password_policy", object{
				{"minLength", minPassword},
				{"enforceNonCommonPassword", true},
				{"enforceNumericCharacters", false},
				{"enforceSpecialCharacters", false},
				{"enforceUpperLowerCase", false},
			}})
	}
	return ok(object{
		{"version", object{
			{"major", 27}, {"minor", 1}, {"micro", 0}, {"string", "27.1.0"},
			{"edition", ""}, {"extendedSupport", false},
		}},
		{"capabilities", all},
	})
}
