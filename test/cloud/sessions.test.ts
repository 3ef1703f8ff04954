// What sessions hold, without a broker.

import t from "tap";
import { Sessions } from "../../hosts/cloud/sessions.js";
import { defaultSettings } from "../../hosts/cloud/settings.js";

t.test("Messages count with all that they take, not only their payload", async (t) => {
	const settings = defaultSettings();
	settings.limits.storedBytes = 1_000;
	const sessions = new Sessions(settings);
	for (let index = 0; index < 10; index++) await sessions.storeRetained({ topic: `t/${index}`, payload: "x" });
	t.ok(sessions.held <= 1_000);
	t.ok(sessions.held > 600, "some of them are held");
	for (let index = 0; index < 10; index++) await sessions.storeRetained({ topic: `t/${index}`, payload: "" });
	t.equal(sessions.held, 0);
});

t.test("A session may stay longer than a timer can run", async (t) => {
	const sessions = new Sessions(defaultSettings());
	t.teardown(() => sessions.close());
	const subscription = { topic: "a", qos: 1 };
	sessions.grant(subscription);
	await sessions.addSubscriptions({ id: "c" }, [subscription]);
	sessions.endLater("c", 2 ** 32);
	await new Promise((resolve) => setTimeout(resolve, 20));
	t.same(await sessions.subscriptionsByClient({ id: "c" }), [subscription]);
});
