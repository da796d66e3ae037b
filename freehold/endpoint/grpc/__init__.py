"""The endpoint's gRPC face; the extra `grpc`, imported only where it is asked for."""
