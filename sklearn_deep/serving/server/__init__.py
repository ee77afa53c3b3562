"""An inference server for exported files: REST and gRPC, several models, bounded work."""
