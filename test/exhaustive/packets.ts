// Sets that go through every packet of a provisioning: a network that loses, delays, repeats, reorders and truncates packets, a
// service that refuses requests, and power that fails: each of these at every packet, and under every rule that AWS might have for
// tokens. Whatever happens, the device must recover by itself.

import { encode } from "cborg";
import type { Packet } from "mqtt-packet";
import t, { type Test } from "tap";
import { playCut, playCuts, survey, TOKEN_RULES } from "../support/safety.js";
import { sample } from "../support/sample.js";
import type { Fate, Passing } from "../support/virtual-cloud.js";
import type { WorldOptions } from "../support/world.js";
import { under, type Way } from "./ways.js";

/** Does something to the nth packet, once. */
const atPacket =
	(n: number, fate: (passing: Passing) => Fate) =>
	(passing: Passing): Fate =>
		passing.index === n ? fate(passing) : "pass";

async function playAll(
	test: Test,
	stories: readonly { name: string; fate: (passing: Passing) => Fate }[],
	options: WorldOptions,
	strays: number,
): Promise<void> {
	const wrong: string[] = [];
	const played = sample(test, stories, 23);
	for (const { name, fate } of played) {
		const defects = await playCut([], { ...options, fate }, undefined, strays);
		if (defects.length > 0) wrong.push(`${name}: ${defects.join("; ")}`);
	}
	test.same(wrong.slice(0, 5), [], `${wrong.length} of ${played.length} stories end wrong`);
}

/** Defines the tests in which something happens to one packet, under every rule for tokens. */
export function anythingToAnyPacket(ways: readonly Way[]): void {
	for (const { name, settings } of TOKEN_RULES)
		for (const way of ways)
			t.test(
				`given ${name}, ${way.name}, when anything happens to any packet, then the device recovers`,
				async (test) => {
					const options = under(way, { settings });
					const { packets } = await survey(options);
					const stories = [];
					for (let n = 0; n < packets; n++) {
						const happenings: Record<string, (passing: Passing) => Fate> = {
							dropped: () => "drop",
							doubled: () => "duplicate",
							"delayed past every limit": () => ({ delay: 45_000 }),
							"after its neighbour": () => "swap",
							"cut to one byte": () => ({ truncate: 1 }),
							"cut in half": ({ packet }) => ({ truncate: (packet.length ?? 20) >> 1 }),
							"replaced by a hang-up": () => "close",
						};
						for (const [what, fate] of Object.entries(happenings))
							stories.push({ name: `packet ${n} ${what}`, fate: atPacket(n, fate) });
					}
					// A lost reply may leave one unused certificate behind, as a power cut may.
					await playAll(test, stories, options, 1);
				},
			);
}

/** Rejections with every status code that the device program distinguishes, and some that no service should send. */
const REJECTIONS: readonly (readonly [statusCode: unknown, errorCode: unknown])[] = [
	[400, "InvalidPayload"],
	[400, "InvalidCertificateSigningRequest"],
	[400, "InvalidCertificateOwnershipToken"],
	[400, "InvalidParameters"],
	[401, "Unauthorized"],
	[403, "AccessDenied"],
	[404, "ResourceNotFound"],
	[409, "ResourceConflicts"],
	[418, "?"],
	[429, "Throttled"],
	[500, "InternalFailure"],
	[503, "ServiceUnavailable"],
	["400", 7],
	[undefined, undefined],
];

/** A rejection in place of an accepted reply. */
function reject(packet: Packet, payload: Uint8Array): Packet {
	if (packet.cmd !== "publish") return packet;
	return { ...packet, topic: packet.topic.replace(/accepted$/, "rejected"), payload: Buffer.from(payload) };
}

const isReply = ({ packet }: Passing, topic: string): boolean =>
	packet.cmd === "publish" && packet.topic.startsWith(topic) && packet.topic.endsWith("accepted");

/** Defines the tests in which replies are replaced by rejections, under every rule for tokens. */
export function anyRejection(ways: readonly Way[]): void {
	for (const { name, settings } of TOKEN_RULES)
		for (const way of ways)
			t.test(
				`given ${name}, ${way.name}, when a reply is replaced by any rejection, then the device recovers`,
				async (test) => {
					const stories = [];
					for (const topic of ["$aws/certificates/", "$aws/provisioning-templates/"])
						for (const [statusCode, errorCode] of REJECTIONS) {
							let times = 2;
							const payload = encode({
								...(statusCode === undefined ? {} : { statusCode }),
								...(errorCode === undefined ? {} : { errorCode }),
								errorMessage: "no",
							});
							stories.push({
								name: `${topic}: ${statusCode} ${errorCode}`,
								fate: (passing: Passing): Fate =>
									isReply(passing, topic) && times-- > 0 ? { replace: reject(passing.packet, payload) } : "pass",
							});
						}
					// The cloud may have issued a certificate for each of the two replies that were replaced.
					await playAll(test, stories, under(way, { settings }), 2);
				},
			);
}

/** Defines the tests in which the power fails at a packet, under every rule for tokens. */
export function powerCutsAtPackets(ways: readonly Way[]): void {
	for (const { name, settings } of TOKEN_RULES)
		for (const way of ways)
			t.test(
				`given ${name}, ${way.name}, when the power fails at any packet, then the device recovers`,
				async (test) => {
					const options = under(way, { settings });
					const { packets } = await survey(options);
					const all = Array.from({ length: 2 * packets }, (_, i) => [
						{ packet: 1 + (i >> 1), gotThrough: i % 2 === 1 },
					]);
					const stories = sample(test, all, 5);
					test.comment(`${await playCuts(test, stories, options)} cuts`);
				},
			);
}
