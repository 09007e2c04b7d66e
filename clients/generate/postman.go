package main

import (
	"bytes"
	"encoding/json"
	"strings"
)

// object is a JSON object whose members are written in the order of their names.
type object = map[string]any

// postman returns the collection in Postman's format 2.1 and its environments.
func postman(c collection) map[string]string {
	var folders []object
	for _, f := range c.folders {
		var items []object
		for _, r := range f.requests {
			items = append(items, postmanItem(r))
		}
		folders = append(folders, object{"name": f.name, "item": items})
	}
	var vars []object
	for _, v := range variables() {
		vars = append(vars, object{"key": v.name, "value": v.value})
	}
	files := map[string]string{"postman/gateway.postman_collection.json": pretty(object{
		"info": object{
			"name": c.title, "description": c.description,
			"schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json",
		},
		"auth":     bearer("access_token"),
		"variable": vars,
		"event":    []object{script("test", c.everyTest)},
		"item":     folders,
	})}
	for _, e := range environments() {
		files["postman/"+e.name+".postman_environment.json"] = pretty(object{
			"name": e.title,
			"values": []object{
				{"key": "base_url", "value": e.baseURL, "enabled": true},
				{"key": "admin_email", "value": e.adminEmail, "enabled": true},
				{"key": "admin_password", "value": "", "type": "secret", "enabled": true},
			},
			"_postman_variable_scope": "environment",
		})
	}
	return files
}

func postmanItem(r request) object {
	req := object{
		"method": r.method, "description": r.description, "url": postmanURL(r),
		"header": postmanFields(r.header, r.sent),
	}
	switch r.auth {
	case "access_token": // the collection's
	case "":
		req["auth"] = object{"type": "noauth"}
	default:
		req["auth"] = bearer(r.auth)
	}
	switch {
	case r.form != nil:
		var form []object
		for _, f := range r.form {
			form = append(form, object{"key": f.name, "value": f.value})
		}
		req["body"] = object{"mode": "urlencoded", "urlencoded": form}
	case r.json != "":
		req["body"] = object{"mode": "raw", "raw": r.json, "options": object{"raw": object{"language": "json"}}}
	case r.text != "":
		req["body"] = object{"mode": "raw", "raw": r.text, "options": object{"raw": object{"language": "text"}}}
	}
	events := []object{script("test", r.tests)}
	if r.before != nil {
		events = append(events, script("prerequest", r.before))
	}
	return object{"name": r.name, "request": req, "event": events}
}

func postmanURL(r request) object {
	var sent []string
	for _, p := range r.query {
		if value, is := r.sent[p.Name]; is {
			sent = append(sent, p.Name+"="+value)
		}
	}
	raw := "{{base_url}}" + r.path
	if sent != nil {
		raw += "?" + strings.Join(sent, "&")
	}
	u := object{"raw": raw, "host": []string{"{{base_url}}"}, "path": strings.Split(r.path, "/")[1:]}
	if r.query != nil {
		u["query"] = postmanFields(r.query, r.sent)
	}
	return u
}

// postmanFields returns the parameters that are sent, and the others disabled.
func postmanFields(all []parameter, sent map[string]string) []object {
	fields := []object{}
	for _, p := range all {
		value, is := sent[p.Name]
		fields = append(fields, object{"key": p.Name, "value": value, "description": p.Description, "disabled": !is})
	}
	return fields
}

func bearer(variable string) object {
	return object{"type": "bearer", "bearer": []object{{"key": "token", "value": "{{" + variable + "}}", "type": "string"}}}
}

func script(listen string, lines []string) object {
	return object{"listen": listen, "script": object{"type": "text/javascript", "exec": lines}}
}

func pretty(o object) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(o); err != nil {
		panic("generate: " + err.Error()) // strings, lists and objects
	}
	return b.String()
}
