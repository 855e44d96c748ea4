// say-hello: a plugin of Spotward. What it does stands in `sayHello`; the rest is how it is told and served.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"

	"say-hello/wire"

	"google.golang.org/protobuf/types/known/structpb"
)

const propertiesSchema = `{
  "type": "object",
  "additionalProperties": false,
  "properties": {"greeting": {"type": "string", "default": "Hello", "description": "How it begins."}}
}`

// sayHello greets the instance that an alert is about. The context ends when the step's time is over.
func sayHello(ctx context.Context, request *wire.HandleRequest, tell func(text string, fraction float64)) *wire.Result {
	var data struct{ Labels map[string]string }
	if json.Unmarshal([]byte(request.GetEvent().GetTextData()), &data) != nil || data.Labels["instance"] == "" {
		return answer(wire.Result_STATUS_REFUSED, "the alert has no label `instance`; add one, or filter such alerts out in the rule")
	}
	instance := data.Labels["instance"]
	if problems := validated(request.GetProperties()); len(problems) > 0 {
		return answer(wire.Result_STATUS_REFUSED, problems[0].Place+": "+problems[0].Text)
	}
	if request.GetDryRun() {
		return answer(wire.Result_STATUS_DONE, "would greet "+instance)
	}
	tell("greeting "+instance, 0.5)
	if ctx.Err() != nil { // Do the work here, and give up when nobody waits any more.
		return answer(wire.Result_STATUS_FAILED, "there was no time left")
	}
	greeting := "Hello"
	if said, ok := request.GetProperties().GetFields()["greeting"]; ok {
		greeting = said.GetStringValue()
	}
	result := answer(wire.Result_STATUS_DONE, fmt.Sprintf("%s, %s!", greeting, instance))
	result.Output, _ = structpb.NewStruct(map[string]any{"greeted": instance})
	return result
}

// validated tells what is wrong with a step's properties.
func validated(properties *structpb.Struct) []*wire.Problem {
	var problems []*wire.Problem
	for name, value := range properties.GetFields() {
		if name != "greeting" {
			problems = append(problems, &wire.Problem{Place: name, Text: "there is no such property; there is greeting"})
		} else if _, isText := value.GetKind().(*structpb.Value_StringValue); !isText {
			problems = append(problems, &wire.Problem{Place: name, Text: "give a text"})
		}
	}
	return problems
}

func answer(status wire.Result_Status, text string) *wire.Result {
	return &wire.Result{Status: status, Text: text}
}

func main() {
	description := &wire.Description{
		Name:             "say-hello",
		Version:          "0.1.0",
		About:            "Greets the instance that an alert is about.",
		EventTypes:       []string{"prometheus.server.alert.*"},
		PropertiesSchema: propertiesSchema,
		Idempotent:       true,
	}
	if err := serve(&plugin{description: description, do: sayHello, remembered: newRemembered()}); err != nil {
		log.Fatalf("%s: %v", description.Name, err)
	}
}
