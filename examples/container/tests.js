// What the tests of a team do with the cloud in the other container: call it as AWS's tools would, connect to it, and reset it.

import { readFileSync } from "node:fs";
import { connect } from "node:tls";

const { AWS_ENDPOINT_URL: url, FLEET_LOCAL_TOKEN: token, DATA = "/data", MQTT_PORT = "8883" } = process.env;
const call = async (path, init) => {
	const response = await fetch(`${url}${path}`, init);
	if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
	return response.json();
};
const { templates } = await call("/provisioning-templates");
if (templates[0]?.templateName !== "meters") throw new Error("the setup was not applied");
const socket = connect({
	host: new URL(url).hostname,
	port: Number(MQTT_PORT),
	servername: "cloud",
	ca: readFileSync(`${DATA}/root-ca.pem`),
	cert: readFileSync(`${DATA}/claim.pem`),
	key: readFileSync(`${DATA}/claim.key`),
});
await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
socket.destroy();
await call("/_local/reset", { method: "POST", headers: { authorization: `Bearer ${token}` } });
console.log("the container can be used from another one");
