// Given a chip that behaves like the SDK's modules, then the complete firmware provisions itself and runs the application,
// whatever Wi-Fi, name servers, time servers and sockets do, and no exception escapes from a callback, which would be a
// restart.

import t from "tap";
import { secretIn } from "../secrets.js";
import { issueCertificate, newKey } from "../support/credentials.js";
import { sample } from "../support/sample.js";
import { seededRandom } from "../support/world.js";
import { SERVER } from "./parties.js";
import { AIR, DHCP, machine } from "./sdk/chip.js";
import { Bench, PASSWORD, SSID } from "./sdk/world.js";

const MINUTE = 60_000;

t.test("given all in order, the firmware provisions itself, restarts, and runs the application", async (t) => {
	const bench = await Bench.make();
	bench.powerOn();
	t.ok(await bench.play(() => bench.running), "the application has spoken");
	t.same(bench.failures, [], "without a failure");
	t.equal(bench.chip.restarts, 1, "after one restart, a real one");
	t.same(bench.chip.aborts, [], "no exception left a callback");
	t.match(bench.cloud.messages, [{ clientId: "a4cf12000001" }], "under the MAC address");
});

t.test(
	"given a console that shows what is traced, each event is one line of JSON on it, and no line holds a secret",
	async (t) => {
		const bench = await Bench.make();
		bench.powerOn();
		await bench.play(() => bench.running);
		bench.chip.accessPoint = { ssid: SSID, password: "another" };
		bench.chip.loseWiFi();
		await bench.chip.pass(10 * MINUTE);
		const { traced } = bench.chip;
		// The same test for event lines that docs/firmware.md recommends for reading the console.
		t.same(
			traced.filter((line) => line.startsWith('{"event":')).map((line) => JSON.parse(line)),
			bench.events,
		);
		t.match(bench.events[0], { event: "boot", firmwareVersion: "1.0.0", build: "0123456789abcdef" });
		t.ok(bench.failures.includes("NETWORK_REFUSED"), "failures are among them");
		t.ok(
			traced.some((line) => line.includes("does not let this device in")),
			"other lines are between them",
		);
		const printed = traced.join("\n");
		t.equal(secretIn(printed), undefined);
		t.notOk(printed.includes(PASSWORD));
	},
);

t.test("given the desktop simulator, the firmware starts itself again where the chip would restart", async (t) => {
	const bench = await Bench.make("simulator");
	bench.powerOn();
	t.ok(await bench.play(() => bench.running), "the application has spoken");
	t.same(bench.failures, []);
	t.equal(bench.chip.restarts, 0);
	t.same(bench.chip.aborts, []);
	const kept = [...bench.chip.files.keys()];
	t.ok(kept.every((path) => path.startsWith("/flash/fleet-provisioning/") && !path.endsWith(".new")));
	t.match(bench.cloud.messages[0]?.clientId, /^simulator-[0-9a-f]{12}$/);
});

t.test("given a button that is held down at power-on, the identity is forgotten, once", async (t) => {
	const bench = await Bench.make("simulator");
	bench.powerOn();
	t.ok(await bench.play(() => bench.running), "the application has spoken");
	await bench.program?.stop();
	// The simulator's reset button is a file beside its flash.
	bench.chip.files.set("/flash/fleet-provisioning/button", new Uint8Array());
	bench.cloud.messages.length = 0;
	bench.powerOn();
	t.ok(await bench.play(() => bench.running), "the application has spoken again");
	t.equal(bench.events.filter(({ event }) => event === "identity.forgotten").length, 1);
	t.equal(bench.events.filter(({ event }) => event === "proved").length, 2);
	t.notOk(bench.chip.files.has("/flash/fleet-provisioning/button"));
	t.same(bench.chip.aborts, []);
});

