// One request over HTTPS to the cloud's own port.

import { type RequestOptions, request } from "node:https";
import type { Rig } from "../rig.js";

/** Posts a body; resolves with the answer. */
export function post(rig: Rig, path: string, body: string | Buffer, more: RequestOptions = {}) {
	return new Promise<{ status: number; body: string }>((resolve, reject) => {
		const { httpsPort: port, rootCertificate: ca, endpoint: servername } = rig.cloud;
		const sent = request(
			{ method: "POST", host: "localhost", agent: false, port, path, ca, servername, ...more },
			async (response) => {
				let text = "";
				for await (const chunk of response) text += chunk;
				resolve({ status: response.statusCode!, body: text });
			},
		);
		sent.on("error", reject);
		sent.end(body);
	});
}
