// The Containerfile and the compose example do what they say. Where a container engine runs, it builds and runs them. Elsewhere their
// entry point, health check, environment and tests are run by hand: as the files have them, with other folders and ports.

import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import t from "tap";
import { parse } from "yaml";

t.setTimeout(900_000);
const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const example = join(root, "examples/container");
const { NODE_OPTIONS: _, ...env } = process.env;
const containerfile = readFileSync(join(root, "Containerfile"), "utf8");
const instruction = (name: string) =>
	JSON.parse(new RegExp(`^${name} .*?(\\[.*\\])$`, "m").exec(containerfile)![1]!) as string[];
const { services } = parse(readFileSync(join(example, "compose.yaml"), "utf8")) as {
	services: Record<string, { command: string[]; environment: Record<string, string> }>;
};

/** The engine of this machine, when one runs. */
async function engine(): Promise<string | undefined> {
	for (const name of ["docker", "podman"])
		if (
			await run(name, ["info"], { timeout: 30_000 }).then(
				() => true,
				() => false,
			)
		)
			return name;
	return undefined;
}
const found = await engine();
const token = randomBytes(16).toString("hex");

if (found !== undefined)
	t.test(`${found} builds the image, and the tests of the example pass in it`, async (t) => {
		const options = { cwd: example, env: { ...env, FLEET_LOCAL_TOKEN: token }, maxBuffer: 1e8 };
		const { stdout } = await run(found, ["compose", "up", "--build", "--exit-code-from", "tests"], options).finally(
			() => run(found, ["compose", "down", "--volumes"], options),
		);
		t.match(stdout, "the container can be used from another one");
	});

t.test("by hand: entry point, compose example, health check and the tests beside it", async (t) => {
	const folder = mkdtempSync(join(tmpdir(), "fleet-container-"));
	t.teardown(() => rmSync(folder, { recursive: true, force: true }));
	cpSync(example, folder, { recursive: true });
	const data = join(folder, "data");
	const here = (text: string) =>
		text.replace("/setup/fleet.yaml", join(folder, "fleet.yaml")).replaceAll("/data", data);
	writeFileSync(join(folder, "fleet.yaml"), here(readFileSync(join(folder, "fleet.yaml"), "utf8")));
	const [program, ...entry] = instruction("ENTRYPOINT");
	t.equal(program, "fleet");
	t.same(entry.slice(-2), ["--host", "0.0.0.0"], "all addresses, and said so");
	const free = ["--port", "0", "--alpn-port", "0", "--http-port", "0"];
	const child = spawn(
		process.execPath,
		[join(root, "hosts/cli/fleet.js"), ...[...entry, ...services.cloud!.command].map(here), ...free],
		{ env: { ...env, FLEET_LOCAL_TOKEN: token }, stdio: ["ignore", "pipe", "inherit"] },
	);
	const ended = new Promise((resolve) => child.once("close", resolve));
	t.teardown(() => {
		child.kill("SIGKILL");
		return ended;
	});
	const facts = await new Promise<{ url: string; port: number; signatures: string }>((resolve, reject) => {
		createInterface(child.stdout).on("line", (line) => {
			const { event } = JSON.parse(line) as { event: { event: string; url: string; port: number; signatures: string } };
			if (event.event === "started") resolve(event);
		});
		void ended.then((code) => reject(new Error(`fleet cloud ended with ${code}`)));
	});
	t.equal(facts.signatures, "any");
	const httpPort = new URL(facts.url).port;
	const [node, ...check] = instruction("HEALTHCHECK").map((text) => text.replace("8880", httpPort));
	t.equal(node, "node");
	await run(process.execPath, check, { env });
	t.pass("the health check passes");
	// The name `cloud` is that of a container; here it is this machine's, by the name that --server-name gave it.
	const script = readFileSync(join(folder, "tests.js"), "utf8");
	t.match(script, 'servername: "cloud"');
	writeFileSync(join(folder, "tests.mjs"), script);
	const tests = await run(process.execPath, [join(folder, "tests.mjs")], {
		env: {
			...env,
			AWS_ENDPOINT_URL: `http://127.0.0.1:${httpPort}`,
			FLEET_LOCAL_TOKEN: token,
			DATA: data,
			MQTT_PORT: String(facts.port),
		},
	});
	t.match(tests.stdout, "the container can be used from another one");
	const post = (host: string, authorization: string) =>
		run("curl", [
			...["-sS", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST", "-H", `Host: ${host}`],
			...["-H", `Authorization: ${authorization}`, `http://127.0.0.1:${httpPort}/_local/reset`],
		]).then(({ stdout }) => stdout);
	t.equal(await post("cloud:8880", `Bearer ${token}`), "200");
	t.equal(await post("cloud:8880", "Bearer another"), "403");
	t.equal(await post("elsewhere:8880", `Bearer ${token}`), "403");
	child.kill("SIGTERM");
	t.equal(await ended, 0);
});