t.test("given a machine of an app's own, whose cable is plugged in late, the firmware takes it as it is", async (t) => {
	const { esp32 } = await import("../../hosts/moddable/esp32/machine.js");
	const bench = await Bench.make();
	const { chip } = bench;
	let onUp: (() => void) | undefined;
	let closed = 0;
	const plugIn = () => {
		chip.address = true;
		onUp?.();
	};
	machine.create = () => ({
		...esp32,
		network: {
			get up() {
				return chip.address;
			},
			problem: { refused: false, message: "no cable" },
			whenUp(callback: () => void) {
				onUp = callback;
			},
		},
		serialNumber: () => "own-1",
		close: () => {
			closed += 1;
		},
	});
	delete chip.config.ssid;
	chip.post(plugIn, MINUTE);
	bench.powerOn();
	await bench.play(() => chip.restarts === 1);
	chip.post(plugIn, 1_000);
	t.ok(await bench.play(() => bench.running));
	t.same(bench.details, ["no cable"]);
	t.equal(bench.cloud.messages[0]?.clientId, "own-1");
	await bench.program!.stop();
	t.equal(closed, 1, "and is let go of at the end");
	t.same(chip.aborts, []);
});

t.test("given a Wi-Fi that is not there, the program hears of it, and goes on when it comes", async (t) => {
	const bench = await Bench.make();
	const { chip } = bench;
	const point = chip.accessPoint;
	chip.accessPoint = undefined;
	bench.powerOn();
	await bench.chip.pass(10 * MINUTE);
	t.match(bench.failures, ["NETWORK_DOWN", "NETWORK_DOWN"]);
	t.equal(bench.details[0], `there is no Wi-Fi ${SSID}`);
	t.ok(chip.traced.includes(`there is no Wi-Fi ${SSID}`), "and the serial line");
	t.ok(bench.events.some((event) => event.event === "pause" && event.code === "NETWORK_DOWN"));
	const most = Math.ceil((10 * MINUTE) / (5_000 + AIR));
	t.ok(chip.joins > most / 2 && chip.joins <= most, `one attempt after the other: ${chip.joins} in ten minutes`);
	chip.accessPoint = point;
	const came = chip.time.ticks();
	t.ok(await bench.play(() => bench.running), "then it goes on");
	// Without the network's event, the device would have waited minutes until its next attempt.
	t.ok(chip.time.ticks() - came < 5_000 + AIR + DHCP + AIR + 20_000, "soon after the network has come");
	t.same(chip.aborts, []);
});

t.test("given a wrong password, that is told apart from a Wi-Fi that is not there", async (t) => {
	const bench = await Bench.make();
	bench.chip.accessPoint = { ssid: SSID, password: `not ${PASSWORD}` };
	bench.powerOn();
	await bench.play(() => bench.failures.length > 0);
	t.same(bench.failures, ["NETWORK_REFUSED"]);
	t.equal(bench.details[0], `Wi-Fi ${SSID} does not let this device in (reason 15)`);
	t.notOk(
		bench.chip.traced.some((line) => line.includes(PASSWORD)),
		"without the password",
	);
	t.same(bench.chip.aborts, []);
});

t.test("given an access point whose DHCP server does not answer, the device says so and tries again", async (t) => {
	const bench = await Bench.make();
	bench.chip.accessPoint = { ssid: SSID, password: PASSWORD, dhcp: false };
	bench.powerOn();
	await bench.play(() => bench.failures.length > 0);
	t.same(bench.details, [`no address from Wi-Fi ${SSID}`]);
	bench.chip.accessPoint = { ssid: SSID, password: PASSWORD };
	t.ok(await bench.play(() => bench.running));
	t.same(bench.chip.aborts, []);
});

t.test("given an attempt to join that never ends, it is given up and begun again", async (t) => {
	const bench = await Bench.make();
	bench.chip.accessPoint = { ssid: SSID, password: PASSWORD, hangs: true };
	bench.powerOn();
	await bench.play(() => bench.failures.length > 0);
	t.same(bench.failures, ["NETWORK_DOWN"]);
	bench.chip.accessPoint = { ssid: SSID, password: PASSWORD };
	t.ok(await bench.play(() => bench.running));
	t.same(bench.chip.aborts, []);
});

