#!/bin/sh
# The same from a shell, as a pipeline in any language has it: start a cloud, provision, look at what was refused, reset, again.
# Needs node and curl.
set -eu
cd "$(dirname "$0")"
PATH="$PWD/node_modules/.bin:$PATH"
work=$(mktemp -d)

fleet cloud --setup fleet.yaml --directory "$work/cloud" --port 0 --alpn-port 0 --http-port 0 --json >"$work/events" &
cloud=$!
trap 'kill "$cloud" 2>/dev/null; wait "$cloud" || true; rm -rf "$work"' EXIT
until grep -q '"started"' "$work/events"; do
	kill -0 "$cloud"
	sleep 0.05
done

# A member of what the cloud said when it had started: its port, its URL, its root certificate.
fact() {
	sed -n '/"event":"started"/s/.*"'"$1"'":"\{0,1\}\([^",]*\).*/\1/p' "$work/events"
}

# Switches on a new device with this serial number until it has provisioned itself and said hello.
provision() {
	fleet device --once --endpoint localhost --port "$(fact port)" --template meters --serial "$1" \
		--topic "meters/$1/readings" --root-ca "$(fact rootCertificate)" --claim made/claim.pem --claim-key made/claim.key \
		--flash "$work/$1-$2.flash"
}

for round in 1 2; do
	provision M-0001 "$round"
	# A device that somebody must fix something for ends with exit code 1.
	if provision X-0001 "$round" 2>"$work/why"; then
		echo "the hook should have refused X-0001" >&2
		exit 1
	fi
	grep -q "REGISTER_DENIED" "$work/why"
	curl -sS --fail "$(fact url)/_local/refusals" | grep -q "hook's answer does not have allowProvisioning true"
	curl -sS --fail -X POST "$(fact url)/_local/reset" >/dev/null
	curl -sS --fail "$(fact url)/things" | grep -q '"things":\[\]'
done
echo "both rounds passed"
