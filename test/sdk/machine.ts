// Runs in the simulator: tests the parts of the device's host besides TLS and its socket, with the SDK's own modules. `npm
// test` tests the same parts with stand-ins for the SDK.

import Timer from "timer";
import { embeddedClaim, embeddedRoots } from "../../hosts/moddable/claim.js";
import { createClock } from "../../hosts/moddable/clock.js";
import { readConfiguration } from "../../hosts/moddable/configuration.js";
import { createMachine } from "../../hosts/moddable/simulator/machine.js";
import { sha256 } from "../../hosts/moddable/tls/sha256.js";

const DAY = 86_400_000;

/** Reports what was tested and, if it failed, what is wrong. */
export type Tell = (what: string, fault?: string) => void;

/** The exception that `work` throws, if any. */
function thrown(work: () => unknown): { code?: string; message: string } | undefined {
	try {
		work();
		return undefined;
	} catch (error) {
		return error as { message: string };
	}
}

function tryFlash(tell: Tell): void {
	const machine = createMachine();
	const storage = machine.openStorage();
	const read = (key: string) => {
		const bytes = storage.read(key);
		return bytes && Array.from(new Uint8Array(bytes)).join();
	};
	storage.delete("sdk-tests");
	const before = read("sdk-tests");
	storage.write("sdk-tests", Uint8Array.of(1, 2, 3).buffer);
	const first = read("sdk-tests");
	storage.write("sdk-tests", Uint8Array.of(4).buffer);
	const second = read("sdk-tests");
	storage.write("sdk-tests", new ArrayBuffer(0));
	const third = read("sdk-tests");
	storage.delete("sdk-tests");
	storage.delete("sdk-tests");
	const story = [before, first, second, third, read("sdk-tests")].map(String).join(" ");
	tell(
		"flash: written, replaced by less, emptied, deleted twice",
		story === "undefined 1,2,3 4  undefined" ? undefined : story,
	);

	const serialNumber = machine.serialNumber(storage);
	const again = createMachine().serialNumber(storage);
	tell("a serial number that stays", serialNumber === again ? undefined : `${serialNumber}, then ${again}`);
	const [one, two] = [machine.random(16).join(), machine.random(16).join()];
	tell("random bytes that differ", one === two ? one : undefined);
}

function tryClaim(tell: Tell): void {
	const error = thrown(embeddedRoots);
	tell(
		"no roots in the firmware: CONFIGURATION_INVALID",
		error?.code === "CONFIGURATION_INVALID" ? undefined : String(error),
	);
	const none = { read: () => undefined, write: () => {}, delete: () => {} };
	tell("no claim in the firmware", embeddedClaim(none).read() === undefined ? undefined : "a claim");
	const digest = Array.from(sha256(Uint8Array.of(0x61, 0x62, 0x63)), (byte) => byte.toString(16).padStart(2, "0")).join(
		"",
	);
	const right = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
	tell("SHA-256 of a view", digest === right ? undefined : digest);
	tell("settings", thrown(readConfiguration)?.message);
}

function tryClock(tell: Tell, then: () => void): void {
	const clock = createClock();
	const age = Date.now() - clock.floor;
	tell("the day on which this was built", age > 0 && age < 3 * DAY ? undefined : `${age} ms ago`);
	const before = clock.ticks();
	let first = 0;
	let within = true;
	// The callback of a round that another one replaces is not called, because its caller has given it up.
	clock.synchronize(() => {
		first += 1;
	});
	clock.synchronize((error) => {
		tell("time servers without an address", error?.message.includes("cannot resolve") ? undefined : String(error));
		tell("told later, not within the call", within ? "within" : undefined);
		// Waits long enough for the earlier round to end as well.
		Timer.set(() => {
			tell("the round before is given up", first === 0 ? undefined : `told ${first} times`);
			const ticks = clock.ticks();
			tell("ticks that go on", ticks > before ? undefined : `${before}, then ${ticks}`);
			then();
		}, 2_000);
	});
	within = false;
}

/** Runs all of these tests, and then calls `then`. */
export function tryMachine(tell: Tell, then: () => void): void {
	tryFlash(tell);
	tryClaim(tell);
	tryClock(tell, then);
}
