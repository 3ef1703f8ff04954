// The SDK's HTTP client, in the middle of a response.

import TCP from "embedded:io/socket/tcp";
import HTTPClient from "embedded:network/http/client";
import dns from "loopback";
import config from "mc/config";

export default function () {
	const http = new HTTPClient({ host: "server", port: Number(config.extraPort), dns, socket: { io: TCP } });
	http.request({
		path: "/",
		onHeaders() {},
		onReadable(count) {
			this.read(count);
			trace("ready\n");
		},
		onDone() {},
	});
	globalThis.kept = http;
}
