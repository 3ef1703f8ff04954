// A sample of the power cuts, played in the real XS engine: at every packet, and at the edges of every write.

import t from "tap";
import { XsDevice } from "../../hosts/xs/device.js";
import { Flash } from "../../hosts/xs/engine.js";
import { deviceFirmware } from "../../hosts/xs/modules.js";
import type { Tear } from "../support/failing-flash.js";
import { NvsFlash } from "../support/nvs.js";
import { playCut, survey } from "../support/safety.js";
import { sample } from "../support/sample.js";
import type { Cut } from "../support/world.js";
import { engineOrReason } from "../support/xs.js";
import { agedPartition, cutsOn, NEXT } from "./nvs.js";
import { WAYS } from "./ways.js";

const { engine, skip } = await engineOrReason("ordinary");

for (const { name, options } of WAYS)
	t.test(
		`given a device in XS, ${name}, when the power fails at any packet or at the edges of any write, then it recovers`,
		{ skip },
		async (test) => {
			const flash = new Flash(engine, await deviceFirmware());
			test.teardown(() => flash.close());
			const { writes, packets } = await survey(options);
			const cuts: Cut[] = [];
			for (let packet = 1; packet <= packets; packet++)
				for (const gotThrough of [false, true]) cuts.push({ packet, gotThrough });
			for (const [i, size] of writes.entries())
				for (const tear of ["short", "mixed", "erased"] satisfies Tear[])
					for (const bytes of new Set([0, 1, 7, size >> 2, size >> 1, size - 5, size - 1, size]))
						if (bytes >= 0) cuts.push({ write: i + 1, bytes, tear });
			const wrong: string[] = [];
			const played = sample(test, cuts, 31);
			for (const cut of played) {
				const defects = await playCut([cut], { ...options, machine: (given) => new XsDevice(flash, given) });
				if (defects.length > 0) wrong.push(`${JSON.stringify(cut)}: ${defects.join("; ")}`);
			}
			test.same(wrong.slice(0, 5), [], `${wrong.length} of ${played.length} stories end wrong`);
			test.ok(cuts.length >= 200, `${cuts.length} cuts in XS`);
		},
	);

t.test(
	"given NVS under a device in XS, when the power fails in any operation, then it recovers",
	{ skip },
	async (test) => {
		const flash = new Flash(engine, await deviceFirmware());
		test.teardown(() => flash.close());
		for (const { pages, times, keyPair } of [
			{ pages: 6, times: 4, keyPair: "keys" },
			{ pages: 6, times: 4, keyPair: "csr" },
			{ pages: 4, times: 2, keyPair: "keys" },
			{ pages: 4, times: 2, keyPair: "csr" },
		] as const) {
			const image = await agedPartition(pages, times);
			const { cuts } = await cutsOn(image, keyPair);
			const played = sample(test, cuts, 307);
			const wrong: string[] = [];
			for (const cut of played) {
				const defects = await playCut([cut], {
					flash: new NvsFlash(image),
					issuedBefore: NEXT,
					configuration: { keyPair },
					machine: (options) => new XsDevice(flash, options),
				});
				if (defects.length > 0) wrong.push(`${JSON.stringify(cut)}: ${defects.join("; ")}`);
			}
			test.same(wrong.slice(0, 5), [], `${wrong.length} of ${played.length} stories end wrong`);
			test.comment(`${pages * 4} KB by ${keyPair}: ${played.length} cuts at ${cuts.length} points`);
		}
	},
);
