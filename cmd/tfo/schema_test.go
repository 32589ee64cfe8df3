package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// violations checks a JSON value against a JSON Schema with the keywords that
// this project uses, and reports any other keyword.
func violations(schema, text string) (list []string) {
	var root map[string]any
	if err := json.Unmarshal([]byte(schema), &root); err != nil {
		return []string{"the schema is no JSON: " + err.Error()}
	}
	d := json.NewDecoder(bytes.NewBufferString(text))
	var value any
	if err := d.Decode(&value); err != nil {
		return []string{"no JSON: " + err.Error()}
	}
	v := &validator{root: root}
	v.check("$", root, value)
	return v.list
}

type validator struct {
	root map[string]any
	list []string
}

func (v *validator) complain(at, format string, args ...any) {
	v.list = append(v.list, at+": "+fmt.Sprintf(format, args...))
}

func (v *validator) check(at string, schema map[string]any, value any) {
	for keyword, want := range schema {
		switch keyword {
		case "$schema", "$defs", "title", "description":
		case "$ref":
			name := strings.TrimPrefix(want.(string), "#/$defs/")
			target, ok := v.root["$defs"].(map[string]any)[name].(map[string]any)
			if !ok {
				v.complain(at, "the schema has no %s", want)
				continue
			}
			v.check(at, target, value)
		case "type":
			if got := kindOf(value); got != want && !(got == "integer" && want == "number") {
				v.complain(at, "is %s, want %s", got, want)
			}
		case "enum":
			if !slices.Contains(want.([]any), value) {
				v.complain(at, "is %v, want one of %v", value, want)
			}
		case "minimum":
			if n, ok := value.(float64); ok && n < want.(float64) {
				v.complain(at, "is %v, less than %v", n, want)
			}
		case "items":
			list, _ := value.([]any)
			for i, item := range list {
				v.check(fmt.Sprintf("%s[%d]", at, i), want.(map[string]any), item)
			}
		case "required":
			object, _ := value.(map[string]any)
			for _, name := range want.([]any) {
				if _, ok := object[name.(string)]; !ok {
					v.complain(at, "has no %s", name)
				}
			}
		case "properties":
			v.members(at, schema, value)
		case "additionalProperties":
			if schema["properties"] == nil {
				v.members(at, schema, value)
			}
		default:
			v.complain(at, "this test does not know the keyword %s", keyword)
		}
	}
}

func (v *validator) members(at string, schema map[string]any, value any) {
	object, _ := value.(map[string]any)
	properties, _ := schema["properties"].(map[string]any)
	for name, member := range object {
		s, ok := properties[name].(map[string]any)
		if !ok {
			if s, ok = schema["additionalProperties"].(map[string]any); !ok {
				v.complain(at, "has %s, which the schema does not", name)
				continue
			}
		}
		v.check(at+"."+name, s, member)
	}
}

func kindOf(value any) string {
	switch x := value.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case bool:
		return "boolean"
	case float64:
		if x == float64(int64(x)) {
			return "integer"
		}
		return "number"
	}
	return "null"
}
