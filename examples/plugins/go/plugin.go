package main

import (
	"context"
	"path"

	"say-hello/wire"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// plugin answers Spotward's contract. A key that was answered with success has no second effect.
type plugin struct {
	wire.UnimplementedPluginServer
	description *wire.Description
	do          func(context.Context, *wire.HandleRequest, func(string, float64)) *wire.Result
	remembered  *remembered
}

func (p *plugin) Describe(context.Context, *wire.DescribeRequest) (*wire.Description, error) {
	return p.description, nil
}

func (p *plugin) Validate(_ context.Context, request *wire.ValidateRequest) (*wire.Validation, error) {
	return &wire.Validation{Problems: validated(request.GetProperties())}, nil
}

func (p *plugin) Handle(request *wire.HandleRequest, stream grpc.ServerStreamingServer[wire.HandleResponse]) error {
	event := request.GetEvent()
	if event.GetId() == "" || event.GetSource() == "" || event.GetType() == "" {
		return status.Error(codes.InvalidArgument, "a CloudEvent needs an id, a source and a type")
	}
	result := p.result(request, stream)
	return stream.Send(&wire.HandleResponse{Moment: &wire.HandleResponse_Result{Result: result}})
}

func (p *plugin) result(request *wire.HandleRequest, stream grpc.ServerStreamingServer[wire.HandleResponse]) *wire.Result {
	if !p.takes(request.GetEvent().GetType()) {
		return answer(wire.Result_STATUS_IGNORED, p.description.Name+" has no business with events of type "+request.GetEvent().GetType())
	}
	tell := func(text string, fraction float64) {
		progress := &wire.HandleResponse_Progress{Progress: &wire.Progress{Text: text, Fraction: fraction}}
		_ = stream.Send(&wire.HandleResponse{Moment: progress}) // who has hung up hears nothing
	}
	return p.remembered.once(request.GetIdempotencyKey(), func() *wire.Result {
		return p.do(stream.Context(), request, tell)
	})
}

func (p *plugin) takes(eventType string) bool {
	for _, glob := range p.description.EventTypes {
		if fits, _ := path.Match(glob, eventType); fits {
			return true
		}
	}
	return len(p.description.EventTypes) == 0
}
