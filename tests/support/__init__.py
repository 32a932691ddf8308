"""What tests stand on: a real DynamoDB over HTTP, a key service, requests, callers, faults."""
