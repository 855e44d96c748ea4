// Package wire is the contract between Spotward and its plugins, as protoc makes it of proto/ in Spotward's repository:
//
//	protoc -I proto --go_out=wire --go-grpc_out=wire --go_opt=module=say-hello/wire --go-grpc_opt=module=say-hello/wire \
//	  --go_opt=Mspotward/plugins/wire/plugin.proto=say-hello/wire \
//	  --go_opt=Mspotward/plugins/wire/cloudevents.proto=say-hello/wire \
//	  --go-grpc_opt=Mspotward/plugins/wire/plugin.proto=say-hello/wire \
//	  --go-grpc_opt=Mspotward/plugins/wire/cloudevents.proto=say-hello/wire \
//	  spotward/plugins/wire/plugin.proto spotward/plugins/wire/cloudevents.proto
package wire