t.test("given calls of the SDK's Wi-Fi that throw, they are tried again", async (t) => {
	const bench = await Bench.make();
	bench.chip.wifiFails = true;
	bench.powerOn();
	await bench.play(() => bench.failures.length > 0);
	bench.chip.wifiFails = false;
	t.ok(await bench.play(() => bench.running));
	t.same(bench.chip.aborts, []);
});

t.test(
	"given a Wi-Fi that is lost again and again, also while a loss is handled, there is one timer and one attempt",
	async (t) => {
		const bench = await Bench.make();
		const { chip } = bench;
		bench.powerOn();
		await bench.play(() => bench.running);
		const before = chip.joins;
		const began = chip.time.ticks();
		for (let i = 0; i < 20; i++) {
			chip.loseWiFi();
			// Another part of the app joins through its own Wi-Fi object, and the SDK sends its events to all objects.
			for (const station of chip.stations) {
				chip.post(() => station("connected"), 10);
				chip.post(() => station("disconnected"), 20);
				chip.post(() => station("disconnected"), 30);
			}
			await bench.play(() => chip.address);
		}
		const took = chip.time.ticks() - began;
		t.ok(chip.joins - before <= took / (5_000 + AIR) + 1, `${chip.joins - before} attempts in ${took} ms`);
		t.same(chip.aborts, []);
		const spoken = bench.cloud.messages.length;
		t.ok(await bench.play(() => bench.cloud.messages.length > spoken), "and it connects again");
		await bench.chip.pass(MINUTE);
		t.ok(chip.timers <= 3, `${chip.timers} timers are left`);
	},
);

t.test("given Wi-Fi that goes at each moment of a provisioning, the firmware ends provisioned", async (t) => {
	const moments = Array.from({ length: 40 }, (_, i) => i * 500);
	for (const moment of sample(t, moments, 23)) {
		const bench = await Bench.make();
		bench.chip.post(() => bench.chip.loseWiFi(), moment);
		bench.powerOn();
		t.ok(await bench.play(() => bench.running), `lost after ${moment} ms`);
		t.same(bench.chip.aborts, []);
	}
});

t.test("given time servers that cannot be reached, lie or are silent, the clock is asked of the next", async (t) => {
	const cases = [
		["silent", "right"],
		["garbage", "right"],
		[0, "right"],
		// After 2038, the SDK's signed 32-bit number is negative.
		[2 ** 31 + 5, "right"],
	] as const;
	for (const [one, two] of cases) {
		const bench = await Bench.make();
		bench.chip.timeServers.set("time.one", one);
		bench.chip.timeServers.set("time.two", two);
		bench.powerOn();
		t.ok(await bench.play(() => bench.running), `${one}, then ${two}`);
		t.same(bench.failures, []);
		t.same(bench.chip.aborts, []);
	}
	const bench = await Bench.make();
	bench.chip.names.delete("time.one");
	bench.chip.timeServers.set("time.two", 1_000);
	bench.powerOn();
	await bench.play(() => bench.failures.length > 0);
	t.same(bench.failures, ["CLOCK_UNSET"]);
	t.match(bench.details[0], /none of time\.one, time\.two gave a time that can be right \(time\.two is behind\)/);
	t.same(bench.chip.aborts, []);
});

t.test(
	"given a network that goes while the clock is asked for, the SDK's socket throws, and nothing leaves a callback",
	async (t) => {
		const bench = await Bench.make();
		const { chip } = bench;
		const point = chip.accessPoint;
		chip.timeServers.set("time.one", "silent");
		chip.post(() => {
			chip.accessPoint = undefined;
			chip.loseWiFi();
		}, 10_000);
		bench.powerOn();
		await bench.play(() => bench.failures.length > 1);
		t.same(bench.failures, ["CLOCK_UNSET", "NETWORK_DOWN"]);
		t.match(bench.details[0], /\(no network\)$/);
		chip.accessPoint = point;
		t.ok(await bench.play(() => bench.running));
		t.same(chip.aborts, []);
		t.ok(chip.sockets <= 1, "and no socket is left but the connection's");
	},
);

