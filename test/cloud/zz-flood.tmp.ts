import { connect, exchange, startRig, subscribeToReplies, topics } from "./rig.js";

const rig = await startRig();
const a = await connect(rig, rig.claim, "flooder");
const b = await connect(rig, rig.claim, "other");
await subscribeToReplies(b, topics.create("json"));
for (let i = 0; i < 300; i++) {
	for (let k = 0; k < 1; k++) a.publish(topics.create("json"), "", { qos: 0 });
	await new Promise((r) => setTimeout(r, 10));
}
const t0 = Date.now();
const r = await exchange(b, topics.create("json"), "");
console.log(
	"other answered after",
	Date.now() - t0,
	"ms",
	r.accepted,
	"certificates",
	rig.cloud.registry.state.certificates.size,
	"rss",
	Math.round(process.memoryUsage().rss / 1e6),
);
a.end(true);
b.end(true);
await rig.cloud.close();
process.exit(0);
