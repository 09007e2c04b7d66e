package validation

// Known reports whether there is a rule or a message for a tag of a field, as
// "oneof=body cookie".
func Known(tag, name string) bool {
	_, rule := rules()[name]
	_, exact := messages()[tag]
	_, general := messages()[name]
	return rule || exact || general
}
