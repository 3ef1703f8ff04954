// The broker as a target: the real gate and broker behind connections in memory, and the whole cloud behind TLS.

import { X509Certificate } from "node:crypto";
import { connect as tlsConnect } from "node:tls";
import { claimPolicy, devicePolicy, provisioningTemplate } from "../../../hosts/cloud/base/samples.js";
import { changeSettings, type Settings } from "../../../hosts/cloud/base/settings.js";
import { startCloud } from "../../../hosts/cloud/cloud.js";
import { openBroker } from "../../../hosts/cloud/mqtt/broker.js";
import type { Registry } from "../../../hosts/cloud/registry/registry.js";
import { makeRequest } from "../../cloud/csr.js";
import { accountId, arn, everything, Faults, openWorld, region, roleArn } from "../cloud/world.js";
import type { Opened, Target } from "../target.js";
import { script } from "./generate.js";
import { play, type Stage } from "./play.js";
import { smallerLines } from "./script.js";
import { pair } from "./socket.js";

/** How many connections one script has. */
const CONNECTIONS = 25;

let request: ReturnType<typeof makeRequest> | undefined;
function key() {
	request ??= makeRequest("fuzz", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256");
	return request;
}

interface Identity {
	readonly certificateId: string;
	readonly certificatePem: string;
}

/** The identities in scripts with their policies. `play.ts` knows what these allow. */
async function makeIdentities(registry: Registry): Promise<ReadonlyMap<string, Identity>> {
	const below = (prefix: string) => ({
		Version: "2012-10-17",
		Statement: [
			{ Effect: "Allow", Action: ["iot:Connect", "iot:Subscribe"], Resource: "*" },
			{
				Effect: "Allow",
				Action: ["iot:Publish", "iot:Receive", "iot:RetainPublish"],
				Resource: arn(`topic/${prefix}/*`),
			},
		],
	});
	const account = { accountId, region };
	const policies: Readonly<Record<string, object | undefined>> = {
		claim: claimPolicy(account, "T"),
		"dev-a": devicePolicy(account),
		"dev-b": devicePolicy(account),
		open: below("open"),
		good: below("good"),
		all: everything,
		none: undefined,
	};
	const identities = new Map<string, Identity>();
	for (const [name, policy] of Object.entries(policies)) {
		const { certificateId, certificatePem, certificateArn } = await registry.certificates.createCertificateFromCsr({
			certificateSigningRequest: key().csr,
			setAsActive: true,
		});
		identities.set(name, { certificateId, certificatePem });
		if (!policy) continue;
		registry.policies.createPolicy({ policyName: name, policyDocument: JSON.stringify(policy) });
		registry.policies.attachPolicy({ policyName: name, target: certificateArn });
		if (!name.startsWith("dev-")) continue;
		registry.things.createThing({ thingName: name });
		registry.thingPrincipals.attachThingPrincipal({ thingName: name, principal: certificateArn });
	}
	return identities;
}

/** The settings and statuses that scripts may change, and how the changes are undone. */
function changes(registry: Registry, settings: Settings, identities: ReadonlyMap<string, Identity>) {
	const before = structuredClone(settings);
	const setStatus = (name: string, newStatus: "ACTIVE" | "INACTIVE") => {
		const certificateId = identities.get(name)?.certificateId;
		if (certificateId !== undefined && name !== "claim" && name !== "good")
			registry.certificates.updateCertificate({ certificateId, newStatus });
	};
	return {
		setStatus,
		changeSettings: (patch: string) => changeSettings(settings, JSON.parse(patch)),
		restore: () => {
			Object.assign(settings, structuredClone(before));
			for (const [name, { certificateId }] of identities)
				if (registry.certificates.get(certificateId)!.status !== "ACTIVE") setStatus(name, "ACTIVE");
		},
	};
}

function runs(stage: Stage, faults: Faults, close: () => Promise<void>): Opened {
	return {
		run: async (input) => {
			const connections = await play(stage, Buffer.from(input).toString());
			faults.check();
			return connections;
		},
		close,
	};
}

/** Scripts on connections in memory: several hundred streams a second. */
export const mqttTarget: Target = {
	name: "MQTT streams",
	unit: "streams",
	life: 40,
	weight: 6,
	maximumCpu: 20_000,
	form: "lines",
	shrinkLine: smallerLines,
	generate: (random) => script(random, CONNECTIONS),
	open: async () => {
		const world = await openWorld();
		const { registry, provisioning, settings, faults, now } = world;
		const identities = await makeIdentities(registry);
		const broker = await openBroker({ registry, provisioning, settings, now, report: faults.report });
		const ders = new Map(
			[...identities].map(([name, { certificatePem }]) => [name, new X509Certificate(certificatePem).raw]),
		);
		const stranger = Buffer.from("stranger");
		const stage: Stage = {
			connect: (identity, take) => {
				const { socket, client } = pair(ders.get(identity) ?? stranger, take);
				broker.accept(socket);
				return client;
			},
			...changes(registry, settings, identities),
			connections: () => broker.connections,
		};
		return runs(stage, faults, async () => {
			await broker.close();
			await world.close();
		});
	},
};

/** The same over TLS and the cloud's own listener. That is slow, so it gets fewer inputs. */
export const mqttTlsTarget: Target = {
	...mqttTarget,
	name: "MQTT streams over TLS",
	weight: 1,
	life: 20,
	generate: (random) => script(random, 8),
	open: async () => {
		const faults = new Faults();
		const cloud = await startCloud({
			accountId,
			region,
			onEvent: faults.report,
			settings: { connection: { connectsPerClientId: 0 }, throttle: { RegisterThing: null }, keyPairs: { ahead: 0 } },
		});
		const { registry, settings, endpoint, host, port, rootCertificate } = cloud;
		const identities = await makeIdentities(registry);
		registry.policies.createPolicy({ policyName: "device", policyDocument: JSON.stringify(everything) });
		registry.templates.createProvisioningTemplate({
			templateName: "T",
			templateBody: JSON.stringify(provisioningTemplate("device")),
			enabled: true,
			provisioningRoleArn: roleArn,
		});
		const stage: Stage = {
			connect: (identity, take) => {
				const certificatePem = identities.get(identity)?.certificatePem;
				const socket = tlsConnect({
					host,
					port,
					servername: endpoint,
					ca: rootCertificate,
					...(certificatePem !== undefined && { cert: certificatePem, key: key().privateKeyPem }),
				});
				socket.on("error", () => {});
				socket.on("data", take);
				return {
					closed: new Promise((resolve) => socket.once("close", () => resolve())),
					write: (bytes) => void (socket.writable && socket.write(bytes)),
					end: () => {
						socket.resume();
						socket.end();
					},
					reset: () => socket.destroy(),
					hold: () => socket.pause(),
					free: () => socket.resume(),
				};
			},
			...changes(registry, settings, identities),
			connections: () => cloud.connections(),
		};
		return runs(stage, faults, () => cloud.close());
	},
};
