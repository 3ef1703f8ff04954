// The web page as people see it, in Debian's Chromium without a window: what happens appears, refusals are explained, faults and
// templates are tried, with a pointer, with the keyboard alone, and by what a screen reader is told. axe-core judges each view.

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import t, { type Test } from "tap";
import { connect, exchange, identity, type Rig, startRig, subscribeToReplies, templateName, topics } from "../rig.js";

t.setTimeout(600_000);

const executablePath = ["chromium", "chromium-browser"]
	.flatMap((name) => (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, name)))
	.find((path) => existsSync(path));
const skip = executablePath === undefined ? "chromium is not installed (Debian: apt-get install chromium)" : false;

/** Longest wait for anything, ms: against hangs only. */
const PATIENCE = 60_000;
const SIZES = { wide: { width: 1280, height: 800 }, narrow: { width: 360, height: 740 } };

let browser: Browser | undefined;
const launched = async () => {
	// The user root may not use Chromium's sandbox. The page is our own.
	browser ??= await chromium.launch({ executablePath: executablePath!, args: ["--no-sandbox"] });
	return browser;
};
t.teardown(() => browser?.close());

interface Opened {
	readonly rig: Rig;
	readonly page: Page;
	/** Address of the page, without a token. */
	readonly url: string;
	/** What the browser may complain of. */
	readonly expected: RegExp[];
}

/** A cloud and its page, which may change things unless `token` is false. Whatever the browser complains of fails the test. */
async function opened(
	t: Test,
	{ token = true, ...more }: { token?: boolean } & BrowserContextOptions = {},
): Promise<Opened> {
	const rig = await startRig({ accountId: "123456789012", region: "eu-west-1", controlPlane: {} });
	const context = await (await launched()).newContext({ viewport: SIZES.wide, reducedMotion: "reduce", ...more });
	context.setDefaultTimeout(PATIENCE);
	t.teardown(async () => {
		await context.close();
		await rig.cloud.close();
	});
	const page = await context.newPage();
	page.on("pageerror", (error) => t.fail(`an exception in the page: ${error.message}`));
	// A request that the cloud refuses is logged by the browser itself; tests look at what the page says.
	const expected = [/status of 4\d\d/];
	page.on("console", (message) => {
		if (message.type() === "error" && !expected.some((one) => one.test(message.text()))) t.fail(message.text());
	});
	page.on("dialog", (dialog) => {
		t.fail("a dialog opened");
		void dialog.dismiss();
	});
	const { url, pageToken } = rig.cloud.controlPlane!;
	await page.goto(token ? `${url}/#token=${pageToken}` : url);
	await page.getByRole("heading", { level: 1, name: "Fleet" }).waitFor();
	await page.getByText("live", { exact: true }).waitFor();
	return { rig, page, url, expected };
}

/** Provisions one device over MQTT, up to the answer to RegisterThing. */
async function provision(rig: Rig, serial: string): Promise<boolean> {
	const client = await connect(rig, rig.claim, `claim-${serial}`);
	try {
		await subscribeToReplies(client, topics.create("json"), topics.register("json"));
		const created = await exchange(client, topics.create("json"), "{}");
		const { certificateOwnershipToken } = JSON.parse(created.payload.toString());
		const parameters = { SerialNumber: serial };
		const request = JSON.stringify({ certificateOwnershipToken, parameters });
		return (await exchange(client, topics.register("json"), request)).accepted;
	} finally {
		await client.endAsync(true);
	}
}