t.test("given a clock that is asked for again, the round before is given up, whatever has become of it", async (t) => {
	const { createClock } = await import("../../hosts/moddable/clock.js");
	for (const moment of [0, 1, 90, 150, 5_200, 25_100]) {
		const { chip } = await Bench.make();
		chip.address = true;
		chip.timeServers.set("time.one", "silent");
		const clock = createClock();
		const told: string[] = [];
		clock.synchronize((error) => told.push(`first ${error?.message}`));
		await chip.pass(moment);
		clock.synchronize((error) => told.push(`second ${error?.message}`));
		await chip.pass(MINUTE);
		t.same(told, ["second undefined"], `after ${moment} ms`);
		t.equal(clock.now(), chip.now());
		t.ok(clock.ticks() >= MINUTE, "the ticks go on where those of the chip wrap around");
		t.equal(chip.sockets, 0);
		t.equal(chip.timers, 0);
		t.same(chip.aborts, []);
	}
});

t.test(
	"given a day of a network that comes and goes, the firmware holds at its end what it held in the morning",
	async (t) => {
		const bench = await Bench.make();
		const { chip } = bench;
		const { accessPoint, listener } = chip;
		const random = seededRandom(7);
		/** A random number from 0 to `most`. */
		const some = (most: number) => (random(1)[0]! / 255) * most;
		bench.powerOn();
		await bench.play(() => bench.running);
		await chip.pass(MINUTE);
		const { timers, sockets } = chip;
		const end = chip.time.ticks() + 24 * 60 * MINUTE;
		let troubles = 0;
		while (chip.time.ticks() < end) {
			await chip.pass(some(20 * MINUTE));
			troubles += 1;
			const kind = Math.floor(some(4.99));
			if (kind === 1) chip.accessPoint = undefined;
			if (kind === 2) chip.names.clear();
			if (kind === 3) chip.listener = undefined;
			if (kind === 4) chip.accessPoint = { ssid: SSID, password: PASSWORD, dhcp: false };
			chip.loseWiFi();
			await chip.pass(some(10 * MINUTE));
			chip.accessPoint = accessPoint;
			chip.listener = listener;
			for (const name of [SERVER, "time.one", "time.two"]) chip.names.set(name, "10.0.0.1");
			chip.loseWiFi();
		}
		const said = bench.cloud.messages.length;
		t.ok(await bench.play(() => bench.cloud.messages.length > said, 60 * MINUTE), "it connects again");
		await chip.pass(MINUTE);
		t.equal(chip.timers, timers, "as many timers");
		t.equal(chip.sockets, sockets, "as many sockets");
		t.same(chip.aborts, []);
		t.equal(chip.restarts, 1, "and no restart but that of the provisioning");
		const codes = [...new Set(bench.failures)].sort();
		t.comment(`${troubles} troubles, ${said} connections: ${codes.join(", ")}`);
		t.ok(
			codes.every((code) =>
				/^(NETWORK_DOWN|CONNECTION_LOST|KEEP_ALIVE_TIMEOUT|HOST_\w+|TLS_FAILED|CONNECT_TIMEOUT)$/.test(code),
			),
		);
	},
);

