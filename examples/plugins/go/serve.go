package main

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"say-hello/wire"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
)

// graceSeconds is how long calls under way may take to end. Kubernetes kills after thirty.
const graceSeconds = 20

const tokenCharactersMin = 16

// serve runs the plugin until SIGTERM. Its options are read from the command line.
func serve(p *plugin) error {
	address := flag.String("address", "127.0.0.1:8888", "host:port to listen on")
	certificate := flag.String("tls-certificate", "", "PEM certificate chain of this server")
	key := flag.String("tls-key", "", "its private key")
	clientCA := flag.String("client-ca", "", "let in who shows a certificate of this authority")
	tokenFile := flag.String("token-file", "", "let in who sends one of the tokens in this file")
	insecure := flag.Bool("insecure", false, "let everybody in, readable on the way")
	flag.Parse()
	if err := checked(*address, *certificate, *clientCA, *tokenFile, *insecure); err != nil {
		return err
	}
	options, err := secured(*certificate, *key, *clientCA)
	if err != nil {
		return err
	}
	if *tokenFile != "" {
		if _, err := tokens(*tokenFile); err != nil {
			return err
		}
		options = append(options, grpc.UnaryInterceptor(unaryDoorkeeper(*tokenFile)), grpc.StreamInterceptor(streamDoorkeeper(*tokenFile)))
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s %s listens on %s\n", p.description.Name, p.description.Version, listener.Addr())
	return untilStopped(listener, p, options)
}

func untilStopped(listener net.Listener, p *plugin, options []grpc.ServerOption) error {
	server, healthy := grpc.NewServer(options...), health.NewServer()
	wire.RegisterPluginServer(server, p)
	healthpb.RegisterHealthServer(server, healthy)
	healthy.SetServingStatus(wire.Plugin_ServiceDesc.ServiceName, healthpb.HealthCheckResponse_SERVING)
	reflection.Register(server)
	stopped := make(chan os.Signal, 1)
	signal.Notify(stopped, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stopped
		healthy.Shutdown()
		time.AfterFunc(graceSeconds*time.Second, server.Stop)
		server.GracefulStop()
	}()
	return server.Serve(listener)
}

// checked refuses what would let anybody in: a plugin does things.
func checked(address, certificate, clientCA, tokenFile string, insecure bool) error {
	if insecure {
		return nil
	}
	if tokenFile == "" && clientCA == "" {
		return errors.New("anybody who reaches this address could make it act; give -token-file or -client-ca, or say that this is meant with -insecure")
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	ip := net.ParseIP(host)
	if certificate == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("on %s a token could be read on the way; give -tls-certificate and -tls-key, or listen on 127.0.0.1", host)
	}
	return nil
}

// secured reads the certificate anew for each connection, so that a renewed one is taken up.
func secured(certificate, key, clientCA string) ([]grpc.ServerOption, error) {
	if certificate == "" {
		if clientCA != "" {
			return nil, errors.New("client certificates need TLS: give -tls-certificate and -tls-key too")
		}
		return nil, nil
	}
	if _, err := tls.LoadX509KeyPair(certificate, key); err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		return &pair, err
	}}
	if clientCA != "" {
		pem, err := os.ReadFile(clientCA)
		if err != nil {
			return nil, err
		}
		config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !config.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", clientCA)
		}
	}
	return []grpc.ServerOption{grpc.Creds(credentials.NewTLS(config))}, nil
}

// tokens are those of the file as it is now, one to a line.
func tokens(file string) ([]string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	found := strings.Fields(string(content))
	for _, each := range found {
		if len(each) < tokenCharactersMin {
			return nil, fmt.Errorf("a token in %s is shorter than %d characters; openssl rand -hex 32", file, tokenCharactersMin)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s holds no token; openssl rand -hex 32", file)
	}
	return found, nil
}

func admitted(ctx context.Context, method, file string) error {
	if strings.HasPrefix(method, "/grpc.health.v1.Health/") {
		return nil
	}
	headers, _ := metadata.FromIncomingContext(ctx)
	known, err := tokens(file)
	for _, sent := range headers.Get("authorization") {
		for _, token := range known {
			if err == nil && subtle.ConstantTimeCompare([]byte(sent), []byte("Bearer "+token)) == 1 {
				return nil
			}
		}
	}
	return status.Error(codes.Unauthenticated, "send `authorization: Bearer TOKEN` with a token of this server")
}

func unaryDoorkeeper(file string) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if err := admitted(ctx, info.FullMethod, file); err != nil {
			return nil, err
		}
		return handler(ctx, request)
	}
}

func streamDoorkeeper(file string) grpc.StreamServerInterceptor {
	return func(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		if err := admitted(stream.Context(), info.FullMethod, file); err != nil {
			return err
		}
		return handler(server, stream)
	}
}