t.test("given an open page, when a device provisions itself, then it is seen at once", { skip }, async (t) => {
	const { rig, page } = await opened(t);
	t.match(await page.locator(".tile", { hasText: "Things" }).innerText(), /\b0\b/);
	t.ok(await provision(rig, "7Q4"));
	await page.locator("li.event.good", { hasText: "7Q4 is provisioned with" }).waitFor();
	await page.locator(".tile", { hasText: "Things" }).getByText("1", { exact: true }).waitFor();
	await page.locator(".tile", { hasText: "Certificates" }).getByText("2 active").waitFor();
	await page.locator(".tile", { hasText: "Provisioned" }).getByText("1 in the last minute").waitFor();
	await page.getByRole("link", { name: "7Q4" }).first().click();
	await page.getByRole("heading", { level: 1, name: "7Q4" }).waitFor();
	await page.getByText("active", { exact: true }).waitFor();
	await page.locator("summary", { hasText: "device" }).click();
	await page.getByText('"iot:Connect"').first().waitFor();
	await page.locator("li.event", { hasText: "is provisioned with" }).waitFor();
});

t.test("a refusal is explained: who, what, which statement decided, and what to change", { skip }, async (t) => {
	const { rig, page } = await opened(t);
	const lamp = await identity(rig, "lamp", {
		Version: "2012-10-17",
		Statement: [
			{ Effect: "Allow", Action: "iot:*", Resource: "*" },
			{ Sid: "NoSecrets", Effect: "Deny", Action: "iot:Publish", Resource: rig.cloud.registry.arn("topic", "secret") },
		],
	});
	const client = await connect(rig, lamp, "lamp-1");
	client.on("error", () => {});
	client.publish("secret", "x");
	const row = page.locator("li.event.bad", { hasText: "lamp-1 may not iot:Publish on topic/secret" });
	await row.waitFor();
	t.match(await row.locator(".why").innerText(), /NoSecrets|statement 2/);
	await row.locator("summary").click();
	await row.getByText("statement 2 (NoSecrets) of policy lamp").waitFor();
	await row.locator("pre", { hasText: '"Sid": "NoSecrets"' }).waitFor();
	await page.locator("#announcement[role=status]", { hasText: "lamp-1 may not" }).waitFor({ state: "attached" });
	await page.getByRole("radio", { name: "Connections" }).check();
	await page.locator("li.event", { hasText: "lamp-1 connects with" }).waitFor();
	t.equal(await row.count(), 0, "the filter leaves it out");
	await page.getByRole("radio", { name: "Refusals" }).check();
	await row.waitFor();
	await page.getByLabel("Show only events with this text").fill("nobody at all");
	await page.getByText("No event fits the filter.").waitFor();
});

t.test("a fault is switched on, and a device meets it", { skip }, async (t) => {
	const { rig, page } = await opened(t);
	await page.getByRole("link", { name: "Faults" }).click();
	await page.getByLabel("What happens").selectOption("reject");
	await page.getByLabel("Status code").fill("503");
	await page.getByLabel("Error code").fill("Unavailable");
	await page.getByRole("button", { name: "Switch it on" }).click();
	await page.locator(".faults li", { hasText: "reject RegisterThing" }).waitFor();
	t.match(rig.cloud.settings.faults, [{ action: "reject", rejection: { statusCode: 503, errorCode: "Unavailable" } }]);
	t.notOk(await provision(rig, "unlucky"));
	await page.getByRole("link", { name: "Fleet" }).click();
	await page.locator("li.event", { hasText: "RegisterThing of claim-unlucky" }).first().waitFor();
	t.ok(await provision(rig, "lucky"), "once");
	await page.getByRole("link", { name: "Faults" }).click();
	await page.getByLabel("Provisioning role").selectOption("broken");
	await page.locator("label.on", { hasText: "Provisioning role" }).waitFor();
	t.notOk(await provision(rig, "role"));
});

t.test("a template is tried", { skip }, async (t) => {
	const { rig, page } = await opened(t);
	await page.getByRole("link", { name: "Templates" }).click();
	const form = page.getByRole("form", { name: `Try template ${templateName}` });
	await form.getByRole("button").click();
	await form.getByText("Rejected with 400 InvalidParameters").waitFor();
	t.match(await form.locator(".why").innerText(), /SerialNumber/);
	await form.getByLabel("SerialNumber").fill("tried-1");
	await form.getByRole("button").click();
	await form.getByText("Accepted").waitFor();
	t.ok(rig.cloud.registry.things.get("tried-1"));
	await form.getByRole("link", { name: "tried-1" }).click();
	await page.getByRole("heading", { level: 1, name: "tried-1" }).waitFor();
});

