package main

import (
	"context"
	"testing"

	"say-hello/wire"

	"google.golang.org/protobuf/types/known/structpb"
)

func asked(labels string, properties map[string]any) *wire.HandleRequest {
	told, _ := structpb.NewStruct(properties)
	event := &wire.CloudEvent{Data: &wire.CloudEvent_TextData{TextData: `{"labels": ` + labels + `}`}}
	return &wire.HandleRequest{Event: event, Properties: told}
}

func said(request *wire.HandleRequest) *wire.Result {
	return sayHello(context.Background(), request, func(string, float64) {})
}

func TestItGreetsTheInstanceOfAnAlert(t *testing.T) {
	result := said(asked(`{"instance": "n-1"}`, map[string]any{"greeting": "Servus"}))
	if result.Status != wire.Result_STATUS_DONE || result.Text != "Servus, n-1!" {
		t.Fatalf("it said %v", result)
	}
}

func TestWhatItCannotDoItRefuses(t *testing.T) {
	for _, request := range []*wire.HandleRequest{asked(`{}`, nil), asked(`{"instance": "n-1"}`, map[string]any{"greting": "x"})} {
		if result := said(request); result.Status != wire.Result_STATUS_REFUSED {
			t.Fatalf("it said %v", result)
		}
	}
}

func TestADryRunDoesNothing(t *testing.T) {
	request := asked(`{"instance": "n-1"}`, nil)
	request.DryRun = true
	if result := said(request); result.Text != "would greet n-1" {
		t.Fatalf("it said %v", result)
	}
}

func TestOneKeyHasOneEffectAndAFailureMayBeTriedAgain(t *testing.T) {
	calls, kept := 0, newRemembered()
	work := func(status wire.Result_Status) func() *wire.Result {
		return func() *wire.Result { calls++; return answer(status, "") }
	}
	kept.once("k", work(wire.Result_STATUS_FAILED))
	kept.once("k", work(wire.Result_STATUS_DONE))
	kept.once("k", work(wire.Result_STATUS_DONE))
	if calls != 2 {
		t.Fatalf("%d effects", calls)
	}
}
