// What the whole story takes of a device's memory, over TLS with a local cloud, in the least memory there is.

import t from "tap";
import { aims, measure } from "../../hosts/cli/xs.js";
import { SLOT_BYTES } from "../../hosts/xs/engine.js";
import { engineOrReason } from "../support/xs.js";

const { skip } = await engineOrReason("stress");

for (const preset of ["tight", "esp32"] as const)
	t.test(
		`a device with the memory of preset ${preset} gets its identity, and stays within its aims`,
		{ skip },
		async (test) => {
			const report = await measure(preset);
			test.same(
				report.lives.map(({ reason }) => reason),
				["restart", "power cut"],
				"it restarts into its identity, and is then switched off",
			);
			const { livePeak, liveLeast, stackPeak, bytecode } = report;
			test.ok(liveLeast <= aims.live, `${liveLeast} bytes alive at most, aim ${aims.live}`);
			test.ok(stackPeak <= aims.stack, `${stackPeak} slots of stack at most, aim ${aims.stack}`);
			test.ok(bytecode.total <= aims.bytecode, `${bytecode.total} bytes of bytecode, aim ${aims.bytecode}`);
			// what it cannot be less than: a certificate, its key and a token alone take 3 KB
			test.ok(livePeak > 8_000 && stackPeak > 50 && bytecode.total > 20_000, "and these were measured");
			const { slots, chunks } = report.running;
			test.ok(slots.used * SLOT_BYTES + chunks.used < livePeak, "connected as itself, it takes less");
			test.ok(
				Object.values(bytecode.modules).every((size) => size > 0),
				"module by module",
			);
		},
	);