t.test(
	"a setting is changed and set back, and a value that is not allowed is refused in words",
	{ skip },
	async (t) => {
		const { rig, page } = await opened(t);
		await page.getByRole("link", { name: "Settings" }).click();
		await page.getByLabel("Search settings").fill("token.l");
		const lifetime = page.getByLabel("token.lifetime", { exact: true });
		await lifetime.fill("1000");
		await lifetime.press("Enter");
		const back = page.getByRole("button", { name: "Set back token.lifetime" });
		await back.waitFor();
		t.equal(rig.cloud.settings.token.lifetime, 1000);
		await back.click();
		await back.waitFor({ state: "hidden" });
		t.equal(rig.cloud.settings.token.lifetime, 3_600_000);
		await page.getByLabel("token.length", { exact: true }).fill("1");
		await page.getByLabel("token.length", { exact: true }).press("Enter");
		await page.getByRole("alert").getByText("The setting token.length must be").waitFor();
		t.equal(await page.getByLabel("token.length", { exact: true }).inputValue(), "464", "what is shown is what is");
	},
);

t.test("without the token the page is read-only, says how to get it, and takes it", { skip }, async (t) => {
	const { rig, page, url } = await opened(t, { token: false });
	await page.getByRole("link", { name: "Faults" }).click();
	t.ok(await page.getByRole("button", { name: "Switch it on" }).isDisabled());
	await page.getByText("This page is read-only.").click();
	await page.getByText("FLEET_LOCAL_TOKEN").waitFor();
	await page.getByLabel("Token").fill("guessed");
	await page.getByRole("button", { name: "Unlock" }).click();
	await page.getByText("That is not the token of this cloud.").waitFor();
	await page.goto(`${url}/#token=${rig.cloud.controlPlane!.pageToken}`);
	await page.getByText("This page is read-only.").waitFor({ state: "hidden" });
	t.equal(page.url(), `${url}/#/`, "the token is not left in the address");
	await page.reload();
	await page.getByRole("link", { name: "Faults" }).click();
	t.ok(await page.getByRole("button", { name: "Switch it on" }).isEnabled(), "this tab remembers it");
	const asked: string[] = [];
	page.on("request", (request) => asked.push(request.url()));
	await page.getByRole("link", { name: "Settings" }).click();
	await page.getByRole("heading", { name: "Settings" }).waitFor();
	t.notMatch(asked.join(" "), rig.cloud.controlPlane!.pageToken, "and it is in no address that is asked for");
});

/** Presses Tab until the element in focus has this name or text. */
async function tabTo(page: Page, wanted: RegExp): Promise<void> {
	const name =
		"document.activeElement.getAttribute('name') ?? document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent";
	for (let at = 0; at < 60; at++) {
		await page.keyboard.press("Tab");
		if (wanted.test(String(await page.evaluate(name)).trim())) return;
	}
	throw new Error(`Tab does not reach ${wanted}`);
}

