// Settings are changed as a whole or not at all, and only to what makes sense.

import t from "tap";
import {
	changeSettings,
	combinePatches,
	defaultSettings,
	type SettingsPatch,
} from "../../../hosts/cloud/base/settings.js";

t.test("A patch changes what it names and leaves the rest", async (t) => {
	const settings = defaultSettings();
	changeSettings(settings, { token: { lifetime: 5 }, throttle: { RegisterThing: null }, hook: { fault: "deny" } });
	const expected = defaultSettings();
	expected.token.lifetime = 5;
	expected.throttle.RegisterThing = undefined;
	expected.hook.fault = "deny";
	t.strictSame(settings, expected);
	changeSettings(settings, { throttle: { RegisterThing: { rate: 1, burst: 2 } }, hook: { fault: null } });
	t.same(settings.throttle.RegisterThing, { rate: 1, burst: 2 });
	t.equal(settings.hook.fault, undefined);
	changeSettings(settings, { faults: [{ operation: "RegisterThing", action: "drop" }] });
	t.same(settings.faults, [{ operation: "RegisterThing", action: "drop" }]);
});

t.test("Two patches combined do what they do one after the other", async (t) => {
	const patches: readonly SettingsPatch[] = [
		{ token: { lifetime: 5 }, hook: { targets: { a: "http://a.example" }, fault: "deny" } },
		{ hook: { targets: { b: "http://b.example" } }, throttle: { RegisterThing: { rate: 1, burst: 1 } } },
		{ hook: { fault: null }, throttle: { RegisterThing: null }, errors: { denied: { errorMessage: "no" } } },
		{ errors: { denied: { errorMessage: null, statusCode: 401 } }, hook: { override: { a: "b" } } },
		{ controlPlane: { throttle: { CreateThing: { rate: 1, burst: 1 } } }, token: { boundTo: ["clientId"] } },
		{ controlPlane: { throttle: {} }, token: { boundTo: [] }, hook: { override: null, targets: {} } },
	];
	for (const first of patches) {
		for (const second of patches) {
			const [expected, combined] = [defaultSettings(), defaultSettings()];
			changeSettings(expected, first);
			changeSettings(expected, second);
			changeSettings(combined, combinePatches(first, second));
			t.strictSame(combined, expected);
		}
	}
});

t.test("What does not exist or will not do is refused, and nothing has changed", async (t) => {
	for (const [patch, reason] of [
		[{ token: { lifetime: 1, colour: "red" } }, /no setting token.colour/],
		[{ token: { lifetime: 1 }, weather: {} }, /no setting weather/],
		[{ token: { lifetime: "1" } }, /token.lifetime must be a number/],
		[{ token: { lifetime: -1 } }, /not negative/],
		[{ limits: { maximumKeepAlive: 86_400 } }, /maximumKeepAlive must be a whole number from 0 to 65535/],
		[{ limits: { payload: 5e9 } }, /limits.payload must be a whole number/],
		[{ token: { length: 127 } }, /token.length must be a number from 128/],
		[{ tls: { certificates: "dsa" } }, /tls.certificates must be one of rsa, ecdsa, both/],
		[{ faults: [{ operation: "RegisterThing", action: "drop", extra: {} }] }, /faults must be/],
		[
			{ faults: [{ operation: "RegisterThing", action: "reject", rejection: { statusCode: 1, errorCode: "", x: 1 } }] },
			/faults must be/,
		],
		[{ throttle: { RegisterThing: { rate: 1, burst: 1, extra: [] } } }, /throttle.RegisterThing must be/],
		[{ token: { boundTo: ["moon"] } }, /token.boundTo must be one of/],
		[{ token: 5 }, /token must be/],
		[{ token: null }, /token must be/],
		[{ reply: { puback: "never" } }, /reply.puback must be one of before, after, withhold/],
		[{ throttle: { RegisterThing: { rate: 0, burst: 1 } } }, /throttle.RegisterThing must be/],
		[{ throttle: { Other: { rate: 1, burst: 1 } } }, /no setting throttle.Other/],
		[{ errors: { denied: { statusCode: "x" } } }, /errors.denied.statusCode/],
		[{ errors: { denied: { errorMessage: 5 } } }, /errors.denied.errorMessage must be text/],
		[{ faults: [{ operation: "RegisterThing" }] }, /faults must be/],
		[{ faults: {} }, /faults must be a list/],
		[{ hook: { targets: { a: { command: "rm" } } } }, /hook.targets must be a map of texts/],
		[JSON.parse('{"__proto__":{"polluted":true}}'), /no setting/],
		[JSON.parse('{"token":{"constructor":{"x":1}}}'), /no setting token.constructor/],
		["text", /must be an object/],
	] as const) {
		const settings = defaultSettings();
		t.throws(() => changeSettings(settings, patch as SettingsPatch), reason);
		t.strictSame(settings, defaultSettings());
	}
	t.notOk("polluted" in {});
});