t.test("given settings that cannot be right, one event says which, and nothing is begun", async (t) => {
	const cases: [string, (bench: Bench) => void, RegExp][] = [
		["no ssid", ({ chip }) => delete chip.config.ssid, /^ssid/],
		["no roots", ({ chip }) => chip.resources.delete("root.der"), /root\.der/],
		["parameters that are no JSON", ({ chip }) => Object.assign(chip.config, { parameters: "{" }), /^parameters/],
		["no template", ({ chip }) => delete chip.config.template, /^template/],
		["a pipeline that there is not", ({ chip }) => Object.assign(chip.config, { pipeline: "yes" }), /^pipeline/],
		["a common name too long", ({ chip }) => Object.assign(chip.config, { commonName: "x".repeat(65) }), /^commonName/],
		["a port that is no number", ({ chip }) => Object.assign(chip.config, { port: "x" }), /^port/],
	];
	for (const [what, change, detail] of cases) {
		const bench = await Bench.make();
		change(bench);
		bench.powerOn();
		await bench.chip.pass(10 * MINUTE);
		t.same(bench.failures, ["CONFIGURATION_INVALID"], what);
		t.match(bench.details[0], detail);
		t.same(bench.chip.aborts, []);
	}
	const bench = await Bench.make();
	bench.powerOn({ claim: { certificatePem: "-----BEGIN", privateKeyPem: "secret" } });
	await bench.chip.pass(MINUTE);
	t.match(bench.details[0], /^claim: PEM/);
	t.notOk(bench.chip.traced.join().includes("secret"));
	const [one, other] = [await issueCertificate(newKey("P-256")), await issueCertificate(newKey("P-256"))];
	const mixed = await Bench.make();
	mixed.powerOn({ claim: { certificatePem: one.certificatePem, privateKeyPem: other.privateKey } });
	await mixed.chip.pass(MINUTE);
	t.match(mixed.details[0], "claim: KEY_MISMATCH");
});

t.test("given an EC claim from a trusted user, the device provisions itself with it", async (t) => {
	for (const kind of ["P-256", "P-384"] as const) {
		const bench = await Bench.make();
		const { certificatePem, privateKey } = await issueCertificate(newKey(kind));
		bench.cloud.takeClaim(certificatePem);
		bench.powerOn({ claim: { certificatePem, privateKeyPem: privateKey } });
		t.ok(await bench.play(() => bench.running), kind);
		t.same(bench.failures, []);
	}
});

t.test("given a listener that throws at every event, the program goes on", async (t) => {
	const bench = await Bench.make();
	bench.listenerThrows = true;
	bench.powerOn();
	t.ok(await bench.play(() => bench.running));
	t.ok(bench.chip.traced.includes("in onEvent: Error: the listener"));
	t.same(bench.chip.aborts, []);
});

t.test("given a reset that is asked for at power-on, the identity is forgotten first", async (t) => {
	const bench = await Bench.make();
	bench.powerOn();
	await bench.play(() => bench.running);
	const issued = bench.cloud.issued;
	bench.chip.powerOff();
	bench.powerOn({ forget: true });
	t.ok(await bench.play(() => bench.cloud.messages.length === 2));
	t.equal(bench.cloud.issued, issued + 1);
	t.ok(bench.events.some(({ event }) => event === "identity.forgotten"));
});

t.test(
	"given a program that is stopped at any moment, it ends, leaves nothing behind, and can be started again",
	async (t) => {
		const moments = Array.from({ length: 89 }, (_, i) => i * 90);
		for (const moment of sample(t, moments, 23)) {
			const bench = await Bench.make();
			const { chip } = bench;
			let stops = 0;
			let starts = 0;
			bench.application = (context) => {
				starts += 1;
				context.connection.publish(`devices/${context.identity.thingName}/hello`, "hello");
				return () => {
					stops += 1;
				};
			};
			bench.powerOn();
			await bench.play(() => chip.time.ticks() >= moment);
			let ended = false;
			void bench.program!.stop().then(() => {
				ended = true;
			});
			const asked = chip.time.ticks();
			t.ok(await chip.play(() => ended, 10), `stopped after ${moment} ms, at once`);
			t.ok(chip.time.ticks() - asked <= 10);
			t.equal(stops, starts, "the application was stopped if it ran");
			const heard = bench.events.length;
			await chip.pass(100);
			t.equal(chip.sockets, 0, "no socket is open");
			t.equal(chip.timers, 0, "no timer is left");
			await chip.pass(5 * MINUTE);
			t.equal(bench.events.length, heard, "and nothing more happens");
			bench.powerOn();
			t.ok(await bench.play(() => bench.running), "started again, it runs");
			t.same(chip.aborts, []);
		}
	},
);