t.test("everything can be done with the keyboard alone", { skip }, async (t) => {
	const { rig, page } = await opened(t);
	await page.keyboard.press("Tab");
	t.equal(await page.evaluate("document.activeElement.textContent"), "Skip to the content");
	await page.keyboard.press("Enter");
	t.equal(await page.evaluate("document.activeElement.id"), "main");
	await page.keyboard.press("Shift+Tab");
	await page.evaluate("document.querySelector('.skip').focus()");
	await tabTo(page, /^Faults$/);
	await page.keyboard.press("Enter");
	await page.getByRole("heading", { level: 1, name: "Faults" }).waitFor();
	t.equal(await page.evaluate("document.activeElement.textContent"), "Faults", "the new view has the focus");
	await tabTo(page, /^action$/);
	await page.keyboard.type("dup");
	await tabTo(page, /^Switch it on$/);
	await page.keyboard.press("Enter");
	await page.locator(".faults li", { hasText: "duplicate RegisterThing" }).waitFor();
	t.match(rig.cloud.settings.faults, [{ action: "duplicate", operation: "RegisterThing" }]);
	await page
		.getByRole("status")
		.getByText("The next 1 reply of RegisterThing: duplicate.")
		.waitFor({ state: "attached" });
	await page.evaluate("document.querySelector('h1').focus()");
	await tabTo(page, /^Remove duplicate/);
	await page.keyboard.press("Enter");
	await page.getByText("No fault is on.").waitFor();
	t.equal(rig.cloud.settings.faults.length, 0);
	await page.evaluate("document.querySelector('.skip').focus()");
	await tabTo(page, /^Fleet$/);
	await page.keyboard.press("Enter");
	await tabTo(page, /^kind$/);
	await page.keyboard.press("ArrowRight");
	t.equal(await page.evaluate("document.querySelector('[name=kind]:checked').value"), "refusals");
	await tabTo(page, /^Pause$/);
	await page.keyboard.press("Space");
	await page.getByRole("button", { name: "Go on", pressed: true }).waitFor();
});

t.test("names that strangers choose are text, never markup", { skip }, async (t) => {
	const { rig, page, url, expected } = await opened(t);
	const evil = `<img src=x onerror="alert(1)"><script>alert(2)</script>'"&lt;`;
	const client = await connect(rig, rig.claim, "claim-polite").catch(() => undefined);
	await client?.endAsync(true);
	const stranger = await connect(rig, rig.claim, evil).catch(() => undefined);
	await stranger?.endAsync(true);
	const principal = rig.claimId;
	const about = { connectionId: "1", principal, clientId: evil } as const;
	const { events, registry } = rig.cloud;
	events.report({ ...about, event: "published", topic: evil, bytes: 1, qos: 0 });
	events.report({
		...about,
		event: "denied",
		action: evil,
		resource: evil,
		explanation: evil,
		statement: { policyName: evil, index: 0, sid: evil },
	});
	events.report({ event: "unauthorized", principal: evil, action: evil, error: evil, explanation: evil });
	events.report({ event: "warning", message: evil });
	registry.state.transaction(() => {
		registry.state.things.put(evil, {
			thingName: evil,
			thingId: "",
			attributes: { [evil]: evil },
			thingTypeName: evil,
			version: 1,
		});
		registry.state.templates.put(evil, {
			...registry.templates.get(templateName)!,
			templateName: evil,
			description: evil,
		});
	});
	const nothingElse = async (where: string) => {
		t.same(
			await page.evaluate("[...document.querySelectorAll('main img, main script, main [onerror]')].length"),
			0,
			where,
		);
		t.match(await page.locator("main").innerText(), evil, `${where} shows it as it is`);
	};
	await page.locator("li.event", { hasText: "publishes" }).waitFor();
	await page.locator("li.event.bad summary").first().click();
	await nothingElse("the list of events");
	for (const [hash, heading] of [
		["#/things", "Things"],
		["#/templates", "Templates"],
	] as const) {
		await page.goto(`${url}/${hash}`);
		await page.getByRole("heading", { level: 1, name: heading }).waitFor();
		await page.getByText("onerror").first().waitFor();
		await nothingElse(heading);
	}
	expected.push(/requires 'TrustedHTML'/);
	t.equal(
		await page.evaluate("try { document.body.innerHTML = '<b>x</b>'; 'allowed' } catch { 'refused' }"),
		"refused",
	);
});

const VIEWS = ["", "things", "things/7Q4", "certificates", "templates", "faults", "settings"];

