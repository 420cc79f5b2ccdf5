#!/bin/sh
# Mint an NFT and wait until it is final. Needs curl.
#
#     MINTLINE_TOKEN=$(.venv/bin/mintline token) sh examples/mint.sh
set -eu

api=${MINTLINE_API_URL:-http://127.0.0.1:8080}

call() {
    curl --silent --show-error --fail-with-body --retry 5 --max-time 60 \
        --header "Authorization: Bearer $MINTLINE_TOKEN" "$@"
}

field() { # NAME: the value of a string in the JSON on standard input
    sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1
}

# The key makes repeating the request harmless: store it with your own order before you send it.
key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
mint=$(call "$api/v1/mints" --header 'Content-Type: application/json' --header "Idempotency-Key: $key" \
    --data '{"metadata": {"name": "Hello from curl", "image": "https://example.com/curl.png"}}')
id=$(echo "$mint" | field mint_id)

while :; do
    mint=$(call "$api/v1/mints/$id" --header 'Prefer: wait=10')
    status=$(echo "$mint" | field status)
    case $status in
        finalized) break ;;
        rejected | reverted | cancelled) echo "$id is $status" >&2; exit 1 ;;
    esac
    echo "$status" >&2
    sleep 0.5
done
call "$api/v1/tokens/$(echo "$mint" | field contract)/$(echo "$mint" | field token_id)"
