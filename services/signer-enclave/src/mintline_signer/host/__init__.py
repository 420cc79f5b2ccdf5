"""The host: moves intents from SQS to the enclave and signed transactions back; knows no secrets."""