t.test("axe-core finds nothing in any view, light or dark, wide or narrow", { skip }, async (t) => {
	const source = (await import("node:fs")).readFileSync(
		createRequire(import.meta.url).resolve("axe-core/axe.min.js"),
		"utf8",
	);
	for (const colorScheme of ["light", "dark"] as const) {
		// axe-core makes markup of text of its own.
		const { rig, page, url } = await opened(t, { colorScheme, bypassCSP: true });
		await provision(rig, "7Q4");
		await provision(rig, "not a name");
		rig.cloud.changeSettings({
			faults: [{ operation: "RegisterThing", action: "drop" }],
			template: { roleBroken: true },
		});
		for (const view of VIEWS) {
			await page.goto(`${url}/#/${view}`);
			await page.waitForFunction(
				`document.title !== "" && document.querySelector("nav [aria-current]")?.dataset.view === "${view.split("/")[0]}"`,
			);
			await page.waitForFunction("document.querySelector('#view h1')");
			if (view === "") await page.locator("li.event.bad summary").first().click();
			for (const size of Object.values(SIZES)) {
				await page.setViewportSize(size);
				await page.evaluate(source);
				const found = (await page.evaluate(
					"axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations.map(({ id, nodes }) => id + ': ' + nodes[0].html))",
				)) as string[];
				t.same(found, [], `${view || "fleet"}, ${colorScheme}, ${size.width} pixels`);
				const width = await page.evaluate("document.documentElement.scrollWidth");
				t.equal(width, size.width, "and it fits the screen");
			}
		}
	}
});

t.test("10,000 events a second neither freeze the page nor fill its memory", { skip }, async (t) => {
	const { rig, page } = await opened(t);
	const cdp = await page.context().newCDPSession(page);
	const heap = async () => {
		await cdp.send("HeapProfiler.collectGarbage");
		return Number(await page.evaluate("performance.memory.usedJSHeapSize"));
	};
	const { events } = rig.cloud;
	const about = { event: "published", connectionId: "1", principal: rig.claimId, bytes: 100, qos: 1 } as const;
	let reported = 0;
	const burst = setInterval(() => {
		for (let at = 0; at < 250; at++) events.report({ ...about, clientId: `lamp-${at}`, topic: `lamps/${reported++}` });
	}, 25);
	t.teardown(() => clearInterval(burst));
	const until = async (count: number) => {
		while (reported < count) await new Promise((resolve) => setTimeout(resolve, 50));
	};
	await until(20_000);
	const early = await heap();
	await until(120_000);
	const late = await heap();
	t.ok(late - early < 8_000_000, `${late - early} bytes more after 100,000 events`);
	t.comment(`heap of the page: ${(early / 1e6).toFixed(1)} MB, then ${(late / 1e6).toFixed(1)} MB`);
	t.ok((await page.locator("li.event").count()) <= 200);
	await page.getByText("came too fast to be shown").waitFor();
	events.report({
		...about,
		event: "denied",
		clientId: "needle",
		action: "iot:Publish",
		resource: "arn:aws:iot:eu-west-1:123456789012:topic/x",
		explanation: "Found in the haystack.",
	});
	await page.getByRole("radio", { name: "Refusals" }).check();
	await page.locator("li.event", { hasText: "Found in the haystack." }).waitFor();
	await page.getByRole("link", { name: "Settings" }).click();
	await page.getByRole("heading", { level: 1, name: "Settings" }).waitFor();
	t.pass("and everything else works meanwhile");
});

t.test("the first paint is not much later than that of a blank page", { skip }, async (t) => {
	const { page, url } = await opened(t);
	const paint = `new Promise((resolve) => new PerformanceObserver((list) => resolve(list.getEntries()[0].startTime)).observe({ type: "paint", buffered: true }))`;
	const median = async (address: string) => {
		const times: number[] = [];
		for (let at = 0; at < 7; at++) {
			await page.goto("about:blank");
			await page.goto(address);
			times.push(Number(await page.evaluate(paint)));
		}
		return times.sort((a, b) => a - b)[3]!;
	};
	// The icon alone is as good as nothing.
	const blank = await median(`${url}/_console/icon.svg`);
	const full = await median(`${url}/`);
	t.comment(`first paint after ${full.toFixed(0)} ms, of a blank page after ${blank.toFixed(0)} ms`);
	t.ok(full < 10 * blank + 1_000, "within what even a busy machine allows");
});
