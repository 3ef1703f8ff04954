// A control plane of its own for a test, in memory, on a free port of loopback, and AWS's SDK pointed at it.

import { IoTClient } from "@aws-sdk/client-iot";
import type { Test } from "tap";
import { EventLog, Metrics } from "../../../hosts/cloud/base/events.js";
import { defaultSettings, type Settings } from "../../../hosts/cloud/base/settings.js";
import { type AccessKey, ADMINISTRATOR_ACCESS, parseAccessKeys } from "../../../hosts/cloud/control/iam.js";
import { type ControlPlaneOptions, startControlPlane } from "../../../hosts/cloud/control/server.js";
import type { Services } from "../../../hosts/cloud/control/services.js";
import { Jobs } from "../../../hosts/cloud/jobs/jobs.js";
import { Messages } from "../../../hosts/cloud/mqtt/messages.js";
import { type Authority, openAuthority } from "../../../hosts/cloud/pki/authority.js";
import { type CertificateIssuer, Registry } from "../../../hosts/cloud/registry/registry.js";
import { Shadows } from "../../../hosts/cloud/shadow/shadows.js";
import { openState } from "../../../hosts/cloud/state/state.js";

// The SDK's advice on Node versions does not belong in the output of tests.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";

export const region = "eu-west-1";
export const accountId = "123456789012";
export const roleArn = `arn:aws:iam::${accountId}:role/provisioning`;

/** ARN of a resource of the account under test. */
export const arn = (resource: string) => `arn:aws:iot:${region}:${accountId}:${resource}`;

/** An access key whose principal has these IAM policies. */
export function accessKey(name: string, ...policies: object[]): AccessKey {
	return parseAccessKeys([
		{
			accessKeyId: `AKIA${name.toUpperCase()}`,
			secretAccessKey: `secret-of-${name}`,
			principal: `arn:aws:iam::${accountId}:user/${name}`,
			policies,
		},
	])[0]!;
}

/** May do everything. */
export const administrator = accessKey("administrator", ADMINISTRATOR_ACCESS);

export interface Started {
	url: string;
	port: number;
	registry: Registry;
	issuer: CertificateIssuer;
	events: EventLog;
	metrics: Metrics;
	settings: Settings;
	/** AWS's own client, signing with this key. It does not retry. */
	client(key?: AccessKey, options?: { region?: string; endpoint?: string; maxAttempts?: number }): IoTClient;
}

/** The first authority of a test file, whose keys the others take over. */
let first: Authority | undefined;

/** Starts one; it ends with the test. A fault (what should never happen) fails the test. */
export async function started(t: Test, options: Partial<ControlPlaneOptions> = {}): Promise<Started> {
	const { now = Date.now } = options;
	const state = await openState({ accountId, region });
	const issuer = await openAuthority({
		state,
		now,
		serverNames: [],
		issuer: () => "RSA",
		keyPairs: { ahead: 0, concurrency: 2 },
		...(first && { identities: first.identities }),
	});
	first ??= issuer;
	const registry = new Registry({ state, issuer, now });
	const events = new EventLog(now);
	events.listen((event) => {
		if (event.event === "warning" && /unexpected/.test(event.message)) t.fail(event.message);
	});
	const metrics = new Metrics();
	const settings = defaultSettings();
	const { url, close } = await startControlPlane({
		registry,
		services: servicesOf(registry, settings, events),
		events,
		metrics,
		settings,
		accessKeys: [administrator],
		...options,
	});
	t.teardown(async () => {
		await close();
		await state.close();
	});
	return {
		url,
		port: Number(new URL(url).port),
		registry,
		issuer,
		events,
		metrics,
		settings,
		client: (key = administrator, more = {}) => {
			const client = new IoTClient({
				region,
				endpoint: url,
				maxAttempts: 1,
				credentials: {
					accessKeyId: key.accessKeyId,
					secretAccessKey: key.secretAccessKey,
					...(key.sessionToken !== undefined && { sessionToken: key.sessionToken }),
				},
				...more,
			});
			t.teardown(() => client.destroy());
			return client;
		},
	};
}

/** The services of the data planes without a broker: what they publish reaches nobody. */
export function servicesOf(registry: Registry, settings: Settings, events: EventLog): Services {
	const { state } = registry;
	const common = { state, settings, now: Date.now, report: events.report.bind(events) };
	const shadows = new Shadows(common);
	const jobs = new Jobs({ registry, ...common });
	const messages = new Messages({ state, publisher: { publish: async () => {} }, reserved: [shadows] });
	return { shadows, jobs, messages };
}

/** What a call was refused with: error type, HTTP status and text; fails the test when the call succeeds. */
export async function refusal(call: Promise<unknown>): Promise<{ name: string; status: number; message: string }> {
	try {
		await call;
	} catch (error) {
		const { name, message, $metadata } = error as Error & { $metadata?: { httpStatusCode?: number } };
		if ($metadata === undefined) throw error;
		return { name, status: $metadata.httpStatusCode ?? 0, message };
	}
	throw new Error("The call was not refused.");
}
